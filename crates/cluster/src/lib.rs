//! A cluster on one machine, for tests and for figures: the real binaries as processes of their own, a real Redis, and a
//! proxy between them that can delay, swallow, cut and drip.
//!
//! [`Cluster`] starts and stops; [`proxy`] breaks; [`calls`] is a client with an open loop, [`dear`] a call that costs
//! much; [`patients`] hold consultations; [`figures`] print what `docs/benchmarks.md` shows; [`guest`] lets others in.

pub mod calls;
pub mod certificates;
pub mod dear;
pub mod figures;
pub mod guest;
pub mod patients;
pub mod program;
pub mod proxy;
pub mod redis;
mod system;

pub use program::{Program, Watch};
pub use redis::RedisServer;
pub use system::{Cluster, Plan};
