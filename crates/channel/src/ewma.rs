//! A latency that is quick to believe in trouble and slow to forget it.

use std::time::Duration;

use tokio::time::Instant;

/// Slow answers in a row that make a trend.
const TREND: usize = 3;
/// What a good answer takes off the distance between it and the value.
const FALL: f64 = 0.3;

/// An exponentially weighted moving average with a peak: a rise counts at once, a fall over time and answers. After the
/// peak EWMA of Twitter's Finagle, with one difference: a hiccup is no trend, so a rise must be seen three times in a
/// row.
///
/// Without samples the value decays to nothing, so that an endpoint which was slow is tried again.
#[derive(Clone, Copy, Debug)]
pub struct PeakEwma {
    /// Seconds, as of `at`.
    value: f64,
    /// The last samples, in seconds, the newest first.
    recent: [f64; TREND],
    at: Instant,
    decay: Duration,
}

impl PeakEwma {
    /// Starts at nothing. After `decay` without a sample a value has fallen to 1/e of itself.
    pub fn new(now: Instant, decay: Duration) -> Self {
        Self { value: 0.0, recent: [0.0; TREND], at: now, decay }
    }

    /// Takes a sample in.
    pub fn observe(&mut self, now: Instant, sample: Duration) {
        let lasting = self.remember(sample.as_secs_f64());
        let fallen = self.get(now).min(self.value + (sample.as_secs_f64() - self.value) * FALL);
        self.value = fallen.max(lasting);
        self.at = self.at.max(now);
    }

    /// Takes in something that took at least so long; it can only raise the value.
    pub fn at_least(&mut self, now: Instant, sample: Duration) {
        if sample.as_secs_f64() > self.get(now) {
            let lasting = self.remember(sample.as_secs_f64());
            self.value = self.get(now).max(lasting);
            self.at = self.at.max(now);
        }
    }

    /// The value now, in seconds.
    pub fn get(&self, now: Instant) -> f64 {
        self.value * decayed(now.saturating_duration_since(self.at), self.decay)
    }

    /// What all the last samples, this one included, have in common.
    fn remember(&mut self, sample: f64) -> f64 {
        self.recent.rotate_right(1);
        self.recent[0] = sample;
        self.recent.into_iter().fold(f64::INFINITY, f64::min)
    }
}

/// The share of a value that is left after a time.
pub fn decayed(elapsed: Duration, decay: Duration) -> f64 {
    if elapsed.is_zero() {
        return 1.0;
    }
    (-elapsed.as_secs_f64() / decay.as_secs_f64().max(1e-9)).exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DECAY: Duration = Duration::from_secs(2);

    fn millis(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    fn at(now: Instant, samples: impl IntoIterator<Item = u64>) -> PeakEwma {
        let mut latency = PeakEwma::new(now, DECAY);
        samples.into_iter().for_each(|sample| latency.observe(now, millis(sample)));
        latency
    }

    #[test]
    fn a_hiccup_is_no_trend_but_three_slow_answers_are() {
        let now = Instant::now();
        assert!(at(now, [1, 1, 1, 1, 500, 500]).get(now) < 0.002);
        assert!(at(now, [1, 500, 500, 1, 500, 500]).get(now) < 0.002);
        assert!((at(now, [1, 1, 500, 400, 600]).get(now) - 0.4).abs() < 1e-9);
    }

    #[test]
    fn a_peak_is_forgotten_over_time_and_by_good_answers() {
        let now = Instant::now();
        let peak = at(now, [100; TREND]);
        assert!((peak.get(now + DECAY) - 0.1 / std::f64::consts::E).abs() < 1e-6);
        assert!(at(now, [100, 100, 100, 1, 1, 1, 1, 1, 1, 1]).get(now) < 0.01);
        assert!(at(now, [100, 100, 100, 1, 100, 1]).get(now) > 0.04, "one good answer is no proof");
    }

    #[test]
    fn what_was_given_up_counts_as_slow_and_never_as_fast() {
        let now = Instant::now();
        let mut latency = at(now, [50; TREND]);
        latency.at_least(now, millis(1));
        assert!((latency.get(now) - 0.05).abs() < 1e-9);
        (0..TREND).for_each(|_| latency.at_least(now, millis(300)));
        assert!((latency.get(now) - 0.3).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn stays_between_nothing_and_the_slowest_sample(
            samples in prop::collection::vec((0_u64..5_000, 0_u64..3_000, any::<bool>()), 1..60),
        ) {
            let mut now = Instant::now();
            let mut latency = PeakEwma::new(now, DECAY);
            let slowest = samples.iter().map(|(sample, _, _)| *sample).max().unwrap_or(0) as f64 / 1_000.0;
            for (sample, pause, whole) in samples {
                now += millis(pause);
                if whole { latency.observe(now, millis(sample)) } else { latency.at_least(now, millis(sample)) }
                let value = latency.get(now);
                prop_assert!(value.is_finite() && value >= 0.0 && value <= slowest + 1e-9, "{value}");
                prop_assert!(latency.get(now + DECAY) <= value);
            }
        }
    }
}
