//! The load generator behind `wenzhen load`.
//!
//! A load is an agent, a shape and a seed. [`Options`] (flags, profile) become [`Settings`]; [`workload`] makes typed
//! requests from a pack; [`clock`] says when each is due; [`run`] sends them and enters what came back into a
//! [`record`]; [`report`] says what that means. What decides — [`shape`], [`schedule`], [`slo`], [`search`],
//! [`compare`] — is pure.
//!
//! Two rules make the figures honest. Latency counts from the moment at which a call was due, not from the moment at
//! which it could be sent, so that a stalled server cannot hide the calls that it kept from being sent. And a run whose
//! generator was late itself fails, whatever its latencies are.

pub mod agent;
pub mod clock;
pub mod compare;
pub mod error;
pub mod html;
mod metronome;
pub mod options;
pub mod progress;
pub mod record;
pub mod report;
pub mod run;
pub mod schedule;
pub mod search;
pub mod session;
pub mod settings;
pub mod shape;
pub mod slo;
pub mod stats;
pub mod summary;
pub mod target;
pub mod think;
pub mod units;
pub mod visit;
pub mod wire;
pub mod workload;

pub use agent::Agent;
pub use error::LoadError;
pub use metronome::metronome;
pub use options::{Options, over_profile};
pub use progress::{Progress, Style};
pub use report::{Report, Verdict};
pub use session::load;
pub use settings::Settings;
pub use target::Endpoints;
pub use workload::{Materials, Samples};
