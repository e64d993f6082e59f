//! Guidance service, built-in voice: words to observations, findings to questions.
//!
//! The understanding and the wording are `wenzhen_language`'s; this crate checks requests
//! ([`convert`]), finds the pack that they are pinned to ([`server`]), and turns what goes wrong into
//! a status ([`Error`]).

mod convert;
mod error;
pub mod server;

pub use error::{Error, Violation};
pub use server::GuidanceServer;
