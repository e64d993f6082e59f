//! Which findings may be asked for at all.

use wenzhen_pack::{ConditionIx, Finding, FindingIx, Observer, State};

use super::{Query, Ranked};
use crate::model::Model;
use crate::terms::Known;

/// How many leading conditions a question is explained by.
const LEADING: usize = 5;

/// A finding that may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// The finding.
    pub finding: FindingIx,
    /// Its parent is known to be present, or it has none.
    pub given_parent: bool,
}

/// The findings that the observer may be asked for now, in the pack's order: neither known nor
/// asked before, within their gates, observable, and not below a parent that is still to be
/// asked or was refused.
pub fn open(model: &Model, query: &Query<'_>, known: &Known) -> Vec<Open> {
    let findings = &model.pack().findings;
    let mut asked = vec![false; findings.len()];
    for f in query.asked {
        if let Some(flag) = asked.get_mut(f.at()) {
            *flag = true;
        }
    }
    let was_asked = |f: FindingIx| asked.get(f.at()) == Some(&true);
    let mut open = Vec::with_capacity(findings.len());
    for (i, finding) in findings.iter().enumerate() {
        let ix = FindingIx::new(i);
        if known.state(ix).is_some() || was_asked(ix) || !may_ask(finding, query) {
            continue;
        }
        let given_parent = match finding.parent {
            None => true,
            Some(parent) if known.is(parent, State::Present) => true,
            // Unsure or refused: its details are not asked either.
            Some(parent) if known.state(parent).is_some() || was_asked(parent) => continue,
            // A photograph shows a finding and what is above it at once.
            Some(_) if query.observer == Observer::Image => true,
            // The parent is asked first where it can be.
            Some(parent) if findings.get(parent.at()).is_some_and(|p| may_ask(p, query)) => continue,
            Some(_) => false,
        };
        open.push(Open { finding: ix, given_parent });
    }
    open
}

/// Whether this observer may be asked for it about this person.
fn may_ask(finding: &Finding, query: &Query<'_>) -> bool {
    let observable = match query.observer {
        Observer::Patient => finding.askable(),
        Observer::Clinician => finding.observable.iter().any(|o| matches!(o, Observer::Patient | Observer::Clinician)),
        Observer::Image => finding.observable.contains(&Observer::Image),
    };
    observable && query.person.passes(&finding.gate)
}

/// The pair of leading conditions that a finding separates most, the one it speaks for first.
/// `rate` gives P(present | condition); a pair counts by its scores and its difference.
pub fn separated(ranked: &[Ranked], rate: impl Fn(ConditionIx) -> f64) -> Vec<(ConditionIx, f64)> {
    let leading: Vec<(Ranked, f64)> = ranked.iter().take(LEADING).map(|r| (*r, rate(r.condition))).collect();
    let mut best = (0.0, Vec::new());
    for (i, (a, p)) in leading.iter().enumerate() {
        for (b, q) in leading.iter().skip(i + 1) {
            let value = a.score * b.score * (p - q) * (p - q);
            if value > best.0 {
                let mut pair = vec![(a.condition, *p), (b.condition, *q)];
                pair.sort_by(|x, y| y.1.total_cmp(&x.1));
                best = (value, pair);
            }
        }
    }
    best.1
}
