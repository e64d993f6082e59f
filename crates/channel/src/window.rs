//! Successes and failures of the recent past, in two halves so that nothing is remembered per call.

use std::time::Duration;

use tokio::time::Instant;

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    good: u32,
    bad: u32,
}

/// Counts over between one and two lengths of time.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    length: Duration,
    since: Instant,
    current: Counts,
    previous: Counts,
}

impl Window {
    /// Empty.
    pub fn new(now: Instant, length: Duration) -> Self {
        Self { length, since: now, current: Counts::default(), previous: Counts::default() }
    }

    /// Counts one outcome.
    pub fn record(&mut self, now: Instant, good: bool) {
        self.turn(now);
        let count = if good { &mut self.current.good } else { &mut self.current.bad };
        *count = count.saturating_add(1);
    }

    /// Calls, and the share of them that failed (0 without calls).
    pub fn failures(&self, now: Instant) -> (u32, f64) {
        if now.saturating_duration_since(self.since) >= self.length * 2 {
            return (0, 0.0);
        }
        let bad = self.current.bad.saturating_add(self.previous.bad);
        let all = bad.saturating_add(self.current.good).saturating_add(self.previous.good);
        (all, if all == 0 { 0.0 } else { f64::from(bad) / f64::from(all) })
    }

    /// The length it was made with.
    pub fn length(&self) -> Duration {
        self.length
    }

    fn turn(&mut self, now: Instant) {
        let age = now.saturating_duration_since(self.since);
        if age >= self.length {
            // What is older than two lengths is of no interest any more.
            self.previous = if age < self.length * 2 { self.current } else { Counts::default() };
            self.current = Counts::default();
            self.since = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_after_two_lengths() {
        let start = Instant::now();
        let length = Duration::from_secs(5);
        let mut window = Window::new(start, length);
        (0..8).for_each(|_| window.record(start, false));
        window.record(start + length, true);
        window.record(start + length, true);
        assert_eq!(window.failures(start + length), (10, 0.8));
        window.record(start + length * 2, true);
        assert_eq!(window.failures(start + length * 2), (3, 0.0));
        window.record(start + length * 9, false);
        assert_eq!(window.failures(start + length * 9), (1, 1.0));
        assert_eq!(window.failures(start + length * 11), (0, 0.0), "though nothing came since");
    }
}
