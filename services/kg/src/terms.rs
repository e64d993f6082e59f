//! From observations to independent likelihood terms.
//!
//! What follows from something else must not be counted again: a finding implied by another
//! one, a denial that follows from a denied parent or from what excludes it. What remains are
//! factors that multiply: P(parent) · P(child | parent), and one factor for all denied values
//! of an axis.

use wenzhen_pack::{Closed, ConditionIx, Evidence, FindingIx, Pack, State, close};

use crate::model::Model;
use crate::sparse::{Entry, Reference, View, denied_ratio};

/// One factor of the likelihood.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// The finding; of an axis with several denied values, the first.
    pub finding: FindingIx,
    /// Present or denied.
    pub state: State,
    /// How sure the observer is, 0 to 1.
    pub sure: f64,
    /// The parent is known to be present (or there is none).
    pub given_parent: bool,
    /// Further denied values of the same axis.
    pub with: Vec<FindingIx>,
    /// It follows from other findings and was not said.
    pub derived: bool,
    /// It was brought up unasked.
    pub complaint: bool,
}

/// Observations closed under the pack's rules, and the terms they come to.
#[derive(Debug, Clone)]
pub struct Known {
    /// One entry per finding of the pack; `None` where nothing is known.
    pub closed: Vec<Option<Closed>>,
    /// The factors, in the order of findings.
    pub terms: Vec<Term>,
}

impl Known {
    /// Closes observations. Their order matters only where one finding is observed twice: the
    /// last observation counts. What is present without having been `asked` is a complaint.
    pub fn new(model: &Model, evidence: &[Evidence], asked: &[FindingIx]) -> Self {
        let closed = close(model.pack(), evidence);
        let counted = counted_present(model, &closed);
        let mut known = Self { terms: Vec::with_capacity(closed.len().min(2 * evidence.len())), closed };
        for (f, counted) in counted.into_iter().enumerate() {
            let f = FindingIx::new(f);
            let Some(state) = known.state(f) else { continue };
            match state.state {
                State::Present if counted => known.push(model.pack(), f, state, !asked.contains(&f)),
                State::Denied if !state.derived && !known.follows(model.pack(), f) => {
                    known.push(model.pack(), f, state, false)
                }
                State::Present | State::Denied | State::Unsure => {}
            }
        }
        known
    }

    /// What is known of a finding.
    pub fn state(&self, finding: FindingIx) -> Option<Closed> {
        self.closed.get(finding.at()).copied().flatten()
    }

    /// Whether a finding is known to be in this state.
    pub fn is(&self, finding: FindingIx, state: State) -> bool {
        self.state(finding).is_some_and(|c| c.state == state)
    }

    fn push(&mut self, pack: &Pack, finding: FindingIx, closed: Closed, complaint: bool) {
        let given_parent = parent(pack, finding).is_none_or(|p| self.is(p, State::Present));
        let sure = f64::from(closed.probability).clamp(0.0, 1.0);
        let sure = if sure.is_nan() { 0.0 } else { sure };
        if closed.state == State::Denied {
            let same = |t: &&mut Term| t.state == State::Denied && same_axis(pack, t.finding, finding);
            if let Some(term) = self.terms.iter_mut().find(same) {
                term.with.push(finding);
                term.sure = term.sure.min(sure);
                return;
            }
        }
        let (state, derived) = (closed.state, closed.derived);
        self.terms.push(Term { finding, state, sure, given_parent, with: Vec::new(), derived, complaint });
    }

    /// A said denial that follows from what else is known.
    fn follows(&self, pack: &Pack, finding: FindingIx) -> bool {
        let excluded = |f: &FindingIx| self.is(*f, State::Present);
        parent(pack, finding).is_some_and(|p| self.is(p, State::Denied))
            || pack.findings.get(finding.at()).is_some_and(|f| f.excludes.iter().any(excluded))
    }
}

