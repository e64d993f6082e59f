//! The books of one method.

use std::collections::BTreeMap;

use tonic::Code;

use super::{MALFORMED, Outcome, Sample, Times, code_name};
use crate::slo::{Clock, Measure};

/// What is known of one method.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Calls that were sent and have ended.
    pub ended: u64,
    /// Good answers.
    pub ok: u64,
    /// Shed.
    pub shed: u64,
    /// Failed.
    pub failed: u64,
    /// Due, but never sent.
    pub refused: u64,
    /// Good answers that were degraded.
    pub degraded: u64,
    /// Good answers that came before the planned end.
    pub ok_in_time: u64,
    /// By status code.
    pub codes: BTreeMap<&'static str, u64>,
    /// Good answers, from the intended send time.
    pub latency: Times,
    /// Good answers, from the moment of sending.
    pub service: Times,
    /// First items of good answers, from the intended send time.
    pub first: Times,
    /// Refusals, from the moment of sending.
    pub shed_times: Times,
}

impl Tally {
    /// Calls that should have been made.
    pub fn intended(&self) -> u64 {
        self.ended + self.refused
    }

    /// A measurement, in the unit of its objective; `seconds` is the measured time.
    pub fn measure(&self, measure: Measure, seconds: f64) -> Option<f64> {
        let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
        match measure {
            Measure::Time(Clock::Latency, point) => self.latency.at(point),
            Measure::Time(Clock::Service, point) => self.service.at(point),
            Measure::Time(Clock::First, point) => self.first.at(point),
            Measure::Time(Clock::Shed, point) => self.shed_times.at(point),
            Measure::Errors => share(self.failed + self.refused, self.intended()),
            Measure::Shed => share(self.shed, self.intended()),
            Measure::Degraded => share(self.degraded, self.ok),
            Measure::Rate => (seconds > 0.0).then(|| self.ok_in_time as f64 / seconds),
        }
    }

    pub(super) fn enter(&mut self, sample: &Sample, in_time: bool) {
        self.ended += 1;
        let code = if sample.malformed && sample.code == Code::Ok { MALFORMED } else { code_name(sample.code) };
        *self.codes.entry(code).or_default() += 1;
        let service = sample.done.saturating_sub(sample.sent);
        match sample.outcome() {
            Outcome::Ok => {
                self.ok += 1;
                self.ok_in_time += u64::from(in_time);
                self.degraded += u64::from(!sample.degraded.is_empty());
                self.latency.record(sample.done.saturating_sub(sample.due));
                self.service.record(service);
                if let Some(first) = sample.first {
                    self.first.record(first.saturating_sub(sample.due));
                }
            }
            Outcome::Shed => {
                self.shed += 1;
                self.shed_times.record(service);
            }
            Outcome::Failed => self.failed += 1,
        }
    }

    pub(super) fn add(&mut self, other: &Self, times_too: bool) {
        self.ended += other.ended;
        self.ok += other.ok;
        self.shed += other.shed;
        self.failed += other.failed;
        self.refused += other.refused;
        self.degraded += other.degraded;
        self.ok_in_time += other.ok_in_time;
        for (code, count) in &other.codes {
            *self.codes.entry(code).or_default() += count;
        }
        if times_too {
            self.latency.add(&other.latency);
            self.service.add(&other.service);
            self.first.add(&other.first);
        }
        self.shed_times.add(&other.shed_times);
    }
}
