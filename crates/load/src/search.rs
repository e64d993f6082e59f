//! The search for the highest rate that meets the objectives: doubling until it fails, bisection in between, and
//! confirmation of what was found. Pure: it says what to try and is told what came of it.

use serde::{Deserialize, Serialize};

/// What came of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// Every objective was met.
    Met,
    /// At least one was missed.
    Missed,
    /// The generator could not keep up: the trial says nothing of the system.
    Lagged,
}

/// What keeps the rate from being higher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// The system missed an objective above it.
    System,
    /// The generator lagged above it: the system may do more.
    Generator,
    /// No higher rate was tried: the trials or the range were used up.
    Range,
}

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Next {
    /// Try this rate.
    Try {
        /// Arrivals a second.
        rate: f64,
        /// It was met before and is being confirmed.
        confirming: bool,
    },
    /// The search is over.
    Done(Found),
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// The highest confirmed rate; unset when none was.
    pub rate: Option<f64>,
    /// What limits it.
    pub limit: Limit,
}

/// How to search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// The first rate.
    pub start: f64,
    /// How close the answer is to the limit, as a share of it.
    pub precision: f64,
    /// How often the answer is tried again.
    pub confirmations: u32,
    /// Trials in all, confirmations too.
    pub most_trials: u32,
    /// No rate above this is tried.
    pub highest: f64,
}

/// Rates below this are not worth trying.
const LOWEST: f64 = 0.1;
/// How far the rate goes down when a confirmation fails, as a share.
const STEP_BACK: f64 = 0.05;

/// A search.
#[derive(Debug, Clone)]
pub struct Search {
    rules: Rules,
    /// The highest rate that was met and not refuted since.
    good: Option<f64>,
    /// The lowest rate that was not met, and why.
    bad: Option<(f64, Limit)>,
    /// Trials in which `good` was confirmed so far.
    confirmed: u32,
    trials: u32,
}

impl Search {
    /// A search that has tried nothing yet.
    pub fn new(rules: Rules) -> Self {
        Self { rules, good: None, bad: None, confirmed: 0, trials: 0 }
    }

    /// What to do now.
    pub fn next(&self) -> Next {
        let limit = self.bad.map_or(Limit::Range, |(_, limit)| limit);
        if self.trials >= self.rules.most_trials {
            let confirmed = self.confirmed >= self.rules.confirmations;
            return Next::Done(Found { rate: self.good.filter(|_| confirmed), limit });
        }
        let start = self.rules.start.clamp(LOWEST, self.rules.highest);
        let exploring = match (self.good, self.bad) {
            (None, None) => Some(start),
            (Some(good), None) => (good < self.rules.highest).then(|| (good * 2.0).min(self.rules.highest)),
            (None, Some((bad, _))) if bad <= LOWEST => return Next::Done(Found { rate: None, limit }),
            (None, Some((bad, _))) => Some((bad / 2.0).max(LOWEST)),
            (Some(good), Some((bad, _))) => {
                (bad > good * (1.0 + self.rules.precision)).then_some(f64::midpoint(good, bad))
            }
        };
        match (exploring, self.good) {
            (Some(rate), _) => Next::Try { rate, confirming: false },
            (None, Some(rate)) if self.confirmed < self.rules.confirmations => Next::Try { rate, confirming: true },
            (None, rate) => Next::Done(Found { rate, limit }),
        }
    }

    /// What came of the trial that [`Self::next`] named.
    pub fn tell(&mut self, judgement: Judgement) {
        let Next::Try { rate, confirming } = self.next() else { return };
        self.trials += 1;
        match (judgement, confirming) {
            (Judgement::Met, true) => self.confirmed += 1,
            (Judgement::Met, false) => {
                self.good = Some(rate);
                self.confirmed = 0;
            }
            (Judgement::Missed | Judgement::Lagged, confirming) => {
                let limit = if judgement == Judgement::Missed { Limit::System } else { Limit::Generator };
                self.bad = Some((rate, limit));
                if confirming {
                    // What was met once and missed once is too high; a little below it is tried, and confirmed anew.
                    self.good = None;
                    self.confirmed = 0;
                    self.retreat(rate);
                }
            }
        }
    }

