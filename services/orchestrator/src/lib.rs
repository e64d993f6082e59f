//! The orchestrator: keeps the dialogue and decides between asking and diagnosing.
//!
//! A consultation is its list of events ([`store`]). [`state`] folds them, [`recorder`] merges what was
//! observed, [`policy`] decides (both pure), [`turn`] runs one message through the agents, [`view`]
//! redacts for the caller, [`server`] speaks gRPC.

pub mod agents;
pub mod auth;
mod context;
mod error;
mod export;
pub mod knowledge;
pub mod policy;
pub mod recorder;
pub mod replay;
mod reply;
pub mod server;
mod sessions;
pub mod state;
pub mod store;
mod topic;
mod turn;
mod view;

pub use agents::{Agents, Budgets};
pub use auth::ClinicianKeys;
pub use error::Error;
pub use knowledge::Knowledge;
pub use server::{Orchestrator, Settings};
