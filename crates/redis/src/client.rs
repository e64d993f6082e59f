//! The handle.

use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, ErrorKind, FromRedisValue, ServerErrorKind, Value};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use wenzhen_service::health::Dependency;

use crate::backoff::Backoff;
use crate::error::elsewhere;
use crate::link::{Keeper, State, Trouble, Up};
use crate::wire::Wire;
use crate::{Call, Dedicated, RedisError, Server, Settings, Subscription};

/// Reports of trouble that may wait for the keeper; further ones say nothing new.
const TROUBLES: usize = 16;
/// First and longest pause between the attempts of [`Redis::patient`].
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(200));

/// Redis. Cheap to clone; the connection is given up with the last clone.
#[derive(Clone)]
pub struct Redis {
    settings: Arc<Settings>,
    state: watch::Receiver<State>,
    trouble: mpsc::Sender<Trouble>,
    stop: CancellationToken,
    _guard: Arc<DropGuard>,
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").field("target", &self.settings.target).finish_non_exhaustive()
    }
}

impl Redis {
    /// Begins to connect and returns at once; until there is a connection, everything is unavailable.
    /// Needs a tokio runtime.
    pub fn start(settings: Settings) -> Self {
        wenzhen_service::install_crypto();
        let settings = Arc::new(settings);
        let (sender, state) = watch::channel(State::Away(RedisError::unavailable("starting")));
        let (trouble, troubles) = mpsc::channel(TROUBLES);
        let stop = CancellationToken::new();
        let keeper = Keeper::new(settings.clone(), sender, troubles);
        let (until, guard) = (stop.clone(), Arc::new(stop.clone().drop_guard()));
        tokio::spawn(async move { until.run_until_cancelled_owned(keeper.run()).await });
        Self { settings, state, trouble, stop, _guard: guard }
    }

    /// Connects; tries for `patience` while nobody answers, once at least.
    ///
    /// # Errors
    /// [`RedisError::Misconfigured`] at once, [`RedisError::Unavailable`] when the patience is over.
    pub async fn connect(settings: Settings, patience: Duration) -> Result<Self, RedisError> {
        let redis = Self::start(settings);
        let deadline = Instant::now() + patience;
        let mut state = redis.state.clone();
        loop {
            // The first change is the outcome of the first attempt, which has limits of its own.
            if state.changed().await.is_err() {
                return Err(RedisError::unavailable("stopped"));
            }
            match state.borrow_and_update().clone() {
                State::Up(_) => return Ok(redis),
                State::Away(error) if !error.is_unavailable() || Instant::now() >= deadline => return Err(error),
                State::Away(_) => {}
            }
        }
    }

    /// Tells readiness how Redis stands, from now on. An absence shorter than two seconds is passed over.
    pub fn report_to(&self, dependency: Dependency) {
        let (state, stop) = (self.state.clone(), self.stop.clone());
        tokio::spawn(async move { stop.run_until_cancelled_owned(crate::health::report(state, dependency)).await });
    }

    /// Longest time that [`Redis::run_durably`] and [`Redis::script_durably`] may take beyond an answer.
    pub fn settling(&self) -> Duration {
        // One's own wait, and before it another's that began too early.
        2 * self.settings.durability.limit()
    }

    /// What is known of the servers now: one, or a cluster's masters; none while Redis is away.
    pub fn servers(&self) -> Vec<Server> {
        self.up().map(|up| up.servers.clone()).unwrap_or_default()
    }

    /// Whether there is a connection.
    ///
    /// # Errors
    /// Why there is none.
    pub fn check(&self) -> Result<(), RedisError> {
        self.up().map(|_| ())
    }

