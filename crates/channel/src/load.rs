//! How busy and how good an endpoint is, as one number to compare.

use std::time::Duration;

use tokio::time::Instant;

use crate::ewma::{PeakEwma, decayed};

/// After this time a latency that was not seen again counts 1/e.
const LATENCY_DECAY: Duration = Duration::from_secs(2);
/// After this time a failure that was not repeated counts 1/e. One that has failed gets so few calls that they alone
/// would hardly show that it is well again.
const FAILURE_DECAY: Duration = Duration::from_secs(4);
/// Seconds below which latencies do not matter: on a busy machine the difference is noise of its scheduler, and
/// following noise starves replicas. Under load the calls outstanding tell the slow from the fast well enough.
const FLOOR: f64 = 0.02;
/// What one more failure moves the share of failures by.
const FAILURE_STEP: f64 = 0.1;
/// An endpoint that only fails weighs as much as one that is so many times slower. Without it the endpoint that fails
/// fastest would be the favourite.
const FAILURE_WEIGHT: f64 = 10.0;

/// How an attempt went, as far as load is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It did its work, or refused a wrong request.
    Good,
    /// It failed, shed the call, or broke something.
    Poor,
}

/// Latency and failures of one endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    latency: PeakEwma,
    /// Share of failures, 0 to 1, as of `at`.
    failing: f64,
    at: Instant,
}

impl Load {
    /// Nothing is known yet.
    pub fn new(now: Instant) -> Self {
        Self { latency: PeakEwma::new(now, LATENCY_DECAY), failing: 0.0, at: now }
    }

    /// An attempt was answered after `elapsed`. How fast a failure came says nothing good.
    pub fn answered(&mut self, now: Instant, elapsed: Duration, answer: Answer) {
        match answer {
            Answer::Good => self.latency.observe(now, elapsed),
            Answer::Poor => self.latency.at_least(now, elapsed),
        }
        let hit = if answer == Answer::Poor { 1.0 } else { 0.0 };
        let failing = self.failing(now);
        self.failing = failing + (hit - failing) * FAILURE_STEP;
        self.at = self.at.max(now);
    }

    /// An attempt was given up after `elapsed` without an answer.
    pub fn abandoned(&mut self, now: Instant, elapsed: Duration) {
        self.latency.at_least(now, elapsed);
    }

    /// What one call at this endpoint costs: seconds, raised by failures.
    pub fn weight(&self, now: Instant) -> f64 {
        self.latency.get(now).max(FLOOR) * (1.0 + FAILURE_WEIGHT * self.failing(now))
    }

    fn failing(&self, now: Instant) -> f64 {
        self.failing * decayed(now.saturating_duration_since(self.at), FAILURE_DECAY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MILLI: Duration = Duration::from_millis(1);

    #[test]
    fn failing_fast_weighs_more_than_answering_slowly() {
        let now = Instant::now();
        let (mut failing, mut slow) = (Load::new(now), Load::new(now));
        for _ in 0..50 {
            failing.answered(now, MILLI / 10, Answer::Poor);
            slow.answered(now, MILLI * 150, Answer::Good);
        }
        assert!(failing.weight(now) > slow.weight(now), "{failing:?} {slow:?}");
        assert!(failing.weight(now + FAILURE_DECAY * 6) < 2.0 * Load::new(now).weight(now), "it is forgiven");
    }

    #[test]
    fn ten_seconds_after_it_failed_it_costs_no_more_than_twice_what_others_do() {
        let now = Instant::now();
        let mut failed = Load::new(now);
        for _ in 0..100 {
            failed.answered(now, MILLI, Answer::Poor);
        }
        let later = now + Duration::from_secs(10);
        assert!(failed.weight(later) < 2.0 * Load::new(later).weight(later), "{failed:?}");
    }

    proptest! {
        #[test]
        fn a_failure_never_makes_an_endpoint_lighter(
            answers in prop::collection::vec((0_u64..2_000, any::<bool>()), 0..50),
            elapsed in 0_u64..2_000,
        ) {
            let mut now = Instant::now();
            let mut load = Load::new(now);
            for (millis, good) in answers {
                now += MILLI;
                load.answered(now, MILLI * millis as u32, if good { Answer::Good } else { Answer::Poor });
            }
            let before = load.weight(now);
            load.answered(now, MILLI * elapsed as u32, Answer::Poor);
            prop_assert!(load.weight(now) >= before);
            prop_assert!(load.weight(now).is_finite());
        }
    }
}