    fn retreat(&mut self, refuted: f64) {
        let below = (refuted * (1.0 - STEP_BACK)).max(LOWEST);
        if below < refuted {
            // As if met, so that only confirmations are left to do.
            self.good = Some(below);
            self.bad = self.bad.map(|(_, limit)| (refuted, limit));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rules() -> Rules {
        Rules { start: 10.0, precision: 0.05, confirmations: 2, most_trials: 60, highest: 1e6 }
    }

    /// Runs a search against a system; the answer and the rates that were tried.
    fn run(rules: Rules, mut system: impl FnMut(f64) -> Judgement) -> (Found, Vec<f64>) {
        let (mut search, mut tried) = (Search::new(rules), Vec::new());
        loop {
            match search.next() {
                Next::Done(found) => return (found, tried),
                Next::Try { rate, .. } => {
                    tried.push(rate);
                    search.tell(system(rate));
                }
            }
        }
    }

    fn up_to(capacity: f64) -> impl FnMut(f64) -> Judgement {
        move |rate| if rate <= capacity { Judgement::Met } else { Judgement::Missed }
    }

    #[test]
    fn it_doubles_bisects_and_confirms() {
        let (found, tried) = run(rules(), up_to(100.0));
        assert_eq!(tried[..5], [10.0, 20.0, 40.0, 80.0, 160.0]);
        assert_eq!(found.limit, Limit::System);
        let rate = found.rate.unwrap();
        assert!((95.0..=100.0).contains(&rate), "{rate}");
        let confirmations = tried.iter().filter(|tried| **tried == rate).count();
        assert_eq!(confirmations, 3, "once found, twice confirmed: {tried:?}");
    }

    #[test]
    fn a_start_that_is_too_high_is_halved() {
        let (found, _) = run(Rules { start: 5000.0, ..rules() }, up_to(3.0));
        assert!((2.8..=3.0).contains(&found.rate.unwrap()));
        let (found, _) = run(rules(), up_to(0.0));
        assert_eq!(found, Found { rate: None, limit: Limit::System });
    }

    #[test]
    fn a_generator_that_lags_is_named_as_the_limit() {
        let (found, _) = run(rules(), |rate| if rate <= 50.0 { Judgement::Met } else { Judgement::Lagged });
        assert_eq!(found.limit, Limit::Generator);
        assert!((47.0..=50.0).contains(&found.rate.unwrap()));
    }

    #[test]
    fn a_rate_that_was_met_by_luck_is_not_confirmed() {
        let mut lucky = true;
        let (found, _) = run(rules(), |rate| {
            // 160 is met once, though the system does 100.
            let met = rate <= 100.0 || (rate == 160.0 && std::mem::take(&mut lucky));
            if met { Judgement::Met } else { Judgement::Missed }
        });
        let rate = found.rate.unwrap();
        assert!(rate <= 100.0 && rate > 85.0, "{rate}");
    }

    #[test]
    fn the_range_is_a_limit_too() {
        let (found, tried) = run(Rules { highest: 64.0, ..rules() }, up_to(1e9));
        assert_eq!(found, Found { rate: Some(64.0), limit: Limit::Range });
        assert!(tried.iter().all(|rate| *rate <= 64.0));
    }

    proptest! {
        #[test]
        fn it_finds_what_the_system_does(capacity in 0.2f64..100_000.0, start in 0.5f64..1000.0) {
            let (found, tried) = run(Rules { start, ..rules() }, up_to(capacity));
            let rate = found.rate.unwrap();
            prop_assert!(rate <= capacity && rate >= capacity / 1.06, "{rate} of {capacity}");
            prop_assert!(tried.len() <= 60);
        }

        #[test]
        fn it_ends_whatever_it_is_told(answers in proptest::collection::vec(0u8..3, 1..200), most in 1u32..50) {
            let mut answers = answers.into_iter().cycle();
            let (found, tried) = run(Rules { most_trials: most, ..rules() }, |_| match answers.next() {
                Some(0) => Judgement::Met,
                Some(1) => Judgement::Missed,
                _ => Judgement::Lagged,
            });
            prop_assert!(tried.len() <= most as usize);
            prop_assert!(found.rate.is_none_or(|rate| tried.contains(&rate)));
        }
    }
}
