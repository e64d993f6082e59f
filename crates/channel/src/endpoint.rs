//! One address: its connection, its health, its load, and the task that keeps it connected.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::connection::{Driver, Sender, Tls, open};
use crate::health::Health;
use crate::load::Load;
use crate::pick::Candidate;
use crate::pool::Pool;
use crate::settings::Settings;

/// A connection that lived shorter than this was hardly worth making: the next is made after a pause.
const SHORT_LIFE: Duration = Duration::from_secs(1);
/// So many short lives in a row are bad luck, such as a restart; calls wait for the next connection. More are a failure.
const SHORT_LIVES: u32 = 3;

/// Whether requests can be sent.
#[derive(Debug)]
pub enum Link {
    /// They cannot; so many tries to connect have failed since they last could.
    Connecting {
        /// Failed tries.
        failures: u32,
    },
    /// They can.
    Ready(Sender),
}

/// What changes about an endpoint.
#[derive(Debug)]
pub struct State {
    /// Its connection.
    pub link: Link,
    /// Whether it may be picked.
    pub health: Health,
    /// Whether it should be.
    pub load: Load,
    /// When it last answered anything.
    pub progress: Option<Instant>,
}

/// An address of a target.
pub struct Endpoint {
    /// Where it is.
    pub address: SocketAddr,
    /// What requests call it.
    pub authority: http::uri::Authority,
    /// The name no longer has this address.
    pub gone: CancellationToken,
    /// Calls that it is busy with, streams until their last frame.
    pub outstanding: AtomicU32,
    /// The rest.
    pub state: Mutex<State>,
    tls: Option<Tls>,
}

impl Endpoint {
    /// Not connected yet.
    pub fn new(
        address: SocketAddr,
        authority: http::uri::Authority,
        tls: Option<Tls>,
        gone: CancellationToken,
        settings: &Settings,
    ) -> Self {
        let now = Instant::now();
        let state = State {
            link: Link::Connecting { failures: 0 },
            health: Health::new(now, &settings.ejection),
            load: Load::new(now),
            progress: None,
        };
        Self { address, authority, gone, outstanding: AtomicU32::new(0), state: Mutex::new(state), tls }
    }

    /// What a pick needs to know; None when it takes no calls.
    pub fn candidate(&self, now: Instant, settings: &Settings) -> Option<Candidate> {
        let state = self.state.lock();
        let ramp = state.health.ramp(now, &settings.ejection)?;
        state.is_connected().then(|| Candidate {
            outstanding: self.outstanding.load(Ordering::Relaxed),
            weight: state.load.weight(now),
            ramp,
        })
    }

    /// Keeps it connected until it is gone.
    pub async fn keep_connected(self: Arc<Self>, pool: Arc<Pool>) {
        let settings = &pool.settings;
        let (mut failures, mut short_lives) = (0_u32, 0_u32);
        loop {
            let opened = tokio::select! {
                biased;
                () = self.gone.cancelled() => break,
                opened = timeout(settings.connect_timeout, open(self.address, self.tls.as_ref(), settings)) => opened,
            };
            let level = match opened {
                Ok(Ok((sender, driver))) => {
                    failures = 0;
                    let Some(lived) = self.serve(&pool, sender, driver).await else { break };
                    short_lives = if lived < SHORT_LIFE { short_lives.saturating_add(1) } else { 0 };
                    self.lost(&pool, if short_lives > SHORT_LIVES { short_lives } else { 0 });
                    // At once, but for a server that ends every connection as soon as it is made.
                    short_lives.checked_sub(2)
                }
                Ok(Err(error)) => self.failed(&pool, &mut failures, error.kind()),
                Err(_) => self.failed(&pool, &mut failures, std::io::ErrorKind::TimedOut),
            };
            let Some(level) = level else { continue };
            tokio::select! {
                biased;
                () = self.gone.cancelled() => break,
                () = sleep(settings.reconnect.about(level, pool.dice.unit())) => {}
            }
        }
        self.state.lock().link = Link::Connecting { failures: u32::MAX };
    }

    /// Takes calls until the connection ends; gives how long it lived. None: the endpoint is gone.
    async fn serve(&self, pool: &Pool, sender: Sender, mut driver: Driver) -> Option<Duration> {
        let since = Instant::now();
        self.state.lock().link = Link::Ready(sender);
        pool.changed();
        tokio::select! {
            biased;
            () = self.gone.cancelled() => {
                self.state.lock().link = Link::Connecting { failures: u32::MAX };
                // Ends as soon as the last call has its response; open streams go on without it.
                tokio::spawn(driver);
                None
            }
            // Why a connection ended makes no difference here; its calls know.
            _ = &mut driver => Some(since.elapsed()),
        }
    }

    fn lost(&self, pool: &Pool, failures: u32) {
        self.state.lock().link = Link::Connecting { failures };
        tracing::debug!(target = pool.target, address = %self.address, "a connection ended");
        pool.changed();
        pool.look_up();
    }

    /// Gives the level of the pause before the next try.
    fn failed(&self, pool: &Pool, failures: &mut u32, kind: std::io::ErrorKind) -> Option<u32> {
        *failures = failures.saturating_add(1);
        self.state.lock().link = Link::Connecting { failures: *failures };
        if *failures == 1 {
            tracing::warn!(target = pool.target, address = %self.address, error = %kind, "an endpoint cannot be reached");
        }
        pool.changed();
        pool.look_up();
        failures.checked_sub(1)
    }
}

impl State {
    /// Whether requests can be sent, as far as is known.
    pub fn is_connected(&self) -> bool {
        matches!(&self.link, Link::Ready(sender) if !sender.is_closed())
    }

    /// Whether a connection is being made, and nothing says yet that it will fail.
    pub fn may_come(&self) -> bool {
        match &self.link {
            Link::Connecting { failures } => *failures == 0,
            // Its task has not yet noticed that the connection ended.
            Link::Ready(sender) => sender.is_closed(),
        }
    }
}
