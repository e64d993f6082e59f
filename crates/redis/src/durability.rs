//! How much must have happened before a write counts as acknowledged.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tokio::sync::Mutex;

use crate::RedisError;
use crate::server::Server;

/// When a durable write is done (`--redis-durability`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// When the master has it in memory. A crash or a fail-over loses what was not yet on disk or at a replica.
    #[default]
    None,
    /// When the master has it on disk: by `appendfsync always`, or by WAITAOF (Redis 7.2 and later).
    Fsync,
    /// When so many replicas have it in memory (WAIT).
    Replicas(u32),
}

impl FromStr for Durability {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            "fsync" => Ok(Self::Fsync),
            other => match other.strip_prefix("replicas=").and_then(|count| count.parse().ok()) {
                Some(count) if count > 0 => Ok(Self::Replicas(count)),
                _ => Err("expected none, fsync or replicas=N".into()),
            },
        }
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Fsync => f.write_str("fsync"),
            Self::Replicas(count) => write!(f, "replicas={count}"),
        }
    }
}

/// What is sent after a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// WAITAOF 1 0.
    Aof,
    /// WAIT with so many replicas.
    Replicas(u32),
}

impl Durability {
    /// Longest time for a write to become durable. A server that syncs once a second needs up to two.
    pub(crate) fn limit(self) -> Duration {
        match self {
            Self::None => Duration::ZERO,
            Self::Fsync => Duration::from_millis(2500),
            Self::Replicas(_) => Duration::from_secs(1),
        }
    }

    /// What must be sent after each write to these servers; nothing where an answer alone says enough.
    ///
    /// # Errors
    /// When the servers cannot give what is asked: a setting that does nothing would be a lie.
    pub(crate) fn plan(self, servers: &[Server], cluster: bool) -> Result<Option<Wait>, RedisError> {
        let refuse = |reason: &str| Err(RedisError::misconfigured(format!("--redis-durability {self}: {reason}")));
        match self {
            Self::None => Ok(None),
            Self::Fsync if servers.iter().all(Server::syncs_always) => Ok(None),
            Self::Fsync if servers.iter().any(|server| server.append_only == Some(false)) => {
                refuse("the server writes no append-only file (appendonly no)")
            }
            _ if cluster => refuse("on a cluster only fsync with appendfsync always is supported"),
            Self::Fsync if !servers.iter().all(Server::knows_waitaof) => {
                refuse("needs Redis 7.2 or later, or appendfsync always")
            }
            Self::Fsync => Ok(Some(Wait::Aof)),
            Self::Replicas(count) => Ok(Some(Wait::Replicas(count))),
        }
    }
}

/// The connection for durable writes, apart from the one for everything else: waiting blocks a connection.
///
/// Writers share waits: one that begins after a write was answered covers it, whoever asked for it.
#[derive(Debug)]
pub(crate) struct Settler {
    pub(crate) connection: MultiplexedConnection,
    wait: Wait,
    limit: Duration,
    /// Waits begun so far.
    begun: AtomicU64,
    /// Number and outcome of the last wait that ended. Its lock is the right to wait.
    last: Mutex<(u64, Result<(), RedisError>)>,
}

impl Settler {
    pub(crate) fn new(connection: MultiplexedConnection, wait: Wait, limit: Duration) -> Self {
        Self { connection, wait, limit, begun: AtomicU64::new(0), last: Mutex::new((0, Ok(()))) }
    }

    /// Returns when what was answered on this connection before is durable.
    pub(crate) async fn settle(&self) -> Result<(), RedisError> {
        let before = self.begun.load(Ordering::SeqCst);
        let mut last = self.last.lock().await;
        if last.0 > before {
            return last.1.clone();
        }
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let outcome = self.ask().await;
        *last = (number, outcome.clone());
        outcome
    }

    async fn ask(&self) -> Result<(), RedisError> {
        let mut connection = self.connection.clone();
        let limit_ms = u64::try_from(self.limit.as_millis()).unwrap_or(u64::MAX);
        let (wanted, reached) = match self.wait {
            Wait::Aof => {
                let command = redis::cmd("WAITAOF").arg(1).arg(0).arg(limit_ms).to_owned();
                let (local, _): (u32, u32) = command.query_async(&mut connection).await?;
                (1, local)
            }
            Wait::Replicas(count) => {
                let command = redis::cmd("WAIT").arg(count).arg(limit_ms).to_owned();
                (count, command.query_async(&mut connection).await?)
            }
        };
        if reached >= wanted {
            return Ok(());
        }
        Err(RedisError::unavailable(match self.wait {
            Wait::Aof => "the write was not on disk in time".to_owned(),
            Wait::Replicas(_) => format!("the write reached {reached} of {wanted} replicas in time"),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(version: &str, append_only: bool, fsync: &str) -> Server {
        Server {
            version: Server::parse_version(version),
            append_only: Some(append_only),
            append_fsync: Some(fsync.into()),
            eviction: None,
        }
    }

    #[test]
    fn a_durability_is_read_as_it_is_written() {
        for text in ["none", "fsync", "replicas=2"] {
            assert_eq!(text.parse::<Durability>().map(|d| d.to_string()), Ok(text.to_owned()));
        }
        for bad in ["", "always", "replicas=0", "replicas", "replicas=-1"] {
            assert!(bad.parse::<Durability>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_a_server_cannot_give_is_refused() {
        let plan = |durability: Durability, server: Server, cluster| durability.plan(&[server], cluster);
        assert_eq!(plan(Durability::Fsync, server("7.0.15", true, "always"), true), Ok(None));
        assert_eq!(plan(Durability::Fsync, server("7.2.0", true, "everysec"), false), Ok(Some(Wait::Aof)));
        assert_eq!(plan(Durability::Replicas(2), server("7.0.15", false, "no"), false), Ok(Some(Wait::Replicas(2))));
        for (server, cluster) in [
            (server("7.0.15", true, "everysec"), false),
            (server("7.2.0", false, "always"), false),
            (server("7.2.0", true, "everysec"), true),
        ] {
            assert!(matches!(plan(Durability::Fsync, server, cluster), Err(RedisError::Misconfigured(_))));
        }
    }
}
