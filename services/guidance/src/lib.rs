//! Guidance service: words to observations, findings to questions.
//!
//! The understanding and the wording are `wenzhen_language`'s; this crate checks requests
//! ([`convert`]), finds the pack that they are pinned to ([`server`]), and turns what goes wrong into
//! a status ([`Error`]). A language model may add and rephrase (`voice`); whatever it says is checked against what the
//! built-in voice knows.

mod convert;
mod error;
pub mod server;
mod voice;

pub use error::{Error, Violation};
pub use server::GuidanceServer;
