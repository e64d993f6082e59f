//! How long to wait before the next try: doubling, bounded, and random, so that callers do not come back together.

use std::time::Duration;

/// A wait that doubles with every failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The first wait.
    pub base: Duration,
    /// No wait is longer.
    pub cap: Duration,
}

impl Backoff {
    /// Anything from nothing to the whole wait ("full jitter"), for `unit` from 0 to 1. `level` counts from 0.
    pub fn full_jitter(&self, level: u32, unit: f64) -> Duration {
        self.ceiling(level).mul_f64(unit.clamp(0.0, 1.0))
    }

    /// The wait, give or take a fifth: for what must not come back too soon.
    pub fn about(&self, level: u32, unit: f64) -> Duration {
        jittered(self.ceiling(level), unit)
    }

    fn ceiling(&self, level: u32) -> Duration {
        let factor = 1_u32.checked_shl(level).unwrap_or(u32::MAX);
        self.base.saturating_mul(factor).min(self.cap)
    }
}

/// A time, give or take a fifth, for `unit` from 0 to 1.
pub fn jittered(time: Duration, unit: f64) -> Duration {
    time.mul_f64(0.8 + 0.4 * unit.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn doubles_up_to_the_cap() {
        let backoff = Backoff { base: Duration::from_millis(100), cap: Duration::from_secs(1) };
        let waits: Vec<u128> = (0..6).map(|level| backoff.full_jitter(level, 1.0).as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1000, 1000]);
        assert_eq!(backoff.about(0, 0.5), Duration::from_millis(100));
    }

    proptest! {
        #[test]
        fn never_beyond_its_bounds(level: u32, unit: f64) {
            let backoff = Backoff { base: Duration::from_millis(50), cap: Duration::from_secs(2) };
            let unit = if unit.is_finite() { unit } else { 0.5 };
            prop_assert!(backoff.full_jitter(level, unit) <= backoff.cap);
            let about = backoff.about(level, unit);
            prop_assert!(about >= Duration::from_millis(40) && about <= Duration::from_millis(2400));
        }
    }
}
