//! What bears on the complaint: which conditions explain it, and which findings those show.
//!
//! The expected gain alone knows no relevance: a frequent finding of a condition that has
//! nothing to do with the complaint can carry bits, and the question looks random. A condition
//! *explains* a finding that it makes clearly commoner than usual; the rates do that for the
//! parents and the children of what it lists, too.

use wenzhen_pack::{ConditionIx, FindingIx, Kind, State};

use crate::model::Model;
use crate::sparse::{Entry, View};
use crate::terms::{Known, Term};

/// A condition explains a finding that it makes more likely than usual by so many nats.
const EXPLAINS: f64 = 0.2;
/// The plausible conditions are the fewest that hold this much of the probability of all that
/// explain the complaint.
const PLAUSIBLE: f64 = 0.7;
/// Power of P(complaint | condition) by which a condition counts as an explanation.
const TYPICAL: f64 = 2.0;

/// Whether the condition of `entry` makes its finding clearly commoner than usual.
pub fn explains(entry: &Entry) -> bool {
    let above = |view: &View| view.ln_present > EXPLAINS;
    above(&entry.marginal) || above(&entry.given_parent) && entry.weight > 0.0
}

/// Whether a term is a specific complaint: brought up unasked, present, and neither how it came
/// about nor what was before. A parent stands behind a child
/// that was brought up, too, and says more.
pub fn specific(model: &Model, known: &Known, term: &Term) -> bool {
    let findings = &model.pack().findings;
    let kind = findings.get(term.finding.at()).map(|f| f.kind);
    let refined = known.terms.iter().any(|other| {
        let child = findings.get(other.finding.at());
        other.complaint && other.state == State::Present && child.is_some_and(|c| c.parent == Some(term.finding))
    });
    term.complaint
        && term.state == State::Present
        && !refined
        && !matches!(kind, None | Some(Kind::Exposure | Kind::History))
}

/// How each condition, in the pack's order, stands to the complaint.
#[derive(Debug, Clone)]
pub struct Complaint {
    /// The specific complaints.
    findings: Vec<FindingIx>,
    /// How sure the surest of them is.
    sure: f64,
    /// P(complaint | condition) of the complaint that it explains best; 0 where it explains none.
    explained: Vec<f64>,
}

impl Complaint {
    /// Finds the specific complaints and who explains one of them.
    pub fn new(model: &Model, known: &Known) -> Self {
        let terms: Vec<&Term> = known.terms.iter().filter(|t| specific(model, known, t)).collect();
        let findings: Vec<FindingIx> = terms.iter().map(|t| t.finding).collect();
        let sure = terms.iter().map(|t| t.sure).fold(0.0, f64::max);
        let mut explained = vec![0.0_f64; model.pack().conditions.len()];
        for entry in findings.iter().flat_map(|f| model.sparse().of_finding(*f)).filter(|e| explains(e)) {
            if let Some(rate) = explained.get_mut(entry.condition.at()) {
                *rate = rate.max(entry.marginal.rate);
            }
        }
        Self { findings, sure, explained }
    }

    /// The specific complaints, in the pack's order.
    pub fn findings(&self) -> &[FindingIx] {
        &self.findings
    }

    /// How surely a condition leaves every specific complaint unexplained, 0 to 1; 0 without any.
    pub fn unexplained_by(&self, condition: ConditionIx) -> f64 {
        let none = self.explained.get(condition.at()).is_none_or(|rate| *rate <= 0.0);
        if none { self.sure } else { 0.0 }
    }

    /// The plausible conditions. A condition counts by its posterior and by how typical of it the
    /// complaint is: people with it come with what is nearly always there, not with what some of
    /// them have besides. Without specific complaints, and where nothing explains them, all compete.
    pub fn plausible(&self, posterior: &[f64]) -> Vec<ConditionIx> {
        let anyone = self.explained.iter().all(|rate| *rate <= 0.0);
        let typical = |rate: &f64| if anyone { 1.0 } else { rate.powf(TYPICAL) };
        let mut list: Vec<(ConditionIx, f64)> = posterior
            .iter()
            .zip(&self.explained)
            .enumerate()
            .map(|(c, (p, rate))| (ConditionIx::new(c), p * typical(rate)))
            .filter(|(_, weight)| *weight > 0.0)
            .collect();
        list.sort_by(|a, b| b.1.total_cmp(&a.1));
        let mut open = list.iter().map(|(_, weight)| weight).sum::<f64>() * PLAUSIBLE;
        let within = |(_, weight): &(ConditionIx, f64)| {
            let needed = open > 0.0;
            open -= weight;
            needed
        };
        list.into_iter().take_while(within).map(|(c, _)| c).collect()
    }
}

/// How much two findings belong together: at least 1 under one parent, plus the share of the
/// conditions explaining either that explain both (0 to 1).
pub fn kinship(model: &Model, a: FindingIx, b: FindingIx) -> f64 {
    let parent = |f: FindingIx| model.pack().findings.get(f.at()).and_then(|x| x.parent);
    let family = parent(a).is_some() && parent(a) == parent(b) || parent(a) == Some(b) || parent(b) == Some(a);
    let explaining = |f: FindingIx| -> Vec<ConditionIx> {
        model.sparse().of_finding(f).iter().filter(|e| explains(e)).map(|e| e.condition).collect()
    };
    let (of_a, of_b) = (explaining(a), explaining(b));
    let both = of_a.iter().filter(|c| of_b.contains(c)).count();
    let either = of_a.len() + of_b.len() - both;
    f64::from(u8::from(family)) + if either > 0 { both as f64 / either as f64 } else { 0.0 }
}
