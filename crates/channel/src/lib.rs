//! The calling side: endpoints found by name, balanced by load, retried within a budget.
//!
//! [`Balanced`] is what a generated client takes instead of tonic's channel. Behind it, in the order in which a call
//! meets them: [`call`] (attempts, retries, deadline), [`pool`] (who may be picked), [`pick`] (power of two choices over
//! [`load`] and [`health`]), [`endpoint`] and [`connection`] (one HTTP/2 connection each, kept open), [`discovery`] (which
//! addresses the name has). What decides is pure: [`health`], [`budget`], [`ewma`], [`pick`], [`retry`] take the time and
//! the dice as values.

mod args;
mod attempt;
mod backoff;
mod balanced;
mod body;
mod budget;
mod call;
mod connection;
mod connector;
mod dice;
mod discovery;
mod endpoint;
mod error;
mod ewma;
mod flight;
mod health;
mod load;
mod metrics;
mod payload;
mod pick;
mod pool;
mod pushback;
mod resolve;
mod retry;
mod settings;
mod target;
mod window;

pub use args::ChannelArgs;
pub use backoff::Backoff;
pub use balanced::{Balanced, Endpoints, ResponseFuture};
pub use budget::BudgetRules;
pub use connector::{Connect, Io, Tcp};
pub use error::Error;
pub use health::EjectionRules;
pub use metrics::ChannelMetrics;
pub use resolve::{Dns, Resolve};
pub use retry::RetryRules;
pub use settings::{Idempotent, Settings, TlsSource};
pub use target::{Authority, Scheme, Target};
