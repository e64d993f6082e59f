//! Published messages.

use std::time::Duration;

use futures::StreamExt;
use redis::aio::{PubSub, PubSubSink, PubSubStream};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::RedisError;
use crate::dedicated::replaced;
use crate::link::State;

/// How often a silent connection is asked whether it is still there.
const PING: Duration = Duration::from_secs(2);

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The channel.
    pub channel: String,
    /// What was published.
    pub payload: Vec<u8>,
}

/// A connection that listens. What is published while it is away is lost: after an error take a new one, subscribe
/// again, and then read anew what the messages would have told.
pub struct Subscription {
    sink: PubSubSink,
    stream: PubSubStream,
    limit: Duration,
    next_ping: Instant,
    state: watch::Receiver<State>,
    generation: u64,
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription").field("generation", &self.generation).finish_non_exhaustive()
    }
}

impl Subscription {
    pub(crate) fn new(pubsub: PubSub, limit: Duration, state: watch::Receiver<State>, generation: u64) -> Self {
        let (sink, stream) = pubsub.split();
        Self { sink, stream, limit, next_ping: Instant::now() + PING, state, generation }
    }

    /// Listens to these channels too. When it returns, the server has confirmed it.
    ///
    /// # Errors
    /// When the connection is of no use any more.
    pub async fn add(&mut self, channels: &[String]) -> Result<(), RedisError> {
        confirmed(self.limit, self.sink.subscribe(channels)).await
    }

    /// Listens no longer to these channels.
    ///
    /// # Errors
    /// When the connection is of no use any more.
    pub async fn remove(&mut self, channels: &[String]) -> Result<(), RedisError> {
        confirmed(self.limit, self.sink.unsubscribe(channels)).await
    }

    /// The next message. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// When the connection is of no use any more.
    pub async fn next(&mut self) -> Result<Message, RedisError> {
        loop {
            tokio::select! {
                biased;
                message = self.stream.next() => {
                    let message = message.ok_or_else(|| RedisError::unavailable("the connection was closed"))?;
                    self.next_ping = Instant::now() + PING;
                    let channel = message.get_channel_name().to_owned();
                    return Ok(Message { channel, payload: message.get_payload_bytes().to_vec() });
                }
                () = tokio::time::sleep_until(self.next_ping) => {
                    confirmed(self.limit, self.sink.ping::<redis::Value>()).await?;
                    self.next_ping = Instant::now() + PING;
                }
                reason = replaced(&mut self.state, self.generation) => return Err(reason),
            }
        }
    }
}

async fn confirmed<T>(limit: Duration, request: impl Future<Output = redis::RedisResult<T>>) -> Result<(), RedisError> {
    match tokio::time::timeout(limit, request).await {
        Ok(answer) => Ok(answer.map(|_| ())?),
        Err(_) => Err(RedisError::unavailable("no answer in time")),
    }
}
