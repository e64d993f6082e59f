//! Strategy `bayes-plain`: posterior over conditions from all observation states.

use super::{Ending, Person, Query, Reason, Scored, gain, rank, recommend};
use crate::model::Model;
use crate::terms::Known;

/// Findings are correlated beyond their condition, so that plain naive Bayes is too sure of
/// itself. The log likelihood is multiplied by this (see docs/benchmarks.md for the measurement).
pub const TEMPER: f64 = 0.9;

/// Posterior probability of every condition, in the pack's order; 0 for those that cannot
/// concern the person. Sums to 1 unless none can.
pub fn posterior(model: &Model, known: &Known, person: Person) -> Vec<f64> {
    let mut ln: Vec<f64> = model
        .pack()
        .conditions
        .iter()
        .map(|c| if person.passes(&c.gate) { c.prior.ln() } else { f64::NEG_INFINITY })
        .collect();
    for term in &known.terms {
        term.each(model, |condition, ratio| {
            if let Some(ln) = ln.get_mut(condition.at()) {
                *ln += TEMPER * ratio;
            }
        });
    }
    normalise(&mut ln);
    ln
}

/// Turns logarithms into probabilities that sum to 1, in place.
fn normalise(ln: &mut [f64]) {
    let top = ln.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for value in ln.iter_mut() {
        *value = if top.is_finite() { (*value - top).exp() } else { 0.0 };
        sum += *value;
    }
    if sum > 0.0 {
        ln.iter_mut().for_each(|p| *p /= sum);
    }
}

/// Scores, picks the findings worth asking, recommends.
pub fn advance(model: &Model, query: &Query<'_>, known: &Known) -> Scored {
    let posterior = posterior(model, known, query.person);
    let ranked = rank(model, &posterior, query.person);
    let worth_asking = gain::worth_asking(model, query, known, &posterior, &ranked);
    let best = ranked.first().map_or(0.0, |r| r.score);
    let enough = (best >= query.dialogue.stop_posterior).then_some(Reason::PosteriorReached);
    let ending = Ending {
        best: worth_asking.first().map(|c| c.value),
        least: query.dialogue.min_gain_bits,
        sure_enough: best >= query.dialogue.abstain_posterior,
    };
    let recommendation = recommend(query, known, enough, ending);
    Scored { ranked, worth_asking, recommendation }
}
