//! Wenzhen in one process: every service, the terminal chat, pack tools and benchmarks.
//!
//! The services are the same libraries that run as one pod each; here they are wired over in-memory
//! gRPC connections ([`process`]), so there is one code path. This library exists for the `wenzhen`
//! binary and for the tests that hold whole consultations.

pub mod args;
pub mod bench;
pub mod chat;
pub mod client;
pub mod eval;
pub mod load;
pub mod model;
pub mod packs;
pub mod photo;
pub mod process;
pub mod serve;
