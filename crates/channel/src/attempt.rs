//! One attempt at one endpoint: what it teaches about the endpoint, however it ends.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;
use tonic::Code;

use crate::connection::Sender;
use crate::endpoint::{Endpoint, Link};
use crate::load::Answer;
use crate::pool::Pool;

/// An attempt that has an endpoint and a connection to it.
pub struct Boarded {
    /// The attempt.
    pub attempt: Attempt,
    /// Where to send the request.
    pub sender: Sender,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// No answer yet.
    Waiting,
    /// No answer yet, and it was held against the endpoint.
    Stalled,
    /// The response's headers have come.
    Answering,
    /// Nothing more is to be learned.
    Done,
}

/// Counts as outstanding until it is dropped. Dropped without an answer, it was given up.
pub struct Attempt {
    pool: Arc<Pool>,
    endpoint: Arc<Endpoint>,
    started: Instant,
    trial: bool,
    /// After this time without an answer the endpoint is suspect.
    patience: Option<Duration>,
    stage: Stage,
}

impl Attempt {
    /// Begins, if the endpoint is connected, and if it is not on trial already where this is a trial.
    pub fn begin(pool: &Arc<Pool>, endpoint: &Arc<Endpoint>, trial: bool) -> Option<Boarded> {
        let mut state = endpoint.state.lock();
        let sender = match &state.link {
            Link::Ready(sender) if !sender.is_closed() => sender.clone(),
            Link::Ready(_) | Link::Connecting { .. } => return None,
        };
        if trial && !state.health.begin_trial() {
            return None;
        }
        drop(state);
        endpoint.outstanding.fetch_add(1, Ordering::Relaxed);
        let attempt = Self {
            pool: Arc::clone(pool),
            endpoint: Arc::clone(endpoint),
            started: Instant::now(),
            trial,
            patience: None,
            stage: Stage::Waiting,
        };
        Some(Boarded { attempt, sender })
    }

    /// The endpoint.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Sets the time after which the endpoint is suspect; gives the moment.
    pub fn be_patient(&mut self, patience: Duration) -> Instant {
        self.patience = Some(patience);
        self.started + patience
    }

    /// The headers of a response have come that is not over yet.
    pub fn answering(&mut self) {
        let now = Instant::now();
        let mut state = self.endpoint.state.lock();
        state.progress = Some(now);
        state.load.answered(now, now - self.started, Answer::Good);
        self.stage = Stage::Answering;
        // A stream may go on for long; that it was begun is proof enough.
        let back = self.trial && state.health.good(now, true);
        drop(state);
        self.trial = false;
        if back {
            self.pool.changed();
        }
    }

    /// It is over, with this code.
    pub fn ended(&mut self, code: Code) {
        let now = Instant::now();
        let (life, answer) = verdict(code);
        let mut state = self.endpoint.state.lock();
        if self.stage != Stage::Answering || answer == Answer::Poor {
            state.load.answered(now, now - self.started, answer);
        }
        self.stage = Stage::Done;
        match life {
            Life::Well => {
                state.progress = Some(now);
                let back = state.health.good(now, std::mem::take(&mut self.trial));
                drop(state);
                if back {
                    self.pool.changed();
                }
            }
            // A trial must end one way or the other.
            Life::Unclear if !self.trial => {}
            Life::Unclear | Life::Unwell => {
                drop(state);
                self.held_against();
            }
        }
    }

    /// The connection broke, or the attempt was not begun; says whether the endpoint is to blame.
    pub fn came_to_nothing(&mut self, to_blame: bool) {
        self.stage = Stage::Done;
        if to_blame {
            let now = Instant::now();
            self.endpoint.state.lock().load.answered(now, now - self.started, Answer::Poor);
            self.held_against();
        }
    }

    /// It stays without an answer for too long. An endpoint that answered anybody since is slow, not dead.
    pub fn stalled(&mut self) {
        if self.stage != Stage::Waiting {
            return;
        }
        self.stage = Stage::Stalled;
        let now = Instant::now();
        let mut state = self.endpoint.state.lock();
        state.load.abandoned(now, now - self.started);
        let silent = state.progress.is_none_or(|progress| progress <= self.started);
        drop(state);
        if silent {
            self.held_against();
        }
    }

    fn held_against(&mut self) {
        self.pool.failed(&self.endpoint, std::mem::take(&mut self.trial));
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if self.stage == Stage::Waiting {
            let elapsed = self.started.elapsed();
            if self.patience.is_some_and(|patience| elapsed >= patience) {
                self.stalled();
            } else {
                self.endpoint.state.lock().load.abandoned(Instant::now(), elapsed);
            }
        }
        if self.trial {
            self.endpoint.state.lock().health.abandon_trial(Instant::now());
        }
        self.endpoint.outstanding.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What an answer says about the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Well,
    /// It may be the endpoint, or a caller in a hurry; [`Attempt::stalled`] tells them apart.
    Unclear,
    Unwell,
}

/// Whether an endpoint that answers so is well, and whether it is any good.
fn verdict(code: Code) -> (Life, Answer) {
    match code {
        Code::Unavailable => (Life::Unwell, Answer::Poor),
        Code::DeadlineExceeded => (Life::Unclear, Answer::Poor),
        Code::ResourceExhausted | Code::Internal | Code::Unknown | Code::DataLoss => (Life::Well, Answer::Poor),
        Code::Ok
        | Code::Cancelled
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Unauthenticated => (Life::Well, Answer::Good),
    }
}
