//! Draws the next token of one sequence. Nothing here knows of other sequences: a seed gives the same text in any
//! company.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{Error, Sampling};

/// The draws of one sequence.
pub(crate) struct Sampler {
    sampling: Sampling,
    random: ChaCha8Rng,
    /// Tokens that stand in the sequence, where they are to be made less likely.
    seen: BTreeSet<u32>,
}

impl Sampler {
    /// For a sequence that begins with these tokens.
    pub(crate) fn new(sampling: Sampling, prompt: &[u32]) -> Self {
        let penalised = (sampling.repetition_penalty - 1.0).abs() > f32::EPSILON;
        let seen = if penalised { prompt.iter().copied().collect() } else { BTreeSet::new() };
        Self { sampling, random: ChaCha8Rng::seed_from_u64(sampling.seed), seen }
    }

    /// Draws from the tokens that are allowed.
    ///
    /// # Errors
    /// [`Error::NotANumber`] where the model computed no numbers, or left nothing that is allowed.
    pub(crate) fn draw(&mut self, logits: &[f32], allowed: impl Fn(u32) -> bool) -> Result<u32, Error> {
        let first = likeliest(logits).ok_or(Error::NotANumber)?;
        let penalty = self.sampling.repetition_penalty;
        let plain = (penalty - 1.0).abs() <= f32::EPSILON;
        let penalised = |(token, logit): (u32, &f32)| {
            let factor = if !self.seen.contains(&token) {
                1.0
            } else if *logit > 0.0 {
                1.0 / penalty
            } else {
                penalty
            };
            (token, logit * factor)
        };
        let candidates = (0u32..).zip(logits).filter(|(token, _)| allowed(*token)).map(penalised);
        let token = if self.sampling.temperature == 0.0 && plain && allowed(first.0) {
            Some(first)
        } else if self.sampling.temperature == 0.0 {
            // The first of equals, as elsewhere.
            candidates.reduce(|best, next| if next.1 > best.1 { next } else { best })
        } else {
            let mut candidates: Vec<(u32, f32)> = candidates.collect();
            shorten(&self.sampling, &mut candidates);
            let point = self.random.random::<f32>();
            pick(&candidates, point)
        };
        match token {
            Some((token, logit)) if logit > f32::NEG_INFINITY && logit < f32::INFINITY => {
                if !plain {
                    self.seen.insert(token);
                }
                Ok(token)
            }
            _ => Err(Error::NotANumber),
        }
    }
}

/// The likeliest token, the first of equals; none where a logit is no number.
pub(crate) fn likeliest(logits: &[f32]) -> Option<(u32, f32)> {
    const LANES: usize = 16;
    // Side by side: one search through a large vocabulary would wait for every comparison.
    let (mut most, mut wrong) = ([f32::NEG_INFINITY; LANES], [0u32; LANES]);
    let (chunks, rest) = logits.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            most[lane] = if chunk[lane] > most[lane] { chunk[lane] } else { most[lane] };
            wrong[lane] |= u32::from(chunk[lane].is_nan());
        }
    }
    if wrong.iter().any(|wrong| *wrong > 0) || rest.iter().any(|logit| logit.is_nan()) {
        return None;
    }
    let most = most.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max);
    (0u32..).zip(logits).find(|(_, logit)| **logit >= most).map(|(token, logit)| (token, *logit))
}

/// Keeps the likeliest by top-k, then by top-p and min-p, in falling order.
fn shorten(sampling: &Sampling, candidates: &mut Vec<(u32, f32)>) {
    // Equal logits in the order of their ids, so that the order is one.
    let order = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    let top = sampling.top_k as usize;
    if top > 0 && top < candidates.len() {
        candidates.select_nth_unstable_by(top - 1, order);
        candidates.truncate(top);
    }
    for (_, logit) in candidates.iter_mut() {
        *logit /= sampling.temperature;
    }
    let most = candidates.iter().map(|(_, logit)| *logit).fold(f32::NEG_INFINITY, f32::max);
    if sampling.min_p > 0.0 {
        // p >= min_p * p_max, in logits.
        let least = most + sampling.min_p.ln();
        candidates.retain(|(_, logit)| *logit >= least);
    }
    if sampling.top_p < 1.0 {
        let kept = nucleus(sampling.top_p, most, candidates, order);
        candidates.truncate(kept);
    }
}

/// Brings the likeliest candidates to the front, in falling order, until their probabilities sum to `top_p`; gives how
/// many they are. Few are, mostly: sorting a whole vocabulary would take longer than computing the token.
fn nucleus(
    top_p: f32,
    most: f32,
    candidates: &mut [(u32, f32)],
    order: impl Fn(&(u32, f32), &(u32, f32)) -> Ordering,
) -> usize {
    let total: f32 = candidates.iter().map(|(_, logit)| (logit - most).exp()).sum();
    let (mut sum, mut sorted, mut size) = (0.0, 0, 64);
    while sorted < candidates.len() {
        let next = size.min(candidates.len() - sorted);
        let rest = &mut candidates[sorted..];
        if next < rest.len() {
            rest.select_nth_unstable_by(next - 1, &order);
        }
        rest[..next].sort_unstable_by(&order);
        for (index, (_, logit)) in rest[..next].iter().enumerate() {
            sum += (logit - most).exp() / total;
            if sum >= top_p {
                return sorted + index + 1;
            }
        }
        sorted += next;
        size *= 8;
    }
    candidates.len()
}

