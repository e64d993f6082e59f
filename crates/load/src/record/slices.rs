//! A run in slices of time, for curves and for confidence intervals. Slices that are over keep a few numbers each.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Outcome, Sample, Times};
use crate::slo::Point;

/// Slices of a run at most; longer runs have longer slices.
const MOST_SLICES: u64 = 600;

/// A slice of time. Calls belong to the slice in which they ended; those never sent to the one in which they were due.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Slice {
    /// Where it begins, in seconds from the end of the warm-up.
    pub start_s: f64,
    /// Good answers.
    pub ok: u64,
    /// Shed.
    pub shed: u64,
    /// Failed.
    pub failed: u64,
    /// Due, but never sent.
    pub refused: u64,
    /// Median latency of good answers from the intended send time, in milliseconds; unset when there were none.
    pub p50_ms: Option<f64>,
    /// 99th percentile of the same.
    pub p99_ms: Option<f64>,
    /// Maximum of the same.
    pub max_ms: Option<f64>,
    /// Mean of the same.
    pub mean_ms: Option<f64>,
    /// Median from the moment of sending.
    pub service_p50_ms: Option<f64>,
    /// 99th percentile from the moment of sending.
    pub service_p99_ms: Option<f64>,
}

/// Slices in the making.
#[derive(Debug)]
pub struct Slices {
    length: Duration,
    done: Vec<Slice>,
    current: Slice,
    latency: Times,
    service: Times,
}

impl Slices {
    /// Slices of a second, or longer ones where the run is long.
    pub fn new(run: Duration) -> Self {
        let seconds = run.as_secs().div_ceil(MOST_SLICES).max(1);
        Self {
            length: Duration::from_secs(seconds),
            done: Vec::new(),
            current: Slice::default(),
            latency: Times::new(),
            service: Times::new(),
        }
    }

    /// How long a slice is.
    pub fn length(&self) -> Duration {
        self.length
    }

    /// Enters a call that ended `at` after the warm-up.
    pub fn enter(&mut self, sample: &Sample, at: Duration, headline: bool) {
        self.advance(at);
        match sample.outcome() {
            Outcome::Ok => {
                self.current.ok += 1;
                if headline {
                    self.latency.record(sample.done.saturating_sub(sample.due));
                    self.service.record(sample.done.saturating_sub(sample.sent));
                }
            }
            Outcome::Shed => self.current.shed += 1,
            Outcome::Failed => self.current.failed += 1,
        }
    }

    /// Enters a call that was due `at` and never sent.
    pub fn refuse(&mut self, at: Duration) {
        self.advance(at);
        self.current.refused += 1;
    }

    /// All slices that lie wholly within the measured time: what ended later would make the last one look fuller or
    /// emptier than the others.
    pub fn finish(mut self, measured: Duration) -> Vec<Slice> {
        self.close();
        let whole = measured.as_nanos() / self.length.as_nanos().max(1);
        let whole = usize::try_from(whole).unwrap_or(usize::MAX);
        let length = self.length.as_secs_f64();
        while self.done.len() < whole.min(usize::try_from(MOST_SLICES).unwrap_or(usize::MAX)) {
            self.done.push(Slice { start_s: self.done.len() as f64 * length, ..Slice::default() });
        }
        self.done.truncate(whole);
        self.done
    }

    /// Goes on to the slice of a time. A call that comes late into the book stays in the current one.
    fn advance(&mut self, at: Duration) {
        let wanted = usize::try_from(at.as_nanos() / self.length.as_nanos().max(1)).unwrap_or(usize::MAX);
        // What ends long after the end is cut off anyway: it must not make slices without bound.
        let wanted = wanted.min(usize::try_from(MOST_SLICES).unwrap_or(usize::MAX));
        while self.done.len() < wanted {
            self.close();
        }
    }

    fn close(&mut self) {
        let start_s = self.done.len() as f64 * self.length.as_secs_f64();
        let quantile = |times: &Times, q| times.at(Point::Quantile(q));
        self.done.push(Slice {
            start_s,
            p50_ms: quantile(&self.latency, 0.5),
            p99_ms: quantile(&self.latency, 0.99),
            max_ms: self.latency.at(Point::Max),
            mean_ms: self.latency.at(Point::Mean),
            service_p50_ms: quantile(&self.service, 0.5),
            service_p99_ms: quantile(&self.service, 0.99),
            ..std::mem::take(&mut self.current)
        });
        self.latency.clear();
        self.service.clear();
    }
}
