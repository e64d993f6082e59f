//! How long to wait before the next attempt.

use std::time::Duration;

/// Doubles from attempt to attempt, and leaves the rest to chance, so that many processes do not come back at once.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    longest: Duration,
}

impl Backoff {
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        Self { next: first, longest }
    }

    /// The next wait: between half and all of the present step.
    pub(crate) fn step(&mut self, chance: f64) -> Duration {
        let wait = self.next.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0);
        self.next = (self.next * 2).min(self.longest);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let mut backoff = Backoff::new(Duration::from_millis(20), Duration::from_millis(50));
        let waits: Vec<_> = (0..4).map(|_| backoff.step(1.0).as_millis()).collect();
        assert_eq!(waits, [20, 40, 50, 50]);
        assert_eq!(backoff.step(0.0).as_millis(), 25);
    }
}