impl Term {
    /// Calls `add` with each condition whose likelihood differs from the reference, and the
    /// logarithm of their ratio, in nats.
    pub fn each(&self, model: &Model, mut add: impl FnMut(ConditionIx, f64)) {
        if self.with.is_empty() {
            for entry in model.sparse().of_finding(self.finding) {
                add(entry.condition, self.soften(self.hard(self.view(entry))));
            }
            return;
        }
        let mut touched: Vec<ConditionIx> =
            self.findings().flat_map(|f| model.sparse().of_finding(f)).map(|e| e.condition).collect();
        touched.sort_unstable();
        touched.dedup();
        for condition in touched {
            add(condition, self.ratio(model, condition));
        }
    }

    /// Logarithm of P(this | condition) / P(this | reference), in nats.
    pub fn ratio(&self, model: &Model, condition: ConditionIx) -> f64 {
        let sparse = model.sparse();
        if self.with.is_empty() {
            return sparse.entry(condition, self.finding).map_or(0.0, |e| self.soften(self.hard(self.view(e))));
        }
        // All denied values of an axis: 1 minus their sum.
        let (mut here, mut reference) = (0.0, 0.0);
        for f in self.findings() {
            let usual = sparse.reference(f).map_or(0.0, |r| self.reference_view(r).rate);
            reference += usual;
            here += sparse.entry(condition, f).map_or(usual, |e| self.view(e).rate);
        }
        self.soften(denied_ratio(here.min(0.99), reference.min(0.99)).ln())
    }

    /// The findings of this term.
    pub fn findings(&self) -> impl Iterator<Item = FindingIx> + '_ {
        std::iter::once(self.finding).chain(self.with.iter().copied())
    }

    fn view<'a>(&self, entry: &'a Entry) -> &'a View {
        if self.given_parent { &entry.given_parent } else { &entry.marginal }
    }

    fn reference_view<'a>(&self, reference: &'a Reference) -> &'a View {
        if self.given_parent { &reference.given_parent } else { &reference.marginal }
    }

    fn hard(&self, view: &View) -> f64 {
        if self.state == State::Present { view.ln_present } else { view.ln_denied }
    }

    /// Jeffrey's mixture: with probability `sure` the state holds, else nothing is known.
    fn soften(&self, ln_ratio: f64) -> f64 {
        if self.sure >= 1.0 { ln_ratio } else { (self.sure * ln_ratio.exp() + (1.0 - self.sure)).ln() }
    }
}

/// Which present findings count: what was said, unless something else that was said implies
/// it, and the parents of what counts.
fn counted_present(model: &Model, closed: &[Option<Closed>]) -> Vec<bool> {
    let said =
        |f: FindingIx| closed.get(f.at()).copied().flatten().is_some_and(|c| c.state == State::Present && !c.derived);
    let mut counted: Vec<bool> = (0..closed.len()).map(|f| said(FindingIx::new(f))).collect();
    for f in (0..closed.len()).map(FindingIx::new).filter(|f| said(*f)) {
        for implied in model.implied_by(f) {
            // Of two that imply each other, the first one counts.
            if !model.implied_by(*implied).contains(&f) || f < *implied {
                set(&mut counted, *implied, false);
            }
        }
    }
    for &f in model.children_first() {
        if counted.get(f.at()) == Some(&true) {
            let present =
                |p: &FindingIx| closed.get(p.at()).copied().flatten().is_some_and(|c| c.state == State::Present);
            if let Some(parent) = parent(model.pack(), f).filter(present) {
                set(&mut counted, parent, true);
            }
        }
    }
    counted
}

fn set(flags: &mut [bool], finding: FindingIx, value: bool) {
    if let Some(flag) = flags.get_mut(finding.at()) {
        *flag = value;
    }
}

fn parent(pack: &Pack, finding: FindingIx) -> Option<FindingIx> {
    pack.findings.get(finding.at()).and_then(|f| f.parent)
}

fn same_axis(pack: &Pack, a: FindingIx, b: FindingIx) -> bool {
    match (pack.findings.get(a.at()), pack.findings.get(b.at())) {
        (Some(a), Some(b)) => a.axis.is_some() && a.axis == b.axis && a.parent == b.parent,
        _ => false,
    }
}
