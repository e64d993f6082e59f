//! Knowledge graph service: scores conditions and picks the findings worth asking.
//!
//! The core is pure: [`model::Model`] is a pack made ready for scoring, [`strategy::advance`]
//! scores a query, [`explain`] says why. [`server::KgServer`] puts it on gRPC.

mod convert;
pub mod error;
pub mod explain;
pub mod graph;
pub mod model;
mod rates;
pub mod server;
pub mod sparse;
pub mod strategy;
pub mod terms;

pub use server::KgServer;
