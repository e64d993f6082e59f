//! Process plumbing that every Wenzhen service shares: configuration, telemetry, health, limits, deadlines, serving,
//! in-process connections, shutdown.
//!
//! A service's `main` is [`app::run`]; what is different about it, a process of many services puts together itself:
//! [`telemetry::init`], [`install_crypto`], [`shutdown::on_signals`], the [`admin`] port, and a [`server::Serving`] for
//! each port, which runs until it has drained.
//! Nothing in this crate reads, logs or labels a payload.

pub mod admin;
pub mod app;
pub mod client;
pub mod config;
pub mod health;
pub mod keys;
pub mod layers;
pub mod local;
pub mod rate;
mod readiness_metric;
pub mod server;
pub mod services;
pub mod shutdown;
pub mod status;
pub mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
pub mod tls;

pub use app::App;
pub use client::Client;
pub use health::Readiness;
pub use keys::Keys;
pub use layers::admission::{Admission, Priority};
pub use layers::deadline::Deadline;
pub use layers::metrics::Metrics;
pub use layers::{Guard, Limits};
pub use local::in_process;
pub use server::{Peer, Serving};
pub use services::Services;
pub use tls::Tls;

/// Chooses ring as the process's cryptography for TLS. Without it the first TLS handshake panics. May be called often.
pub fn install_crypto() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        // An error means that someone chose a provider before us, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}
