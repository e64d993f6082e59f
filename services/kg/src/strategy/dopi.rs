//! Strategy `dopi`: DoPI (Sun et al., 2025), equations 1 to 5.
//!
//! The paper knows only what is present and what is not known, so a denial counts for nothing
//! but is not asked again. It has no abstention either: at the end the best cosine is named,
//! unless nothing at all was observed.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};
use wenzhen_pack::{FindingIx, State};

use super::candidates::{open, separated};
use super::{Candidate, Ending, Query, Reason, Scored, rank, recommend};
use crate::model::Model;
use crate::terms::Known;

/// Cosine of every condition with the patient, in the pack's order (equation 3).
///
/// The patient vector P (equation 1) holds how sure a finding is present, 0 where it is not
/// known or denied; the condition vector D (equation 2) holds the weights of its edges.
pub fn cosines(model: &Model, known: &Known) -> Vec<f64> {
    let mut dot = vec![0.0; model.pack().conditions.len()];
    for (f, p) in present(known) {
        for entry in model.sparse().of_finding(f) {
            if let Some(dot) = dot.get_mut(entry.condition.at()) {
                *dot += p * entry.weight;
            }
        }
    }
    let length = patient_norm(known);
    let cosine = |dot: f64, norm: f64| if norm * length > 0.0 { (dot / (norm * length)).clamp(0.0, 1.0) } else { 0.0 };
    model.conditions().zip(dot).map(|(c, dot)| cosine(dot, model.norm(c))).collect()
}

/// Share of a condition's cosine that a present finding brings.
pub fn share(model: &Model, known: &Known, condition: wenzhen_pack::ConditionIx, finding: FindingIx) -> f64 {
    let p = present(known).find(|(f, _)| *f == finding).map_or(0.0, |(_, p)| p);
    let weight = model.sparse().entry(condition, finding).map_or(0.0, |e| e.weight);
    let norms = model.norm(condition) * patient_norm(known);
    if norms > 0.0 { p * weight / norms } else { 0.0 }
}

/// The findings that make up the patient vector (equation 1).
pub fn present(known: &Known) -> impl Iterator<Item = (FindingIx, f64)> + '_ {
    known.closed.iter().enumerate().filter_map(|(f, closed)| {
        let closed = closed.filter(|c| c.state == State::Present)?;
        let sure = f64::from(closed.probability);
        (sure > 0.0).then(|| (FindingIx::new(f), sure.min(1.0)))
    })
}

fn patient_norm(known: &Known) -> f64 {
    present(known).map(|(_, p)| p * p).sum::<f64>().sqrt()
}

/// Scores, picks the findings worth asking, recommends.
pub fn advance(model: &Model, query: &Query<'_>, known: &Known) -> Scored {
    let mut cosines = cosines(model, known);
    for (cosine, condition) in cosines.iter_mut().zip(&model.pack().conditions) {
        if !query.person.passes(&condition.gate) {
            *cosine = 0.0;
        }
    }
    let ranked = rank(model, &cosines, query.person);
    let mut worth_asking: Vec<Candidate> = final_scores(model, query, known, &cosines)
        .into_iter()
        .map(|(finding, value)| Candidate { finding, value, probability: 0.0, separates: Vec::new() })
        .collect();
    worth_asking.sort_by(|a, b| b.value.total_cmp(&a.value));
    worth_asking.truncate(query.limit);
    for candidate in &mut worth_asking {
        let weight = |c| model.sparse().entry(c, candidate.finding).map_or(0.0, |e| e.weight);
        candidate.separates = separated(&ranked, weight);
    }
    let best = ranked.first().map_or(0.0, |r| r.score);
    let enough = (best >= query.dialogue.dopi_epsilon).then_some(Reason::CosineReached);
    let ending =
        Ending { best: worth_asking.first().map(|c| c.value), least: f64::NEG_INFINITY, sure_enough: best > 0.0 };
    let recommendation = recommend(query, known, enough, ending);
    Scored { ranked, worth_asking, recommendation }
}

/// Score(j) = Σ_i w_ji S_i over unknown findings (equation 4), plus N(0, σ²) with σ falling by
/// round (equation 5). The same seed and round give the same noise.
fn final_scores(model: &Model, query: &Query<'_>, known: &Known, cosines: &[f64]) -> Vec<(FindingIx, f64)> {
    let decay = query.dialogue.dopi_sigma_decay.powf(f64::from(query.round));
    let sigma = query.dialogue.dopi_sigma * decay;
    let noise = Normal::new(0.0, sigma).ok().filter(|_| sigma > 0.0);
    let mut rng = ChaCha8Rng::seed_from_u64(query.seed);
    rng.set_stream(u64::from(query.round));
    open(model, query, known)
        .into_iter()
        .map(|open| {
            let row = model.sparse().of_finding(open.finding);
            let cosine = |c: usize| cosines.get(c).copied().unwrap_or(0.0);
            let score: f64 = row.iter().map(|e| e.weight * cosine(e.condition.at())).sum();
            (open.finding, score + noise.map_or(0.0, |n| n.sample(&mut rng)))
        })
        .collect()
}