/// The candidate at a point in [0, 1) of their summed probabilities.
fn pick(candidates: &[(u32, f32)], point: f32) -> Option<(u32, f32)> {
    let most = candidates.iter().map(|(_, logit)| *logit).fold(f32::NEG_INFINITY, f32::max);
    let total: f32 = candidates.iter().map(|(_, logit)| (logit - most).exp()).sum();
    let mut left = point * total;
    for candidate in candidates {
        left -= (candidate.1 - most).exp();
        if left < 0.0 {
            return Some(*candidate);
        }
    }
    // Rounding may leave a little.
    candidates.iter().copied().reduce(|best, next| if next.1 > best.1 { next } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGITS: [f32; 5] = [1.0, 3.0, 2.0, -1.0, 2.5];

    fn sampler(sampling: Sampling) -> Sampler {
        Sampler::new(sampling, &[1])
    }

    fn drawn(sampling: Sampling, count: u64) -> BTreeSet<u32> {
        (0..count).map(|seed| sampler(Sampling { seed, ..sampling }).draw(&LOGITS, |_| true).unwrap()).collect()
    }

    fn warm() -> Sampling {
        Sampling { temperature: 1.0, ..Sampling::default() }
    }

    #[test]
    fn greedy_takes_the_likeliest_of_the_allowed() {
        let mut sampler = sampler(Sampling::default());
        assert_eq!(sampler.draw(&LOGITS, |_| true), Ok(1));
        assert_eq!(sampler.draw(&LOGITS, |token| token != 1), Ok(4));
        assert_eq!(sampler.draw(&LOGITS, |_| false), Err(Error::NotANumber));
    }

    #[test]
    fn what_is_cut_is_never_drawn() {
        assert_eq!(drawn(warm(), 4000).len(), 5);
        assert_eq!(drawn(Sampling { top_k: 2, ..warm() }, 200), BTreeSet::from([1, 4]));
        // Probabilities are .47, .28, .17, .06, .01.
        assert_eq!(drawn(Sampling { top_p: 0.7, ..warm() }, 200), BTreeSet::from([1, 4]));
        assert_eq!(drawn(Sampling { min_p: 0.3, ..warm() }, 200), BTreeSet::from([1, 2, 4]));
        assert_eq!(drawn(Sampling { temperature: 0.01, ..warm() }, 50), BTreeSet::from([1]));
    }

    #[test]
    fn the_nucleus_of_a_large_vocabulary_is_that_of_the_sorted_one() {
        // A permutation of falling logits, flat enough that more than the first step is needed.
        let count = 5000u32;
        let logits = (0..count).map(|token| (token, -f32::from((token * 1237 % count) as u16) / 400.0));
        let order = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        let mut sorted: Vec<(u32, f32)> = logits.collect();
        let mut candidates = sorted.clone();
        sorted.sort_unstable_by(order);
        for (top_p, about) in [(0.01, 4), (0.5, 277), (0.95, 1198), (0.999, 2762)] {
            let kept = nucleus(top_p, 0.0, &mut candidates, order);
            assert!(kept.abs_diff(about) <= about / 20 + 1, "{top_p}: {kept}");
            assert_eq!(candidates[..kept], sorted[..kept]);
        }
    }

    #[test]
    fn the_likeliest_is_the_first_of_the_largest_wherever_it_stands() {
        for count in [1, 15, 16, 40] {
            for at in 0..count {
                let mut logits = vec![-1.0; count];
                logits[at] = 2.0;
                logits[count - 1] = 2.0;
                assert_eq!(likeliest(&logits), Some((at as u32, 2.0)), "{at} of {count}");
                logits[at] = f32::NAN;
                assert_eq!(likeliest(&logits), None);
            }
        }
        assert_eq!(likeliest(&[]), None);
    }

    #[test]
    fn draws_follow_the_probabilities() {
        let count = 4000;
        let likeliest =
            (0..count).filter(|seed| sampler(Sampling { seed: *seed, ..warm() }).draw(&LOGITS, |_| true) == Ok(1));
        let share = likeliest.count() as f64 / f64::from(4000);
        assert!((share - 0.474).abs() < 0.03, "{share}");
    }

    #[test]
    fn a_seed_gives_the_same_draws() {
        let draws = |seed| {
            let mut sampler = sampler(Sampling { seed, ..warm() });
            (0..20).map(|_| sampler.draw(&LOGITS, |_| true).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(draws(7), draws(7));
        assert_ne!(draws(7), draws(8));
    }

    #[test]
    fn what_was_said_becomes_less_likely() {
        let mut sampler = sampler(Sampling { repetition_penalty: 2.0, ..Sampling::default() });
        let texts: Vec<u32> = (0..3).map(|_| sampler.draw(&LOGITS, |_| true).unwrap()).collect();
        assert_eq!(texts, [4, 2, 1], "3.0 is halved from the start, then 2.5, then 2.0");
    }

    #[test]
    fn no_numbers_are_an_error() {
        for logits in [[f32::NAN, 1.0], [f32::NEG_INFINITY; 2], [f32::INFINITY, 0.0]] {
            assert_eq!(sampler(Sampling::default()).draw(&logits, |_| true), Err(Error::NotANumber));
        }
    }
}
