//! What a clause says of each finding it names: the reach of negators, hedges and the past.

use wenzhen_pack::{FindingIx, Locale, State};

use crate::clause::Clause;
use crate::lexicon::{Kind, Lexicon};
use crate::scan::{Token, residue};
use crate::scope::Walk;
use crate::units::Unit;
use crate::words::Class;
use crate::{Severity, Subject};

/// How many findings a word behind them can be meant for.
const NEAR: usize = 12;
/// How many units further on a negator's own object is looked for.
pub(crate) const AHEAD: usize = 24;

/// Whom something is said of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Who {
    /// `None` where nobody is named.
    pub subject: Option<Subject>,
    /// Somebody who cannot be the patient (`他爸`).
    pub relative: bool,
}

/// When something is said to be so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timed {
    Now,
    Then,
}

/// The time that a clause tells.
pub(crate) fn timed(tokens: &[Token]) -> Option<Timed> {
    tokens.iter().find_map(|t| match t.kind {
        Kind::Word(Class::Now) => Some(Timed::Now),
        // Less than a day ago is today.
        Kind::Time(days) if days > 0.0 && days < 1.0 => Some(Timed::Now),
        Kind::Time(_) => Some(Timed::Then),
        _ => None,
    })
}

/// What is said of one finding, before it is known who the patient is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Draft {
    pub finding: FindingIx,
    pub state: State,
    pub past: bool,
    /// It was so at some time before, which says nothing of now.
    pub formerly: bool,
    /// Units from and to.
    pub start: usize,
    pub end: usize,
    pub severity: Option<Severity>,
    pub duration: Option<f32>,
    pub value: Option<f64>,
    pub who: Who,
    pub clause: usize,
    /// The clause tells a time: now, or another.
    pub timed: Option<Timed>,
    /// Only named, with nothing that affirms it.
    pub bare: bool,
    /// Denied as what was said wrong (`不是甲，是乙`).
    pub replaced: bool,
    /// Asked for or left open by the patient; nothing is recorded unless an answer follows.
    pub open: bool,
}

impl Draft {
    /// A draft with nothing but its state.
    pub(crate) fn new(finding: FindingIx, state: State, (start, end): (usize, usize), who: Who, clause: usize) -> Self {
        Self {
            finding,
            state,
            past: false,
            formerly: false,
            start,
            end,
            severity: None,
            duration: None,
            value: None,
            who,
            clause,
            timed: None,
            bare: false,
            replaced: false,
            open: false,
        }
    }
}

/// What is carried from clause to clause.
#[derive(Debug, Clone, Default)]
pub(crate) struct Carry {
    pub who: Who,
    pub supposing: bool,
    /// A list denied in the clause before may go on behind the comma.
    pub denied_list: bool,
}

/// What a clause says.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub drafts: Vec<Draft>,
    /// Ambiguous sayings with their units and whom they are said of.
    pub ambiguous: Vec<(usize, (usize, usize), Who)>,
    /// Nothing besides what was said.
    pub deny_rest: bool,
}

impl Said {
    /// The last few findings since a contrast. A word behind them is not meant for dozens, and the
    /// walk stays linear.
    pub(crate) fn recent(&mut self, segment: usize) -> impl Iterator<Item = &mut Draft> {
        self.drafts.get_mut(segment..).unwrap_or_default().iter_mut().rev().take(NEAR)
    }
}

/// A clause with all that its reading needs.
pub(crate) struct Reading<'a> {
    pub units: &'a [Unit],
    pub tokens: &'a [Token],
    pub clause: &'a Clause,
    pub index: usize,
    pub locale: Locale,
    pub lexicon: &'a Lexicon,
    /// The time that the clause tells.
    pub timed: Option<Timed>,
}

impl Reading<'_> {
    /// Reads the clause from left to right.
    pub(crate) fn walk(&self, carry: &mut Carry) -> Said {
        let goes_on = carry.denied_list && self.continues_list();
        Walk::new(self, carry, goes_on).run()
    }

    /// Whether the clause is only more of a list: findings, conjunctions and fillers, and in
    /// Chinese a word that ends an enumeration.
    fn continues_list(&self) -> bool {
        let listed = |t: &Token| match t.kind {
            Kind::Finding(_) => t.inner.is_empty(),
            Kind::Word(class) => matches!(class, Class::List | Class::Filler | Class::Such | Class::Perfect),
            _ => false,
        };
        let closed = self.locale == Locale::En || self.tokens.iter().any(|t| t.kind.is(Class::Such));
        closed
            && self.tokens.iter().any(|t| t.kind.is_medical())
            && self.tokens.iter().all(listed)
            && residue(self.units, self.tokens, self.clause.units.start, self.clause.units.end) == 0
    }

    /// Per token, the next medical token at or behind it.
    pub(crate) fn next_medical(&self) -> Vec<Option<usize>> {
        let mut next = vec![None; self.tokens.len() + 1];
        let mut found = None;
        for (i, token) in self.tokens.iter().enumerate().rev() {
            if token.kind.is_medical() {
                found = Some(i);
            }
            if let Some(slot) = next.get_mut(i) {
                *slot = found;
            }
        }
        next
    }

    pub(crate) fn kind(&self, i: usize) -> Option<Kind> {
        self.tokens.get(i).map(|t| t.kind)
    }

    /// Words between a unit and a token that no function word covers.
    pub(crate) fn gap(&self, from: usize, i: usize) -> usize {
        let Some(token) = self.tokens.get(i) else { return 0 };
        if token.start.saturating_sub(from) > AHEAD {
            return AHEAD;
        }
        let first = self.tokens.get(..i).unwrap_or(&[]).iter().rev().take_while(|t| t.start >= from).count();
        let between = self.tokens.get(i - first..i).unwrap_or(&[]);
        let inert: usize = between.iter().filter(|t| t.kind.is(Class::Inert)).map(|t| t.end - t.start).sum();
        inert + residue(self.units, between, from, token.start)
    }
}
