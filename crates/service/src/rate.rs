//! Rates per caller: a token bucket each.

use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::Duration;

use lru::LruCache;
use parking_lot::Mutex;
use tokio::time::Instant;

/// Callers that are remembered; one that was forgotten begins with a full bucket.
const REMEMBERED: usize = 65_536;

/// So many calls a second on the long run, and so many at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Calls a second, above 0.
    pub per_second: f64,
    /// Calls at once after a pause, at least 1.
    pub burst: f64,
}

impl FromStr for Rate {
    type Err = String;

    /// Reads `RATE` or `RATE,BURST`; without a burst it is twice the rate.
    fn from_str(text: &str) -> Result<Self, String> {
        let (rate, burst) = text.split_once(',').map_or((text, None), |(rate, burst)| (rate, Some(burst)));
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|n| n.is_finite() && *n > 0.0);
        let wrong = || "expected RATE or RATE,BURST: calls a second above 0, calls at once from 1 on".to_owned();
        let per_second = number(rate).ok_or_else(wrong)?;
        let burst = match burst {
            Some(burst) => number(burst).filter(|n| *n >= 1.0).ok_or_else(wrong)?,
            None => (per_second * 2.0).max(1.0),
        };
        Ok(Self { per_second, burst })
    }
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// Calls that may be made at `at`.
    left: f64,
    at: Instant,
}

impl Bucket {
    /// Takes one call, or says how long until there is one.
    fn take(&mut self, rate: Rate, now: Instant) -> Result<(), Duration> {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + since * rate.per_second).min(rate.burst);
        self.at = now;
        if self.left >= 1.0 {
            self.left -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - self.left) / rate.per_second))
    }
}

/// The rates of many callers, each told apart by a key.
#[derive(Debug)]
pub struct Rates<K: std::hash::Hash + Eq> {
    rate: Option<Rate>,
    buckets: Mutex<LruCache<K, Bucket>>,
}

impl<K: std::hash::Hash + Eq> Rates<K> {
    /// The same rate for every caller; `None`: no bound.
    pub fn new(rate: Option<Rate>) -> Self {
        let remembered = NonZeroUsize::new(REMEMBERED).unwrap_or(NonZeroUsize::MIN);
        // An unbounded cache allocates nothing before it is used; the bound is kept by hand.
        let mut buckets = LruCache::unbounded();
        buckets.resize(remembered);
        Self { rate, buckets: Mutex::new(buckets) }
    }

    /// Counts a call of a caller.
    ///
    /// # Errors
    /// How long to wait, when the caller has had its share.
    pub fn take(&self, caller: K) -> Result<(), Duration> {
        let Some(rate) = self.rate else { return Ok(()) };
        let now = Instant::now();
        let mut buckets = self.buckets.lock();
        buckets.get_or_insert_mut(caller, || Bucket { left: rate.burst, at: now }).take(rate, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[tokio::test(start_paused = true)]
    async fn each_caller_has_a_burst_and_then_the_rate() {
        let rates = Rates::new(Some("2,3".parse().unwrap()));
        assert_eq!([rates.take("a"), rates.take("a"), rates.take("a")], [Ok(()); 3]);
        assert_eq!(rates.take("a"), Err(Duration::from_millis(500)));
        assert_eq!(rates.take("b"), Ok(()), "another caller");
        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!(rates.take("a"), Ok(()));
        assert!(rates.take("a").is_err());
        let unbounded = Rates::new(None);
        assert!((0..10_000).all(|_| unbounded.take(()).is_ok()));
    }

    #[test]
    fn rates_are_read() {
        assert_eq!("5".parse(), Ok(Rate { per_second: 5.0, burst: 10.0 }));
        assert_eq!("0.1".parse(), Ok(Rate { per_second: 0.1, burst: 1.0 }));
        for wrong in ["", "x", "0", "-1", "1,0.5", "1,2,3", "inf", "NaN"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn nobody_gets_more_than_burst_and_rate(gaps in proptest::collection::vec(0u64..2000, 1..200)) {
            let rate = Rate { per_second: 3.0, burst: 4.0 };
            let start = Instant::now();
            let (mut now, mut taken) = (start, 0.0);
            let mut bucket = Bucket { left: rate.burst, at: start };
            for gap in gaps {
                now += Duration::from_millis(gap);
                taken += f64::from(u8::from(bucket.take(rate, now).is_ok()));
                let most = rate.burst + rate.per_second * (now - start).as_secs_f64();
                prop_assert!(taken <= most + 1e-6, "{taken} of {most}");
            }
        }
    }
}
