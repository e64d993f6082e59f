//! Intended send times: pure, seeded, known before anything is sent.

use std::time::Duration;

use clap::ValueEnum;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, Exp1};
use serde::{Deserialize, Serialize};

use crate::shape::Curve;

/// How arrivals are spaced.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Spacing {
    /// Independent of each other, as those of many people are: gaps are exponentially distributed.
    Poisson,
    /// Evenly.
    Constant,
}

impl Spacing {
    /// The name that flags and reports use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Poisson => "poisson",
            Self::Constant => "constant",
        }
    }
}

/// The arrivals of a run, in order, from its start.
#[derive(Debug, Clone)]
pub struct Schedule {
    curve: Curve,
    spacing: Spacing,
    random: ChaCha8Rng,
    /// Arrivals so far, in units of the integrated rate.
    position: f64,
    begun: bool,
}

impl Schedule {
    /// The arrivals that a curve asks for.
    pub fn new(curve: Curve, spacing: Spacing, seed: u64) -> Self {
        Self { curve, spacing, random: ChaCha8Rng::seed_from_u64(seed), position: 0.0, begun: false }
    }
}

impl Iterator for Schedule {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        // A process of rate one on the axis of the integrated rate has the wanted rate on the axis of time.
        self.position += match self.spacing {
            Spacing::Constant if self.begun => 1.0,
            Spacing::Constant => 0.0,
            Spacing::Poisson => Exp1.sample(&mut self.random),
        };
        self.begun = true;
        self.curve.time_of(self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::Shape;
    use proptest::prelude::*;

    fn schedule(shape: &str, spacing: Spacing, rate: f64, seconds: u64, seed: u64) -> Schedule {
        let shape: Shape = shape.parse().unwrap();
        Schedule::new(Curve::new(&shape, rate, Duration::ZERO, Duration::from_secs(seconds)), spacing, seed)
    }

    #[test]
    fn constant_arrivals_are_even() {
        let times: Vec<_> = schedule("constant", Spacing::Constant, 4.0, 2, 1).map(|t| t.as_millis()).collect();
        assert_eq!(times, [0, 250, 500, 750, 1000, 1250, 1500, 1750]);
    }

    #[test]
    fn poisson_arrivals_vary_as_they_should() {
        let times: Vec<f64> = schedule("constant", Spacing::Poisson, 1000.0, 60, 7).map(|t| t.as_secs_f64()).collect();
        let gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        // 60,000 arrivals: their number has a standard deviation of 245; an exponential gap's deviation is its mean.
        assert!((times.len() as f64 - 60_000.0).abs() < 1000.0, "{}", times.len());
        assert!((variance.sqrt() / mean - 1.0).abs() < 0.02, "{}", variance.sqrt() / mean);
    }

    #[test]
    fn the_same_seed_gives_the_same_times_and_another_one_others() {
        let times = |seed| schedule("ramp:10..100", Spacing::Poisson, 0.0, 5, seed).collect::<Vec<_>>();
        assert_eq!(times(3), times(3));
        assert_ne!(times(3), times(4));
    }

    proptest! {
        #[test]
        fn as_many_arrive_as_the_rate_says(rate in 0.5f64..3000.0, seconds in 1u64..10) {
            let count = schedule("constant", Spacing::Constant, rate, seconds, 0).count() as f64;
            prop_assert!((count - rate * seconds as f64).abs() <= 1.0, "{count}");
        }

        #[test]
        fn times_never_go_back(seed in 0u64..1000, spacing in prop_oneof![Just(Spacing::Poisson), Just(Spacing::Constant)]) {
            let times: Vec<_> = schedule("spike:20,400", spacing, 0.0, 4, seed).collect();
            prop_assert!(times.windows(2).all(|pair| pair[0] <= pair[1]));
            prop_assert!(times.iter().all(|time| *time < Duration::from_secs(4)));
        }
    }
}