    /// Runs a command. On a cluster it goes to the server that holds its keys.
    ///
    /// # Errors
    /// [`RedisError::Unavailable`] at once while Redis is away, or after the response timeout; the command may then
    /// have run all the same.
    pub async fn run<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        let up = self.up()?;
        let value = self.send(&up, up.wire.clone(), command).await?;
        Ok(redis::from_redis_value(value)?)
    }

    /// Runs a command; its writes are as durable as `--redis-durability` asks when this returns.
    ///
    /// # Errors
    /// As [`Redis::run`]; also when the write is not durable in time. It may be there nevertheless.
    pub async fn run_durably<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        self.durably(async |up, wire| self.send(up, wire, command).await).await
    }

    /// Runs a script.
    ///
    /// # Errors
    /// As [`Redis::run`].
    pub async fn script<T: FromRedisValue>(&self, call: &Call<'_>) -> Result<T, RedisError> {
        let up = self.up()?;
        let value = self.invoke(&up, up.wire.clone(), call).await?;
        Ok(redis::from_redis_value(value)?)
    }

    /// Runs a script; its writes are as durable as `--redis-durability` asks when this returns. A repetition must
    /// write something too, or it does not wait for what it repeats.
    ///
    /// # Errors
    /// As [`Redis::run_durably`].
    pub async fn script_durably<T: FromRedisValue>(&self, call: &Call<'_>) -> Result<T, RedisError> {
        self.durably(async |up, wire| self.invoke(up, wire, call).await).await
    }

    /// A connection for a blocking reader (XREAD BLOCK, BLPOP).
    ///
    /// # Errors
    /// [`RedisError::Unavailable`] while Redis is away.
    pub async fn dedicated(&self) -> Result<Dedicated, RedisError> {
        let up = self.up()?;
        let wire = crate::connect::blocking(&self.settings, &up.host).await?;
        Ok(Dedicated::new(wire, self.settings.response_timeout, self.state.clone(), up.generation))
    }

    /// A connection for subscriptions. On a cluster it is one to any of the servers, since each publishes everything.
    ///
    /// # Errors
    /// [`RedisError::Unavailable`] while Redis is away.
    pub async fn subscribe(&self) -> Result<Subscription, RedisError> {
        let up = self.up()?;
        let pubsub = crate::connect::pubsub(&self.settings, &up.host).await?;
        Ok(Subscription::new(pubsub, self.settings.response_timeout, self.state.clone(), up.generation))
    }

    /// Waits until there is a connection.
    ///
    /// # Errors
    /// Why there is none, when the time is over.
    pub async fn available(&self, within: Duration) -> Result<(), RedisError> {
        let mut state = self.state.clone();
        let up = state.wait_for(|state| matches!(state, State::Up(_)));
        match tokio::time::timeout(within, up).await {
            Ok(Ok(_)) => Ok(()),
            _ => self.check(),
        }
    }

    /// Repeats what may run twice while Redis is unavailable, `within` a time in all. An attempt is told its number,
    /// from 0; one that is under way when the time is over is dropped.
    ///
    /// # Errors
    /// The last attempt's.
    pub async fn patient<T, F>(&self, within: Duration, mut attempt: impl FnMut(u32) -> F) -> Result<T, RedisError>
    where
        F: Future<Output = Result<T, RedisError>>,
    {
        let deadline = Instant::now() + within;
        let mut backoff = Backoff::new(PAUSES.0, PAUSES.1);
        let mut last = RedisError::unavailable("no answer in time");
        for number in 0.. {
            match tokio::time::timeout_at(deadline, attempt(number)).await {
                Ok(Err(error)) if error.is_unavailable() => last = error,
                Ok(outcome) => return outcome,
                Err(_) => break,
            }
            let pause = backoff.step(crate::link::chance());
            tokio::time::sleep_until(deadline.min(Instant::now() + pause)).await;
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.available(left).await.is_err() {
                break;
            }
        }
        Err(last)
    }

    fn up(&self) -> Result<Arc<Up>, RedisError> {
        match &*self.state.borrow() {
            State::Up(up) => Ok(up.clone()),
            State::Away(error) => Err(error.clone()),
        }
    }

    async fn send(&self, up: &Up, mut wire: Wire, command: &Cmd) -> Result<Value, RedisError> {
        match wire.send(command).await {
            Ok(value) => Ok(value),
            Err(error) => Err(self.note(up, error)),
        }
    }

    async fn invoke(&self, up: &Up, mut wire: Wire, call: &Call<'_>) -> Result<Value, RedisError> {
        match wire.send(call.by_digest()).await {
            Ok(value) => Ok(value),
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                self.send(up, wire, &call.by_text()).await
            }
            Err(error) => Err(self.note(up, error)),
        }
    }

    async fn durably<T: FromRedisValue>(
        &self,
        write: impl AsyncFnOnce(&Up, Wire) -> Result<Value, RedisError>,
    ) -> Result<T, RedisError> {
        let up = self.up()?;
        let value = match &up.settler {
            None => write(&up, up.wire.clone()).await?,
            Some(settler) => {
                let value = write(&up, Wire::One(settler.connection.clone())).await?;
                settler.settle().await.inspect_err(|_| self.tell(&up, false))?;
                value
            }
        };
        Ok(redis::from_redis_value(value)?)
    }

    /// Tells the keeper of an error that may mean that the connection is of no use.
    fn note(&self, up: &Up, error: redis::RedisError) -> RedisError {
        let elsewhere = elsewhere(&error);
        let error = RedisError::from(error);
        if elsewhere || error.is_unavailable() {
            self.tell(up, elsewhere);
        }
        error
    }

    fn tell(&self, up: &Up, elsewhere: bool) {
        // A full queue holds enough reasons to look.
        let _ = self.trouble.try_send(Trouble { generation: up.generation, elsewhere });
    }
}
