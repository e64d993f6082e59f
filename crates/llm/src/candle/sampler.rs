//! Draws the next token of one sequence. Nothing here knows of other sequences: a seed gives the same text in any
//! company.

use std::collections::BTreeSet;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::kernels::Tier;
use crate::{Error, Sampling};

#[cfg(test)]
mod tests;

/// How far below the largest score to look for what is left, in logits divided by the temperature.
const DEPTHS: [f32; 6] = [4.0, 6.0, 9.0, 13.0, 20.0, 30.0];

/// The draws of one sequence.
pub(crate) struct Sampler {
    sampling: Sampling,
    random: ChaCha8Rng,
    /// Tokens that stand in the sequence, where they are to be made less likely.
    seen: BTreeSet<u32>,
    tier: Tier,
    /// Logits of a draw as they count: what is not allowed is negative infinity. A multiple of 16, as what follows.
    scores: Vec<f32>,
    /// Their exponentials; divided by the sum they are probabilities.
    weights: Vec<f32>,
}

impl Sampler {
    /// For a sequence that begins with these tokens.
    pub(crate) fn new(sampling: Sampling, prompt: &[u32]) -> Self {
        let seen = if penalises(&sampling) { prompt.iter().copied().collect() } else { BTreeSet::new() };
        Self {
            sampling,
            random: ChaCha8Rng::seed_from_u64(sampling.seed),
            seen,
            tier: Tier::best(),
            scores: Vec::new(),
            weights: Vec::new(),
        }
    }

    /// Draws from the tokens that are allowed. Where something is cut off, what is left stands in falling order of
    /// probability (equals in the order of their ids), otherwise in the order of ids; a uniform number in [0, 1) is the
    /// point of their summed probabilities at which the token is.
    ///
    /// # Errors
    /// [`Error::NotANumber`] where the model computed no numbers, or left nothing that is allowed.
    pub(crate) fn draw(&mut self, logits: &[f32], allowed: impl Fn(u32) -> bool) -> Result<u32, Error> {
        let (first, logit) = likeliest(logits).ok_or(Error::NotANumber)?;
        let greedy = self.sampling.temperature == 0.0;
        let (first, most) = if greedy && !penalises(&self.sampling) && allowed(first) {
            (first, logit)
        } else {
            self.score(logits, allowed);
            likeliest(&self.scores).ok_or(Error::NotANumber)?
        };
        if !most.is_finite() {
            return Err(Error::NotANumber);
        }
        let token = if greedy { first } else { self.pick(first, most) };
        if penalises(&self.sampling) {
            self.seen.insert(token);
        }
        Ok(token)
    }

    /// Sets the scores.
    fn score(&mut self, logits: &[f32], allowed: impl Fn(u32) -> bool) {
        let score = |(token, logit): (u32, &f32)| if allowed(token) { *logit } else { f32::NEG_INFINITY };
        self.scores.clear();
        self.scores.extend((0u32..).zip(logits).map(score));
        self.scores.resize(logits.len().next_multiple_of(16), f32::NEG_INFINITY);
        let penalty = self.sampling.repetition_penalty;
        for token in &self.seen {
            if let Some(score) = self.scores.get_mut(*token as usize) {
                *score *= if *score > 0.0 { 1.0 / penalty } else { penalty };
            }
        }
    }

    /// Draws by the scores, of which the `first`, `most`, is the largest.
    fn pick(&mut self, first: u32, most: f32) -> u32 {
        self.weights.resize(self.scores.len(), 0.0);
        let inverse = (1.0 / self.sampling.temperature).min(f32::MAX);
        let total = self.tier.exponentials(&self.scores, most, inverse, &mut self.weights);
        let point = f64::from(self.random.random::<f32>());
        let Sampling { top_p, top_k, min_p, .. } = self.sampling;
        let drawn = if top_p < 1.0 || top_k > 0 || min_p > 0.0 {
            let left = self.left(most, total);
            let total: f64 = left.iter().map(|token| self.weight(*token)).sum();
            self.at(point * total, left.into_iter())
        } else {
            let possible = (0u32..).zip(&self.scores).filter(|(_, score)| **score > f32::NEG_INFINITY);
            self.at(point * f64::from(total), possible.map(|(token, _)| token))
        };
        // Rounding may leave a little.
        drawn.unwrap_or(first)
    }

    /// Where the summed weights of tokens go beyond a point.
    fn at(&self, mut point: f64, mut tokens: impl Iterator<Item = u32>) -> Option<u32> {
        tokens.find(|token| {
            point -= self.weight(*token);
            point < 0.0
        })
    }

    fn weight(&self, token: u32) -> f64 {
        f64::from(self.weights[token as usize])
    }

    /// What top-k, then min-p, then top-p leave, in falling order.
    ///
    /// Few are, mostly, and sorting a whole vocabulary takes longer than computing the token: so only tokens near the
    /// largest score are looked at, and further ones as far as those are not enough.
    fn left(&self, most: f32, total: f32) -> Vec<u32> {
        let Sampling { temperature, top_k, min_p, .. } = self.sampling;
        let count = if top_k > 0 { top_k as usize } else { usize::MAX };
        // p >= min_p * p_max, in scores; the logarithm of 0 leaves all.
        let floor = most + min_p.ln() * temperature;
        for depth in DEPTHS {
            let least = (most - depth * temperature).max(floor);
            let tokens = self.falling(least, count);
            let complete = least <= floor || tokens.len() == count;
            if let Some(left) = self.cut(tokens, complete, total) {
                return left;
            }
        }
        self.cut(self.falling(floor, count), true, total).unwrap_or_default()
    }

    /// What top-p leaves of the first tokens, which are `complete` where they are all that top-k and min-p leave; none
    /// where more are needed.
    fn cut(&self, mut tokens: Vec<u32>, complete: bool, total: f32) -> Option<Vec<u32>> {
        let Sampling { top_p, top_k, min_p, .. } = self.sampling;
        // Probabilities are shares of what top-k and min-p leave.
        let whole = match (top_k > 0 || min_p > 0.0, complete) {
            (true, false) => return None,
            (true, true) => tokens.iter().map(|token| self.weight(*token)).sum(),
            (false, _) => f64::from(total),
        };
        if top_p < 1.0 {
            match self.nucleus(&tokens, f64::from(top_p) * whole) {
                Some(kept) => tokens.truncate(kept),
                None if complete => {}
                None => return None,
            }
        }
        Some(tokens)
    }

    /// At most so many tokens with at least this score, the first in falling order.
    fn falling(&self, least: f32, count: usize) -> Vec<u32> {
        let near = |(_, score): &(u32, &f32)| **score >= least && **score > f32::NEG_INFINITY;
        let mut found: Vec<(u32, f32)> =
            (0u32..).zip(&self.scores).filter(near).map(|(token, score)| (token, *score)).collect();
        // Equals in the order of their ids, so that the order is one.
        let order = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        if count < found.len() {
            found.select_nth_unstable_by(count, order);
            found.truncate(count);
        }
        found.sort_unstable_by(order);
        found.into_iter().map(|(token, _)| token).collect()
    }

    /// How many of the first tokens together have a weight; none where all have less.
    fn nucleus(&self, tokens: &[u32], wanted: f64) -> Option<usize> {
        let mut sum = 0.0;
        let last = tokens.iter().position(|token| {
            sum += self.weight(*token);
            sum >= wanted
        });
        last.map(|last| last + 1)
    }
}

/// Whether tokens that were said become less likely.
fn penalises(sampling: &Sampling) -> bool {
    (sampling.repetition_penalty - 1.0).abs() > f32::EPSILON
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
