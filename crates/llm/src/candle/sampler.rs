//! Draws the next token of one sequence. Nothing here knows of other sequences: a seed gives the same text in any
//! company.

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
        if logits.iter().any(|logit| logit.is_nan()) {
            return Err(Error::NotANumber);
        }
        let penalty = self.sampling.repetition_penalty;
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
        let token = if self.sampling.temperature == 0.0 {
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
                if (penalty - 1.0).abs() > f32::EPSILON {
                    self.seen.insert(token);
                }
                Ok(token)
            }
            _ => Err(Error::NotANumber),
        }
    }
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
        candidates.sort_unstable_by(order);
        let total: f32 = candidates.iter().map(|(_, logit)| (logit - most).exp()).sum();
        let mut sum = 0.0;
        let kept = candidates.iter().position(|(_, logit)| {
            sum += (logit - most).exp() / total;
            sum >= sampling.top_p
        });
        candidates.truncate(kept.map_or(candidates.len(), |last| last + 1));
    }
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
