//! What happened: every call is entered once, and memory does not grow with their number.
//!
//! Good answers alone make latencies: a refusal is quick and would flatter them, a failure has no answer. Both are
//! counted, sheds (RESOURCE_EXHAUSTED) apart from failures. What was due in the warm-up is left out of everything.

mod hist;
mod slices;
mod tally;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tonic::Code;

use crate::agent::Method;
use crate::slo::{Measure, Point};
pub use hist::Times;
pub use slices::{Slice, Slices};
pub use tally::Tally;

/// Labels of instances, degradations and the like that are told apart; what comes later counts as [`OTHERS`].
const MOST_LABELS: usize = 256;
/// The label of everything beyond [`MOST_LABELS`].
pub const OTHERS: &str = "others";
/// The code of an answer that came in time but did not hold what it must.
pub const MALFORMED: &str = "MALFORMED";

/// One call. Times count from the start of the run.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Position of its method.
    pub method: usize,
    /// When it was to be sent.
    pub due: Duration,
    /// When it was sent.
    pub sent: Duration,
    /// When the first item of a stream came.
    pub first: Option<Duration>,
    /// When its answer was complete.
    pub done: Duration,
    /// How it ended.
    pub code: Code,
    /// It ended well, but the answer did not hold what it must.
    pub malformed: bool,
    /// Who answered.
    pub instance: Arc<str>,
    /// What was done with less than usual, as `agent: reason`.
    pub degraded: Vec<String>,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// With a good answer.
    Ok,
    /// It was shed: the server said that it has too much to do.
    Shed,
    /// In any other way.
    Failed,
}

impl Sample {
    /// How it ended.
    pub fn outcome(&self) -> Outcome {
        match self.code {
            Code::Ok if !self.malformed => Outcome::Ok,
            Code::ResourceExhausted => Outcome::Shed,
            _ => Outcome::Failed,
        }
    }
}

/// The part of a run that counts, and what is late in it.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// Calls due before this do not count.
    pub from: Duration,
    /// The planned end.
    pub to: Duration,
    /// A call sent later than this after its due time is late.
    pub late_after: Duration,
}

/// What is known of one instance.
#[derive(Debug, Clone)]
pub struct InstanceTally {
    /// Good answers.
    pub ok: u64,
    /// Shed.
    pub shed: u64,
    /// Failed.
    pub failed: u64,
    /// Good answers of the headline methods, from the moment of sending; two digits.
    pub service: Times,
}

/// How late the generator was.
#[derive(Debug, Clone, Default)]
pub struct Lag {
    /// From due time to sending.
    pub times: Times,
    /// Sent later than the limit, or never.
    pub late: u64,
}

/// What has happened since the last look, for the progress display.
#[derive(Debug, Clone, Default)]
pub struct Recent {
    /// Good answers of the headline methods, from the intended send time.
    pub latency: Times,
    /// Good answers of all methods.
    pub ok: u64,
}

/// Takes in samples.
#[derive(Debug)]
pub struct Recorder {
    methods: &'static [Method],
    window: Window,
    tallies: Vec<Tally>,
    instances: BTreeMap<Arc<str>, InstanceTally>,
    degraded: BTreeMap<String, u64>,
    lag: Lag,
    slices: Slices,
    recent: Recent,
}

impl Recorder {
    /// An empty one for the methods of an agent.
    pub fn new(methods: &'static [Method], window: Window) -> Self {
        let tallies = methods.iter().map(|_| Tally::default()).collect();
        Self {
            methods,
            window,
            tallies,
            instances: BTreeMap::new(),
            degraded: BTreeMap::new(),
            lag: Lag::default(),
            slices: Slices::new(window.to.saturating_sub(window.from)),
            recent: Recent::default(),
        }
    }

    /// Enters a call that has ended.
    pub fn enter(&mut self, sample: &Sample) {
        let headline = self.methods.get(sample.method).is_some_and(|method| method.headline);
        let outcome = sample.outcome();
        if outcome == Outcome::Ok {
            self.recent.ok += 1;
            if headline {
                self.recent.latency.record(sample.done.saturating_sub(sample.due));
            }
        }
        if sample.due < self.window.from {
            return;
        }
        let in_time = sample.done <= self.window.to;
        if let Some(tally) = self.tallies.get_mut(sample.method) {
            tally.enter(sample, in_time);
        }
        self.sent(sample.sent.saturating_sub(sample.due));
        self.instance(sample, outcome, headline);
        for label in &sample.degraded {
            count(&mut self.degraded, label);
        }
        self.slices.enter(sample, sample.done.saturating_sub(self.window.from), headline);
    }

