//! How fast a line moves: the mean time between two permits that come back while somebody waits.

use std::time::Duration;

use tokio::time::Instant;

/// The newest interval counts for one in so many: enough to even out permits that come back in bunches.
const WEIGHT: u32 = 32;

/// A running mean; it knows nothing at first, and expects no wait then.
#[derive(Debug, Default)]
pub(super) struct Pace {
    mean: Duration,
    /// Intervals that the mean was made from, up to [`WEIGHT`].
    known: u32,
    since: Option<Instant>,
}

impl Pace {
    /// Somebody began to wait where nobody did: an idle time says nothing about the pace.
    pub(super) fn begin(&mut self, now: Instant) {
        self.since = Some(now);
    }

    /// A permit came back to somebody who waited.
    pub(super) fn served(&mut self, now: Instant) {
        if let Some(since) = self.since.replace(now) {
            let interval = now.saturating_duration_since(since);
            self.known = (self.known + 1).min(WEIGHT);
            self.mean = (self.mean * (self.known - 1) + interval) / self.known;
        }
    }

    /// The wait to be expected behind so many others, and a quarter more: who is let in should get through.
    pub(super) fn expected(&self, ahead: usize) -> Duration {
        let turns = u32::try_from(ahead).unwrap_or(u32::MAX).saturating_add(1);
        self.mean.saturating_mul(turns).saturating_mul(5) / 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_interval_and_leaves_idle_times_out() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        assert_eq!(pace.expected(100), Duration::ZERO, "nothing known");
        let step = Duration::from_millis(8);
        pace.begin(start);
        for n in 1..=500 {
            pace.served(start + step * n);
        }
        let (mean, full) = (pace.expected(0), step * 5 / 4);
        assert!(mean > full - Duration::from_micros(10) && mean <= full, "{mean:?}");
        assert!(pace.expected(9).abs_diff(mean * 10) < Duration::from_nanos(10), "ten times as long");
        // An hour in which nobody waited.
        let later = start + Duration::from_secs(3600);
        pace.begin(later);
        pace.served(later + step);
        assert!(pace.expected(0) <= full);
    }
}
