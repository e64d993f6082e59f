//! Language models: the engine contract, and the engines that keep it.
//!
//! A voice submits a [`Request`] and reads a [`Generation`]; which engine answers is a matter of configuration. What a
//! model says is never trusted here or there: the voices align, parse and guard it.
//!
//! - `contract.rs`: the trait [`Engine`], and what a generation consists of
//! - `request.rs`, `error.rs`, `generation.rs`: what goes in, how it fails, the stream that comes out
//! - `stop.rs`: stop strings over pieces of text
//! - `candle/` (feature `candle`): the engine in this process
//! - `openai/` (feature `openai`): an engine behind any OpenAI-compatible server
//! - `testing/` (feature `testing`): the conformance kit, and an engine that says what it is told

#[cfg(feature = "candle")]
pub mod candle;
mod contract;
mod error;
mod generation;
#[cfg(feature = "openai")]
pub mod openai;
mod request;
mod statistics;
pub mod stop;
#[cfg(feature = "testing")]
#[allow(clippy::panic, clippy::expect_used, reason = "a test fails by panicking")]
mod testing;

pub use contract::{End, Engine, Event, Finish, Model, Outcome, Usage};
pub use error::Error;
pub use generation::Generation;
pub use request::{Message, Request, Role, Sampling};
pub use statistics::Statistics;
#[cfg(feature = "testing")]
pub use testing::{Script, Scripted, conformance};
