//! What tests of engines and of voices need: the conformance kit, and an engine that says what it is told.

pub mod conformance;
mod scripted;

pub use scripted::{Script, Scripted};
