//! Redis connections that come back: single server, Sentinel or Cluster, TLS, password, readiness.
//!
//! [`RedisArgs`] are the flags, [`Settings`] what they mean, [`Redis`] the handle that everything else uses: cheap to
//! clone, one multiplexed connection for commands, and connections of their own for what blocks. A task behind it
//! watches the connection, finds the server again when it was lost, follows Sentinel's fail-overs and looks at every
//! server that it meets for settings under which records are lost.
//!
//! A command that fails for want of a server fails with [`RedisError::Unavailable`] and is never repeated behind the
//! caller's back: only the caller knows what may run twice. [`Redis::patient`] repeats what may.
//!
//! On a cluster the client library itself follows redirections and repeats a command whose connection broke, even where
//! it may have run. What adds something (INCR, XADD) can therefore happen twice there; what must not is better a script
//! that recognises its own traces.

mod args;
mod backoff;
mod client;
mod connect;
mod dedicated;
mod durability;
mod error;
mod health;
mod link;
mod script;
mod sentinel;
mod server;
mod subscription;
mod target;
mod wire;

pub use args::{RedisArgs, Settings};
pub use client::Redis;
pub use dedicated::Dedicated;
pub use durability::Durability;
pub use error::RedisError;
pub use redis;
pub use script::{Call, Script};
pub use server::Server;
pub use subscription::{Message, Subscription};
pub use target::{Host, Kind, Target};