    /// Enters a call that was due and could not be sent.
    pub fn refuse(&mut self, method: usize, due: Duration) {
        if due < self.window.from {
            return;
        }
        if let Some(tally) = self.tallies.get_mut(method) {
            tally.refused += 1;
        }
        self.lag.late += 1;
        self.slices.refuse(due.saturating_sub(self.window.from));
    }

    fn sent(&mut self, lag: Duration) {
        self.lag.times.record(lag);
        self.lag.late += u64::from(lag > self.window.late_after);
    }

    fn instance(&mut self, sample: &Sample, outcome: Outcome, headline: bool) {
        let room = self.instances.len() < MOST_LABELS || self.instances.contains_key(&sample.instance);
        let name = if room { sample.instance.clone() } else { Arc::from(OTHERS) };
        let fresh = || InstanceTally { ok: 0, shed: 0, failed: 0, service: Times::with_digits(2) };
        let tally = self.instances.entry(name).or_insert_with(fresh);
        match outcome {
            Outcome::Ok => {
                tally.ok += 1;
                if headline {
                    tally.service.record(sample.done.saturating_sub(sample.sent));
                }
            }
            Outcome::Shed => tally.shed += 1,
            Outcome::Failed => tally.failed += 1,
        }
    }

    /// What has happened since this was last called.
    pub fn take_recent(&mut self) -> Recent {
        std::mem::take(&mut self.recent)
    }

    /// Intended, good, shed, failed (with those never sent), so far.
    pub fn counts(&self) -> [u64; 4] {
        self.tallies.iter().fold([0; 4], |[all, ok, shed, failed], tally| {
            [all + tally.intended(), ok + tally.ok, shed + tally.shed, failed + tally.failed + tally.refused]
        })
    }

    /// Everything, when the run is over; `measured` is how long it was measured.
    pub fn finish(self, measured: Duration) -> Recorded {
        let mut total = Tally::default();
        for (tally, method) in self.tallies.iter().zip(self.methods) {
            total.add(tally, method.headline);
        }
        Recorded {
            methods: self.methods,
            measured,
            total,
            tallies: self.tallies,
            instances: self.instances,
            degraded: self.degraded,
            lag: self.lag,
            slice: self.slices.length(),
            slices: self.slices.finish(measured),
        }
    }
}

/// A finished record.
#[derive(Debug)]
pub struct Recorded {
    /// The methods of the agent.
    pub methods: &'static [Method],
    /// How long it was measured.
    pub measured: Duration,
    /// All methods; latencies of the headline methods only.
    pub total: Tally,
    /// Each method.
    pub tallies: Vec<Tally>,
    /// Each instance.
    pub instances: BTreeMap<Arc<str>, InstanceTally>,
    /// What was done with less than usual.
    pub degraded: BTreeMap<String, u64>,
    /// How late the generator was.
    pub lag: Lag,
    /// Length of a slice.
    pub slice: Duration,
    /// The run in slices of time.
    pub slices: Vec<Slice>,
}

impl Recorded {
    /// A measurement of one method or of all; `None` for a method that there is not.
    pub fn measure(&self, method: Option<&str>, measure: Measure) -> Option<f64> {
        let seconds = self.measured.as_secs_f64();
        match method {
            None => self.total.measure(measure, seconds),
            Some(name) => {
                let at = self.methods.iter().position(|method| method.name == name)?;
                self.tallies.get(at)?.measure(measure, seconds)
            }
        }
    }

    /// The 99th percentile of how late calls were sent, in milliseconds, and the share that was late or never sent.
    pub fn lag(&self) -> (f64, f64) {
        let p99 = self.lag.times.at(Point::Quantile(0.99)).unwrap_or_default();
        (p99, self.lag.late as f64 / self.total.intended().max(1) as f64)
    }
}

/// One more of a label.
pub fn count(counts: &mut BTreeMap<String, u64>, label: &str) {
    let label = if counts.len() < MOST_LABELS || counts.contains_key(label) { label } else { OTHERS };
    *counts.entry(label.to_owned()).or_default() += 1;
}

/// The name of a status code as the contracts write it.
pub fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
