//! Language models: the engine contract, and the engines that keep it.
//!
//! A voice submits a [`Request`] and reads a [`Generation`]; which engine answers is a matter of configuration. What a
//! model says is never trusted here or there: the voices align, parse and guard it.

mod contract;

pub use contract::{
    End, Engine, Error, Event, Finish, Generation, Message, Model, Outcome, Request, Role, Sampling, Statistics, Usage,
};
