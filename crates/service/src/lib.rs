//! Process plumbing that every Wenzhen service shares: configuration, telemetry, health, limits, deadlines, serving,
//! in-process connections, shutdown.
//!
//! A service's `main` parses its configuration, calls [`telemetry::init`], [`install_crypto`] and
//! [`shutdown::on_signals`], opens the [`admin`] port, and runs a [`server::Serving`] until it has drained.
//! Nothing in this crate reads, logs or labels a payload.

pub mod admin;
pub mod client;
pub mod config;
pub mod health;
pub mod layers;
pub mod local;
pub mod server;
pub mod services;
pub mod shutdown;
pub mod status;
pub mod telemetry;

pub use client::Client;
pub use health::Readiness;
pub use layers::deadline::Deadline;
pub use layers::metrics::Metrics;
pub use layers::{Guard, Limits};
pub use local::in_process;
pub use server::Serving;
pub use services::Services;

/// Chooses ring as the process's cryptography for TLS. Without it the first TLS handshake panics. May be called often.
pub fn install_crypto() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        // An error means that someone chose a provider before us, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}
