//! How many retries a channel may make: a share of its calls and a trickle, so that retries never become the load that
//! keeps a service down.

use tokio::time::Instant;

/// The size of the budget.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BudgetRules {
    /// Retries that each call earns.
    pub per_call: f64,
    /// Retries that each second earns.
    pub per_second: f64,
    /// Retries that can be saved up.
    pub burst: f64,
}

impl Default for BudgetRules {
    fn default() -> Self {
        Self { per_call: 0.2, per_second: 10.0, burst: 100.0 }
    }
}

/// What is left of the budget.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    rules: BudgetRules,
    left: f64,
    at: Instant,
}

impl Budget {
    /// Begins with what one second earns.
    pub fn new(now: Instant, rules: BudgetRules) -> Self {
        Self { rules, left: rules.per_second.min(rules.burst), at: now }
    }

    /// A call was made.
    pub fn earn(&mut self, now: Instant) {
        self.pass(now);
        self.left = (self.left + self.rules.per_call).min(self.rules.burst);
    }

    /// Takes one retry, if there is one.
    pub fn spend(&mut self, now: Instant) -> bool {
        self.pass(now);
        let enough = self.left >= 1.0;
        if enough {
            self.left -= 1.0;
        }
        enough
    }

    fn pass(&mut self, now: Instant) {
        let seconds = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + seconds * self.rules.per_second).min(self.rules.burst);
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    #[test]
    fn an_idle_channel_saves_up_no_more_than_the_burst() {
        let (now, rules) = (Instant::now(), BudgetRules::default());
        let mut budget = Budget::new(now, rules);
        assert_eq!((0..50).filter(|_| budget.spend(now)).count(), 10);
        let later = now + Duration::from_secs(3600);
        assert_eq!((0..500).filter(|_| budget.spend(later)).count(), 100);
    }

    proptest! {
        #[test]
        fn retries_stay_within_a_share_of_calls_and_a_trickle(steps in prop::collection::vec((0_u64..300, 0_u32..20, 0_u32..20), 0..200)) {
            let (start, rules) = (Instant::now(), BudgetRules::default());
            let (mut now, mut budget) = (start, Budget::new(start, rules));
            let (mut calls, mut retries) = (0_u32, 0_u32);
            for (pause, made, wanted) in steps {
                now += Duration::from_millis(pause);
                (0..made).for_each(|_| budget.earn(now));
                calls += made;
                retries += (0..wanted).map(|_| u32::from(budget.spend(now))).sum::<u32>();
                let seconds = (now - start).as_secs_f64() + 1.0;
                prop_assert!(f64::from(retries) <= 0.2 * f64::from(calls) + 10.0 * seconds + 1e-6);
            }
        }
    }
}
