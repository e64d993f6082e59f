//! The connection's keeper: one task that connects, looks after the connection and finds the server again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};

use crate::backoff::Backoff;
use crate::connect::{self, Connected};
use crate::durability::Settler;
use crate::sentinel::Sentinels;
use crate::server::Server;
use crate::target::{Host, Kind};
use crate::wire::Wire;
use crate::{RedisError, Settings};

/// How often the server is asked whether it is still there.
const PING: Duration = Duration::from_secs(1);
/// Unanswered questions in a row after which the connection counts as lost.
const MISSED: u32 = 2;
const FIRST_WAIT: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// A connection that worked when last looked at.
pub(crate) struct Up {
    pub(crate) wire: Wire,
    pub(crate) settler: Option<Arc<Settler>>,
    pub(crate) servers: Vec<Server>,
    pub(crate) host: Host,
    /// Counts connections.
    pub(crate) generation: u64,
}

/// How it stands.
#[derive(Clone)]
pub(crate) enum State {
    Up(Arc<Up>),
    Away(RedisError),
}

/// A caller met an error on a connection.
pub(crate) struct Trouble {
    pub(crate) generation: u64,
    /// The server must be looked for anew, even if it answers.
    pub(crate) elsewhere: bool,
}

pub(crate) struct Keeper {
    settings: Arc<Settings>,
    sentinels: Option<Sentinels>,
    state: watch::Sender<State>,
    trouble: mpsc::Receiver<Trouble>,
    generation: u64,
}

impl Keeper {
    pub(crate) fn new(settings: Arc<Settings>, state: watch::Sender<State>, trouble: mpsc::Receiver<Trouble>) -> Self {
        let sentinels = match &settings.target.kind {
            Kind::Sentinel { sentinels, master, .. } => Some(Sentinels::new(sentinels.clone(), master.clone())),
            Kind::Single { .. } | Kind::Cluster { .. } => None,
        };
        Self { settings, sentinels, state, trouble, generation: 0 }
    }

    pub(crate) async fn run(mut self) {
        let mut away_since: Option<Instant> = None;
        loop {
            let up = Arc::new(self.come_back().await);
            announce(&up, away_since);
            self.state.send_replace(State::Up(up.clone()));
            let reason = self.look_after(&up).await;
            tracing::warn!(%reason, server = %up.host, "Redis went away");
            away_since = Some(Instant::now());
            self.state.send_replace(State::Away(reason));
        }
    }

    /// Tries until there is a connection.
    async fn come_back(&mut self) -> Up {
        let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
        let mut said = None;
        loop {
            match self.connect().await {
                Ok(Connected { wire, settler, servers, host }) => {
                    self.generation += 1;
                    return Up { wire, settler, servers, host, generation: self.generation };
                }
                Err(error) => {
                    if said.as_ref() != Some(&error) {
                        tracing::warn!(reason = %error, "Redis cannot be reached");
                        said = Some(error.clone());
                    }
                    self.state.send_replace(State::Away(error));
                }
            }
            tokio::time::sleep(backoff.step(chance())).await;
        }
    }

    async fn connect(&mut self) -> Result<Connected, RedisError> {
        match (&self.settings.target.kind, &mut self.sentinels) {
            (_, Some(sentinels)) => sentinels.connect(&self.settings).await,
            (Kind::Single { host, .. }, None) => connect::server(&self.settings, host).await,
            (Kind::Cluster { seeds }, None) => connect::cluster(&self.settings, seeds).await,
            (Kind::Sentinel { .. }, None) => Err(RedisError::misconfigured("no sentinels")),
        }
    }

    /// Returns why the connection is lost.
    async fn look_after(&mut self, up: &Up) -> RedisError {
        let mut ticks = tokio::time::interval_at(Instant::now() + PING, PING);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut missed = 0;
        loop {
            let mut met_trouble = true;
            tokio::select! {
                _ = ticks.tick() => met_trouble = false,
                Some(trouble) = self.trouble.recv() => match trouble {
                    Trouble { generation, .. } if generation != up.generation => continue,
                    Trouble { elsewhere: true, .. } => return RedisError::unavailable("it takes no writes any more"),
                    Trouble { .. } => {}
                },
            }
            match self.check(up, met_trouble).await {
                Ok(()) => missed = 0,
                Err(Lost::Silent) if missed + 1 < MISSED => missed += 1,
                Err(Lost::Silent) => return RedisError::unavailable("no answer in time"),
                Err(Lost::For(reason)) => return reason,
            }
        }
    }

    async fn check(&mut self, up: &Up, met_trouble: bool) -> Result<(), Lost> {
        let mut wire = up.wire.clone();
        if let Wire::Cluster(_) = wire {
            return connect::healthy(&mut wire).await?.map_err(Lost::For);
        }
        wire.send(&redis::cmd("PING")).await?;
        // An answer here may have to wait for another's write to become durable: only asked for with a reason.
        if let Some(settler) = up.settler.as_ref().filter(|_| met_trouble) {
            let ping = redis::cmd("PING");
            let mut connection = settler.connection.clone();
            ping.exec_async(&mut connection).await?;
        }
        let Some(sentinels) = &mut self.sentinels else { return Ok(()) };
        // A master that was replaced while it was cut off still answers; what is written to it is lost. One that only
        // a belated sentinel names is no reason to leave.
        match sentinels.master(&self.settings).await {
            Some(host) if host != up.host && connect::server(&self.settings, &host).await.is_ok() => {
                Err(Lost::For(RedisError::unavailable(format!("the sentinels chose {host}"))))
            }
            _ => Ok(()),
        }
    }
}

/// Why a check failed.
enum Lost {
    /// No answer in time: perhaps it is only slow.
    Silent,
    For(RedisError),
}

impl From<redis::RedisError> for Lost {
    fn from(error: redis::RedisError) -> Self {
        if error.is_timeout() { Self::Silent } else { Self::For(error.into()) }
    }
}

fn announce(up: &Up, away_since: Option<Instant>) {
    let version = up.servers.iter().filter_map(|server| server.version).min();
    let version = version.map(|(major, minor, patch)| format!("{major}.{minor}.{patch}"));
    match away_since {
        None => tracing::info!(server = %up.host, version, "connected to Redis"),
        Some(since) => {
            let away_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
            tracing::info!(server = %up.host, version, away_ms, "Redis is back");
        }
    }
    let warnings: std::collections::BTreeSet<String> = up.servers.iter().flat_map(Server::warnings).collect();
    for warning in warnings {
        tracing::warn!(server = %up.host, "{warning}");
    }
}

/// A number from 0 to 1 for jitter; its quality does not matter.
pub(crate) fn chance() -> f64 {
    let nanos = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().subsec_nanos();
    f64::from(nanos % 10_007) / 10_007.0
}
