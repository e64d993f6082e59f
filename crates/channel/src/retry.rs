//! Whether a failed attempt is made again. Pure: what was spent and what is left is passed in.

use std::time::Duration;

use crate::backoff::Backoff;
use crate::budget::BudgetRules;
use crate::pushback::Pushback;

/// No call makes more attempts, whatever the settings say.
pub const MOST_ATTEMPTS: u32 = 3;

/// When and how often calls are made again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryRules {
    /// Attempts of one call, the first included: 1 to 3.
    pub attempts: u32,
    /// Wait before a second and third attempt.
    pub backoff: Backoff,
    /// How many retries the whole channel may make.
    pub budget: BudgetRules,
    /// Requests up to this many bytes are kept to be sent again.
    pub max_request: usize,
    /// An attempt that has used up this share of the time left is no longer trusted alone: a repeatable call is sent to
    /// another endpoint as well, and the first answer wins. The slow attempt goes on, because slow is not dead.
    pub patience: f64,
    /// No attempt is distrusted sooner.
    pub min_patience: Duration,
}

impl Default for RetryRules {
    fn default() -> Self {
        Self {
            attempts: MOST_ATTEMPTS,
            backoff: Backoff { base: Duration::from_millis(25), cap: Duration::from_millis(250) },
            budget: BudgetRules::default(),
            max_request: 256 << 10,
            patience: 0.4,
            min_patience: Duration::from_millis(100),
        }
    }
}

impl RetryRules {
    /// How long an attempt may stay without an answer before it is distrusted, given the time left to its call.
    pub fn patience(&self, left: Duration) -> Duration {
        left.mul_f64(self.patience.clamp(0.0, 1.0)).max(self.min_patience)
    }
}

/// Why an attempt came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The server said that it has not begun: GOAWAY or REFUSED_STREAM.
    Refused,
    /// It was sent, and then the connection broke. The server may have done it.
    Broken,
    /// It was answered UNAVAILABLE.
    Unavailable(Pushback),
    /// It was answered RESOURCE_EXHAUSTED.
    Exhausted(Pushback),
}

/// What there is to know about the call.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Attempts made, this one included.
    pub made: u32,
    /// Doing it twice does no harm.
    pub idempotent: bool,
    /// The request was kept.
    pub replayable: bool,
    /// A refused attempt of this call was made again already.
    pub refused_before: bool,
    /// Time left; None without a deadline.
    pub left: Option<Duration>,
}

/// What to do about a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The failure is the answer.
    Stop,
    /// Try again after a while.
    Again {
        /// The wait.
        after: Duration,
        /// Whether the budget must pay for it. A refused attempt cost the server nothing, so the first is free.
        paid: bool,
        /// Whether the server itself said when.
        asked: bool,
    },
}

/// Decides. `unit` from 0 to 1 is the jitter.
pub fn decide(cause: Cause, facts: &Facts, rules: &RetryRules, unit: f64) -> Decision {
    if facts.made >= rules.attempts.min(MOST_ATTEMPTS) || !facts.replayable {
        return Decision::Stop;
    }
    let jittered = rules.backoff.full_jitter(facts.made.saturating_sub(1), unit);
    let (after, paid, asked) = match cause {
        Cause::Refused if facts.refused_before => (jittered, true, false),
        Cause::Refused => (Duration::ZERO, false, false),
        _ if !facts.idempotent => return Decision::Stop,
        Cause::Broken | Cause::Unavailable(Pushback::Unsaid) => (jittered, true, false),
        // Not before the time asked for, and not all at once.
        Cause::Unavailable(Pushback::After(wait)) | Cause::Exhausted(Pushback::After(wait)) => {
            (wait.saturating_add(jittered), true, true)
        }
        Cause::Unavailable(Pushback::Never) | Cause::Exhausted(_) => return Decision::Stop,
    };
    if facts.left.is_some_and(|left| after >= left) {
        return Decision::Stop;
    }
    Decision::Again { after, paid, asked }
}

#[cfg(test)]
#[path = "retry_tests.rs"]
mod tests;
