//! Knowledge graph service: scores conditions and picks the findings worth asking.
//!
//! The core is pure: [`model::Model`] is a pack made ready for scoring, [`strategy::advance`]
//! scores a query, [`explain`] says why. [`weights`] learn in epochs from what clinicians confirmed.
//! [`server::KgServer`] puts it on gRPC.

pub mod config;
mod convert;
pub mod error;
pub mod explain;
pub mod graph;
mod intake;
pub mod metrics;
pub mod model;
mod rates;
pub mod server;
pub mod sparse;
pub mod strategy;
pub mod terms;
pub mod weights;

pub use metrics::WeightMetrics;
pub use server::{KgServer, Settings};
