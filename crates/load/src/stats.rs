//! Noise: how sure a difference between two runs is.

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Resamples of a bootstrap.
const RESAMPLES: usize = 2000;
/// Neighbouring slices are alike: blocks of so many are drawn together (moving-block bootstrap, Künsch 1989).
const BLOCK: usize = 3;
/// Slices of each run without which nothing can be said.
pub const FEWEST: usize = 6;

/// 95 % confidence interval of the ratio of two runs, `after` over `before`, from positive samples of their slices;
/// `None` with too few of them. The seed is fixed: the same files give the same answer.
pub fn ratio(before: &[f64], after: &[f64]) -> Option<[f64; 2]> {
    let logs = |samples: &[f64]| -> Vec<f64> {
        samples.iter().filter(|sample| **sample > 0.0 && sample.is_finite()).map(|sample| sample.ln()).collect()
    };
    let (before, after) = (logs(before), logs(after));
    if before.len() < FEWEST || after.len() < FEWEST {
        return None;
    }
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut differences: Vec<f64> =
        (0..RESAMPLES).map(|_| resampled(&after, &mut random) - resampled(&before, &mut random)).collect();
    differences.sort_by(f64::total_cmp);
    let at = |share: f64| differences.get((share * RESAMPLES as f64) as usize).copied();
    Some([at(0.025)?.exp(), at(0.975)?.exp()])
}

/// The mean of a resample, drawn in blocks that wrap round.
fn resampled(samples: &[f64], random: &mut ChaCha8Rng) -> f64 {
    let (mut sum, mut drawn) = (0.0, 0);
    while drawn < samples.len() {
        let start = random.random_range(0..samples.len());
        for value in samples.iter().cycle().skip(start).take(BLOCK.min(samples.len() - drawn)) {
            sum += value;
            drawn += 1;
        }
    }
    sum / drawn.max(1) as f64
}

/// 95 % confidence interval of a quantile, from the ranks between which it lies (binomial, normal approximation) and
/// the curve of quantile and value.
pub fn quantile(curve: &[[f64; 2]], count: u64, quantile: f64) -> Option<[f64; 2]> {
    let width = 1.96 * (quantile * (1.0 - quantile) / count.max(1) as f64).sqrt();
    Some([value(curve, quantile - width)?, value(curve, quantile + width)?])
}

/// The value of a curve at a quantile: that of the next point at or above it.
fn value(curve: &[[f64; 2]], quantile: f64) -> Option<f64> {
    curve.iter().find(|[at, _]| *at >= quantile).or_else(|| curve.last()).map(|[_, value]| *value)
}

/// How many standard errors two shares are apart (two-proportion z test); positive when the second is larger.
pub fn shares(before: (u64, u64), after: (u64, u64)) -> f64 {
    let share = |(part, whole): (u64, u64)| part as f64 / whole.max(1) as f64;
    let pooled = share((before.0 + after.0, before.1 + after.1));
    let error = (pooled * (1.0 - pooled) * (1.0 / before.1.max(1) as f64 + 1.0 / after.1.max(1) as f64)).sqrt();
    if error > 0.0 { (share(after) - share(before)) / error } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_distr::{Distribution as _, LogNormal};

    fn noise(mean: f64, seed: u64, count: usize) -> Vec<f64> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let normal = LogNormal::new(mean.ln(), 0.2).unwrap();
        (0..count).map(|_| normal.sample(&mut random)).collect()
    }

    #[test]
    fn a_clear_difference_is_seen_and_noise_is_not() {
        let [low, high] = ratio(&noise(10.0, 1, 60), &noise(13.0, 2, 60)).unwrap();
        assert!(low > 1.1 && high < 1.5 && low < 1.3 && high > 1.3, "{low} {high}");
        // Of intervals of 95 % between equals one in twenty leaves out 1; blocks of few slices make it some more.
        let covering = (0..100).filter(|i| {
            let [low, high] = ratio(&noise(10.0, 2 * i, 30), &noise(10.0, 2 * i + 1, 30)).unwrap();
            low <= 1.0 && high >= 1.0
        });
        assert!(covering.count() >= 85);
        assert!(ratio(&noise(1.0, 1, 5), &noise(1.0, 2, 50)).is_none(), "too few slices");
        assert!(ratio(&[0.0; 20], &[1.0; 20]).is_none(), "nothing positive");
    }

    #[test]
    fn the_interval_of_a_quantile_narrows_with_the_count() {
        let curve: Vec<[f64; 2]> = (0..=1000).map(|i| [f64::from(i) / 1000.0, f64::from(i)]).collect();
        let [low, high] = quantile(&curve, 100, 0.5).unwrap();
        assert!((low - 402.0).abs() <= 1.0 && (high - 598.0).abs() <= 1.0, "{low} {high}");
        let [low, high] = quantile(&curve, 1_000_000, 0.5).unwrap();
        assert!(high - low <= 3.0);
        assert!(quantile(&[], 10, 0.5).is_none());
    }

    #[test]
    fn shares_differ_by_standard_errors() {
        assert!(shares((10, 1000), (50, 1000)) > 4.0);
        assert!(shares((10, 1000), (12, 1000)).abs() < 1.0);
        assert_eq!(shares((0, 1000), (0, 1000)), 0.0);
        assert_eq!(shares((0, 0), (0, 0)), 0.0);
    }
}
