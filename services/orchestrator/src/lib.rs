//! The orchestrator: keeps the dialogue and decides between asking and diagnosing.
//!
//! A consultation is its list of events ([`store`]). [`state`] folds them, [`recorder`] merges what was
//! observed, [`policy`] decides (both pure), [`turn`] runs one message through the agents, [`view`]
//! redacts for the caller, [`server`] speaks gRPC, [`review`] looks back when a consultation has ended.

pub mod agents;
pub mod auth;
mod background;
mod context;
mod error;
mod export;
pub mod knowledge;
mod metrics;
pub mod policy;
pub mod process;
pub mod recorder;
pub mod replay;
mod reply;
pub mod review;
pub mod server;
mod sessions;
pub mod state;
pub mod store;
mod topic;
mod turn;
mod view;

pub use agents::{Agents, Budgets};
pub use auth::AccessRules;
pub use error::Error;
pub use knowledge::Knowledge;
pub use server::{Orchestrator, Settings};
