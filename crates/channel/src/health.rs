//! Whether an endpoint takes calls: ejected after failures, tried again with one call, brought back slowly. A pure state
//! machine; the time and the dice are passed in.

use std::time::Duration;

use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::window::Window;

/// What share of its calls an endpoint takes right after it came back.
const FIRST_SHARE: f64 = 0.1;

/// When an endpoint is ejected, and for how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EjectionRules {
    /// Failures in a row: UNAVAILABLE, broken connections, timeouts. Other codes are the application's affair.
    pub consecutive: u32,
    /// Or this share of failures, 0 to 1, among at least `min_calls` of the recent past.
    pub rate: f64,
    /// Calls below which the share says nothing.
    pub min_calls: u32,
    /// The recent past: between one and two of these.
    pub window: Duration,
    /// How long it stays out: the longer, the more often it fails its trial.
    pub backoff: Backoff,
    /// So many connected endpoints are never ejected: when all look bad, something else is wrong.
    pub keep: usize,
    /// Time over which an endpoint that came back works up to its full share.
    pub slow_start: Duration,
}

impl Default for EjectionRules {
    fn default() -> Self {
        Self {
            consecutive: 5,
            rate: 0.5,
            min_calls: 20,
            window: Duration::from_secs(5),
            backoff: Backoff { base: Duration::from_secs(1), cap: Duration::from_secs(10) },
            keep: 1,
            slow_start: Duration::from_secs(5),
        }
    }
}

/// Where an endpoint stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Takes calls; since the moment given, if it came back.
    In { back: Option<Instant> },
    /// Takes none until then.
    Out { until: Instant },
    /// One call is under way to see whether it is well again.
    Trial,
}

/// Whether a trial may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// With a call that can be repeated.
    Now,
    /// With any call: none that can be repeated came by.
    Overdue,
}

/// The health of one endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Health {
    standing: Standing,
    consecutive: u32,
    window: Window,
    /// Ejections without a lasting recovery between them.
    level: u32,
}

impl Health {
    /// Well, until shown otherwise.
    pub fn new(now: Instant, rules: &EjectionRules) -> Self {
        let window = Window::new(now, rules.window);
        Self { standing: Standing::In { back: None }, consecutive: 0, window, level: 0 }
    }

    /// The share of its calls that it takes, above 0 up to 1; None when it takes none.
    pub fn ramp(&self, now: Instant, rules: &EjectionRules) -> Option<f64> {
        match self.standing {
            Standing::In { back: None } => Some(1.0),
            Standing::In { back: Some(back) } => {
                let whole = rules.slow_start.as_secs_f64().max(1e-9);
                let done = now.saturating_duration_since(back).as_secs_f64() / whole;
                Some(done.clamp(FIRST_SHARE, 1.0))
            }
            Standing::Out { .. } | Standing::Trial => None,
        }
    }

    /// Whether it is out, on trial or not.
    pub fn is_out(&self) -> bool {
        !matches!(self.standing, Standing::In { .. })
    }

    /// Whether it has failed often enough to be ejected, though it may have been kept.
    pub fn looks_bad(&self, now: Instant, rules: &EjectionRules) -> bool {
        let (calls, share) = self.window.failures(now);
        self.is_out() || self.consecutive >= rules.consecutive || (calls >= rules.min_calls && share >= rules.rate)
    }

    /// Whether a trial may begin: its time out is over, and no other trial is under way.
    pub fn due(&self, now: Instant, rules: &EjectionRules) -> Option<Due> {
        match self.standing {
            Standing::Out { until } if now >= until + rules.backoff.base => Some(Due::Overdue),
            Standing::Out { until } if now >= until => Some(Due::Now),
            _ => None,
        }
    }

    /// Begins a trial unless one is under way or it is not out. A trial may come early, when there is nobody else.
    pub fn begin_trial(&mut self) -> bool {
        let out = matches!(self.standing, Standing::Out { .. });
        if out {
            self.standing = Standing::Trial;
        }
        out
    }

    /// The call of the trial was given up by its caller: the next one may try.
    pub fn abandon_trial(&mut self, now: Instant) {
        if self.standing == Standing::Trial {
            self.standing = Standing::Out { until: now };
        }
    }

    /// A call was answered. Only a trial brings an endpoint back: what was sent before it was ejected says nothing new.
    /// Says whether it came back.
    pub fn good(&mut self, now: Instant, trial: bool) -> bool {
        match self.standing {
            Standing::In { .. } => {
                self.consecutive = 0;
                self.window.record(now, true);
                false
            }
            Standing::Trial if trial => {
                self.standing = Standing::In { back: Some(now) };
                self.consecutive = 0;
                self.window = Window::new(now, self.window.length());
                true
            }
            Standing::Trial | Standing::Out { .. } => false,
        }
    }

    /// A call failed. Says whether the endpoint should be ejected.
    pub fn bad(&mut self, now: Instant, trial: bool, rules: &EjectionRules) -> bool {
        match self.standing {
            Standing::In { .. } => {
                self.consecutive = self.consecutive.saturating_add(1);
                self.window.record(now, false);
                self.looks_bad(now, rules)
            }
            Standing::Trial => trial,
            Standing::Out { .. } => false,
        }
    }

    /// Takes it out. `unit` from 0 to 1 is the jitter.
    pub fn eject(&mut self, now: Instant, rules: &EjectionRules, unit: f64) {
        if let Standing::In { back } = self.standing
            && back.is_none_or(|back| now.saturating_duration_since(back) > rules.backoff.cap)
        {
            self.level = 0;
        }
        self.standing = Standing::Out { until: now + rules.backoff.about(self.level, unit) };
        self.level = self.level.saturating_add(1);
        self.consecutive = 0;
    }
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
