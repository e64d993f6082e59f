//! Speaking through a language model, for the agents that can: what their voices share.
//!
//! A voice fills a prompt of the pack, sends it as an [`Exchange`] through a [`Speaker`], and checks what comes back
//! against what it knows. Whatever goes wrong is a [`Fault`]; then the built-in voice answers, and the response carries a
//! [`Degradation`](wenzhen_proto::clinical::v1::Degradation). Patient text enters a prompt through [`fence`] alone.
//! Prompts hold the message at hand and structured state, never a transcript, so that a long consultation needs no
//! longer prompt than a short one.

mod args;
mod fault;
mod fence;
mod json;
mod metrics;
mod native;
mod speaker;
mod words;

pub use args::{EngineArgs, EngineError, Voice};
pub use fault::Fault;
pub use fence::{fence, neutral, quoted};
pub use metrics::{Task, VoiceMetrics};
pub use native::native;
pub use speaker::{Exchange, Speaker};
pub use words::Words;
