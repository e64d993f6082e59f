//! Expected information gain of a question, in bits.
//!
//! The gain of asking X about the condition C is their mutual information, and that is
//! symmetrical: I(C; X) = H(X) - H(X | C). So no posterior has to be worked out per answer:
//! H(X) needs P(present) = Σ π_c q_c, and H(X | C) = Σ π_c h(q_c), where h(q_c) is tabulated.
//! Both sums run only over the conditions in which the finding differs from the reference.
//! An answer "not sure" carries nothing, so the gain is multiplied by the chance of an answer.

use wenzhen_pack::{ConditionIx, FindingIx, Kind, Observer};

use super::candidates::{Open, open, separated};
use super::relevance::{Complaint, explains, kinship};
use super::{Candidate, Query, Ranked};
use crate::model::Model;
use crate::sparse::entropy_bits;
use crate::terms::Known;

/// Candidates that are looked at again after a first finding was picked.
const SHORT_LIST: usize = 16;
/// The gain of what no plausible condition shows is multiplied by this: it may be asked when
/// nothing else is left, not before.
const BESIDE_THE_POINT: f64 = 0.1;
/// Of those whose gain is at least this part of the next one's, the one that belongs most to
/// what is asked already comes first.
const NEARLY_EQUAL: f64 = 0.8;

/// A branch of what has been picked so far for the same question.
struct Branch {
    weight: f64,
    posterior: Vec<f64>,
}

/// The findings worth asking, best first. The first ones go into one question together, so
/// each is valued by what it adds to those before it.
pub fn worth_asking(
    model: &Model,
    query: &Query<'_>,
    known: &Known,
    posterior: &[f64],
    ranked: &[Ranked],
) -> Vec<Candidate> {
    let plausible = Complaint::new(model, known).plausible(posterior);
    let weight = |f: FindingIx| answered(model, query.observer, f) * bearing(model, f, &plausible);
    let mut list: Vec<(Open, f64, f64)> = open(model, query, known)
        .into_iter()
        .map(|open| {
            let (probability, bits) = information(model, open, posterior);
            (open, probability, bits * weight(open.finding))
        })
        .filter(|(_, _, bits)| *bits > 0.0)
        .collect();
    sort(&mut list);
    list.truncate(query.limit.max(SHORT_LIST));
    let together = usize::try_from(query.dialogue.findings_per_question).unwrap_or(1).min(list.len());
    let mut branches = vec![Branch { weight: 1.0, posterior: posterior.to_vec() }];
    for picked in 1..together {
        let Some((last, ..)) = list.get(picked - 1).copied() else { break };
        branches = branches.iter().flat_map(|b| split(model, last, b)).collect();
        let rest = list.get_mut(picked..).unwrap_or_default();
        for (open, _, bits) in rest.iter_mut() {
            let beyond: f64 = branches.iter().map(|b| b.weight * information(model, *open, &b.posterior).1).sum();
            *bits = bits.min(beyond * weight(open.finding));
        }
        sort(rest);
        let near = rest.first().map_or(0.0, |next| next.2 * NEARLY_EQUAL);
        let equals = rest.partition_point(|(.., bits)| *bits >= near);
        let kin = |open: &Open| kinship(model, last.finding, open.finding);
        rest.get_mut(..equals).unwrap_or_default().sort_by(|a, b| kin(&b.0).total_cmp(&kin(&a.0)));
    }
    list.truncate(query.limit);
    let candidate = |(open, probability, value): (Open, f64, f64)| Candidate {
        finding: open.finding,
        value,
        probability,
        separates: separated(ranked, |c| rate(model, open, c)),
    };
    list.into_iter().map(candidate).collect()
}

/// Equal gains stay in the pack's order.
fn sort(list: &mut [(Open, f64, f64)]) {
    list.sort_by(|a, b| b.2.total_cmp(&a.2));
}

/// 1 for what some plausible condition shows, else little. What they all expect to be absent, or
/// say nothing of, can only confirm what is known.
fn bearing(model: &Model, finding: FindingIx, plausible: &[ConditionIx]) -> f64 {
    let shown = |c: &ConditionIx| model.sparse().entry(*c, finding).is_some_and(explains);
    if plausible.iter().any(shown) { 1.0 } else { BESIDE_THE_POINT }
}

/// P(present) and the mutual information with the condition, in bits.
fn information(model: &Model, open: Open, posterior: &[f64]) -> (f64, f64) {
    let Some(reference) = model.sparse().reference(open.finding) else { return (0.0, 0.0) };
    let usual = if open.given_parent { &reference.given_parent } else { &reference.marginal };
    let (mut probability, mut conditional) = (usual.rate, usual.entropy);
    for entry in model.sparse().of_finding(open.finding) {
        let view = if open.given_parent { &entry.given_parent } else { &entry.marginal };
        let weight = posterior.get(entry.condition.at()).copied().unwrap_or(0.0);
        probability += weight * (view.rate - usual.rate);
        conditional += weight * (view.entropy - usual.entropy);
    }
    (probability, (entropy_bits(probability) - conditional).max(0.0))
}

/// P(present | condition) as the question sees it.
fn rate(model: &Model, open: Open, condition: ConditionIx) -> f64 {
    let (entry, reference) = (model.sparse().entry(condition, open.finding), model.sparse().reference(open.finding));
    match (entry, reference, open.given_parent) {
        (Some(e), _, true) => e.given_parent.rate,
        (Some(e), _, false) => e.marginal.rate,
        (None, Some(r), true) => r.given_parent.rate,
        (None, Some(r), false) => r.marginal.rate,
        (None, None, _) => 0.0,
    }
}

/// Splits a branch by the answer to one more finding.
fn split(model: &Model, open: Open, branch: &Branch) -> [Branch; 2] {
    let usual = model
        .sparse()
        .reference(open.finding)
        .map_or(0.0, |r| if open.given_parent { r.given_parent.rate } else { r.marginal.rate });
    let mut present: Vec<f64> = branch.posterior.iter().map(|p| p * usual).collect();
    for entry in model.sparse().of_finding(open.finding) {
        let view = if open.given_parent { &entry.given_parent } else { &entry.marginal };
        let here = branch.posterior.get(entry.condition.at()).copied().unwrap_or(0.0);
        if let Some(slot) = present.get_mut(entry.condition.at()) {
            *slot = here * view.rate;
        }
    }
    let mut denied: Vec<f64> = branch.posterior.iter().zip(&present).map(|(all, yes)| all - yes).collect();
    let close = |values: &mut Vec<f64>| {
        let sum: f64 = values.iter().sum();
        if sum > 0.0 {
            values.iter_mut().for_each(|v| *v /= sum);
        }
        sum
    };
    let (yes, no) = (close(&mut present), close(&mut denied));
    [
        Branch { weight: branch.weight * yes, posterior: present },
        Branch { weight: branch.weight * no, posterior: denied },
    ]
}

/// The chance that the observer can answer. People know what they feel; their own tongue and
/// what others see of them they know less well.
fn answered(model: &Model, observer: Observer, finding: FindingIx) -> f64 {
    let Some(finding) = model.pack().findings.get(finding.at()) else { return 0.0 };
    match (observer, finding.kind) {
        (Observer::Patient, Kind::Symptom | Kind::Exposure) => 0.95,
        (Observer::Patient, Kind::History) => 0.9,
        (Observer::Patient, Kind::Sign) => 0.75,
        (Observer::Patient, Kind::Tongue) => 0.6,
        (Observer::Patient, Kind::Pulse) => 0.0,
        (Observer::Clinician | Observer::Image, _) => 1.0,
    }
}
