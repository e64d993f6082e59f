//! A connection for one blocking reader.

use std::time::Duration;

use redis::{Cmd, FromRedisValue};
use tokio::sync::watch;

use crate::RedisError;
use crate::link::State;
use crate::wire::Wire;

/// A connection of its own, on which a command may block for long. After an error take a new one.
pub struct Dedicated {
    wire: Wire,
    margin: Duration,
    state: watch::Receiver<State>,
    generation: u64,
}

impl std::fmt::Debug for Dedicated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dedicated").field("generation", &self.generation).finish_non_exhaustive()
    }
}

impl Dedicated {
    pub(crate) fn new(wire: Wire, margin: Duration, state: watch::Receiver<State>, generation: u64) -> Self {
        Self { wire, margin, state, generation }
    }

    /// Runs a command that blocks for `blocks` at most (as its own arguments say).
    ///
    /// # Errors
    /// [`RedisError::Unavailable`] also when the server has been lost or replaced in the meantime.
    pub async fn run<T: FromRedisValue>(&mut self, command: &Cmd, blocks: Duration) -> Result<T, RedisError> {
        let (generation, limit) = (self.generation, blocks + self.margin);
        tokio::select! {
            // Polled in order: what has arrived is not thrown away for news about the connection.
            biased;
            answer = tokio::time::timeout(limit, self.wire.send(command)) => match answer {
                Ok(value) => Ok(redis::from_redis_value(value?)?),
                Err(_) => Err(RedisError::unavailable("no answer in time")),
            },
            reason = replaced(&mut self.state, generation) => Err(reason),
        }
    }
}

/// Returns when this connection is no longer the present one.
pub(crate) async fn replaced(state: &mut watch::Receiver<State>, generation: u64) -> RedisError {
    let other = state.wait_for(|state| match state {
        State::Up(up) => up.generation != generation,
        State::Away(_) => true,
    });
    match other.await.as_deref() {
        Ok(State::Away(reason)) => reason.clone(),
        Ok(State::Up(_)) | Err(_) => RedisError::unavailable("the connection was replaced"),
    }
}
