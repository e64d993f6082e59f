//! What a clause says of each finding it names: the reach of negators, hedges and the past.

use wenzhen_pack::{FindingIx, Locale, State};

use crate::clause::Clause;
use crate::lexicon::{Kind, Lexicon};
use crate::scan::{Token, residue};
use crate::units::Unit;
use crate::words::Class;
use crate::{Severity, Subject};

/// Whom something is said of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Who {
    /// `None` where nobody is named.
    pub subject: Option<Subject>,
    /// Somebody who cannot be the patient (`他爸`).
    pub relative: bool,
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
    /// Only named, with nothing that affirms it.
    pub bare: bool,
    /// Denied as what was said wrong (`不是右边，是左边`).
    pub replaced: bool,
    /// Asked for or left open by the patient; nothing is recorded unless an answer follows.
    pub open: bool,
}

/// How far what a negator says reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Reach {
    #[default]
    Nothing,
    /// All that follows.
    List,
    /// What follows at once.
    One,
    /// What follows at once, which is there a little.
    Weak,
}

/// What is carried from clause to clause.
#[derive(Debug, Clone, Default)]
pub(crate) struct Carry {
    pub who: Who,
    pub supposing: bool,
    /// A list denied in the clause before may go on behind the comma.
    denied_list: bool,
}

#[derive(Debug, Default)]
struct Scope {
    reach: Reach,
    /// The negator has denied something already.
    used: bool,
    /// Where the negator ended.
    from: usize,
    turned: bool,
    whether: bool,
    asking: bool,
    hedge: bool,
    past: bool,
    ending: bool,
    remedy_at: Option<usize>,
    excepted: bool,
    severity: Option<Severity>,
    /// Drafts before this one belong to what was said before a contrast.
    segment: usize,
}

/// What a clause says.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub drafts: Vec<Draft>,
    /// Ambiguous sayings with their units and whom they are said of.
    pub ambiguous: Vec<(usize, (usize, usize), Who)>,
    /// Nothing besides what was said.
    pub deny_rest: bool,
    /// Everything named shortly before is denied (`甲，乙，都没有`).
    pub denies_before: bool,
    pub over_before: bool,
}

/// A clause with all that its reading needs.
pub(crate) struct Reading<'a> {
    pub units: &'a [Unit],
    pub tokens: &'a [Token],
    pub clause: &'a Clause,
    pub index: usize,
    pub locale: Locale,
    pub lexicon: &'a Lexicon,
}

impl Reading<'_> {
    /// Walks the clause from left to right.
    pub(crate) fn walk(&self, carry: &mut Carry) -> Said {
        let mut said = Said::default();
        let mut scope = Scope::default();
        if carry.denied_list && self.continues_list() {
            scope.reach = Reach::List;
            scope.used = true;
            scope.from = self.clause.units.start;
        }
        let next_medical = self.next_medical();
        for (i, token) in self.tokens.iter().enumerate() {
            let more = next_medical.get(i + 1).copied().flatten();
            match token.kind {
                Kind::Word(class) => self.word(class, i, more, &mut scope, carry, &mut said),
                Kind::Subject { who, relative, .. } => {
                    carry.who = Who { subject: Some(who), relative };
                    if scope.used || self.locale == Locale::En {
                        scope.reach = Reach::Nothing;
                    }
                }
                Kind::Finding(_) | Kind::Ended(_) | Kind::Ambiguity(_) => {
                    self.medical(i, &mut scope, carry, &mut said);
                }
                _ => {}
            }
        }
        if let Some(severity) = scope.severity {
            // A degree behind its finding: `咳得特别`, `the cough is bad`.
            if let Some(last) = said.drafts.get_mut(scope.segment..).and_then(<[Draft]>::last_mut) {
                last.severity.get_or_insert(severity);
                last.bare = false;
            }
        }
        let denied = |d: &Draft| d.state == State::Denied && !d.replaced;
        carry.denied_list = scope.reach == Reach::List && scope.used && said.drafts.last().is_some_and(denied);
        carry.supposing &= !self.clause.ends_sentence();
        said
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
    fn next_medical(&self) -> Vec<Option<usize>> {
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

    fn kind(&self, i: usize) -> Option<Kind> {
        self.tokens.get(i).map(|t| t.kind)
    }

    /// Words between a unit and a token that no function word covers.
    fn gap(&self, from: usize, i: usize) -> usize {
        let Some(token) = self.tokens.get(i) else { return 0 };
        if token.start.saturating_sub(from) > 24 {
            return 24;
        }
        let first = self.tokens.get(..i).unwrap_or(&[]).iter().rev().take_while(|t| t.start >= from).count();
        let between = self.tokens.get(i - first..i).unwrap_or(&[]);
        let inert: usize = between.iter().filter(|t| t.kind.is(Class::Inert)).map(|t| t.end - t.start).sum();
        inert + residue(self.units, between, from, token.start)
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one walk")]
    fn word(
        &self,
        class: Class,
        i: usize,
        more: Option<usize>,
        scope: &mut Scope,
        carry: &mut Carry,
        said: &mut Said,
    ) {
        match class {
            Class::Negator | Class::NegatorOne | Class::WeakNegator | Class::AllNo | Class::No => {
                self.negator(class, i, more, scope, said);
            }
            Class::MetaNegator | Class::Retort => {
                scope.turned = true;
                scope.reach = Reach::Nothing;
                scope.from = self.tokens.get(i).map_or(0, |t| t.end);
            }
            Class::Rhetorical | Class::AllYes => scope.reach = Reach::Nothing,
            Class::Affirm => {
                if scope.used {
                    scope.reach = Reach::Nothing;
                }
                if more.is_none() {
                    // `咳嗽有，…`: affirmed, so a later denial does not concern it.
                    for draft in said.drafts.get_mut(scope.segment..).unwrap_or_default() {
                        draft.bare = false;
                    }
                }
            }
            Class::Only if scope.used => scope.reach = Reach::Nothing,
            Class::Contrast | Class::Now => {
                let (severity, segment) = (scope.severity, said.drafts.len());
                *scope = Scope { severity, segment, asking: scope.asking, excepted: scope.excepted, ..Scope::default() };
                carry.supposing &= class != Class::Contrast;
            }
            Class::Whether => scope.whether = true,
            Class::Asking => scope.asking = true,
            Class::Hedge => {
                scope.hedge = true;
                if more.is_none() {
                    for draft in said.drafts.get_mut(scope.segment..).unwrap_or_default() {
                        draft.state = State::Unsure;
                    }
                }
            }
            Class::Supposing => carry.supposing = true,
            Class::Past => scope.past = true,
            Class::Over => self.over(i, more, scope, said),
            Class::OverPrefix => scope.ending = true,
            Class::Persisting => {
                for draft in said.drafts.get_mut(scope.segment..).unwrap_or_default() {
                    draft.bare = false;
                }
            }
            Class::RemedyPrefix => scope.remedy_at = self.tokens.get(i).map(|t| t.end),
            Class::RemedySuffix => {
                let start = self.tokens.get(i).map(|t| t.start);
                said.drafts.pop_if(|draft| Some(draft.end) == start);
            }
            Class::Mild | Class::Moderate | Class::Severe => self.degree(class, scope, more),
            Class::MildAfter | Class::SevereAfter => {
                let severity = if class == Class::MildAfter { Severity::Mild } else { Severity::Severe };
                let weak = scope.reach != Reach::Nothing && !scope.used;
                if let Some(last) = said.drafts.get_mut(scope.segment..).and_then(<[Draft]>::last_mut) {
                    last.severity = Some(if weak { Severity::Mild } else { severity });
                    last.bare = false;
                }
            }
            Class::Except => {
                scope.excepted = true;
                scope.reach = Reach::Nothing;
            }
            Class::Rest => {
                said.deny_rest = true;
                scope.reach = Reach::Nothing;
            }
            _ => {}
        }
    }

    fn degree(&self, class: Class, scope: &mut Scope, more: Option<usize>) {
        let severity = match class {
            Class::Mild => Severity::Mild,
            Class::Moderate => Severity::Moderate,
            _ => Severity::Severe,
        };
        if scope.used {
            // `没有甲，有点乙`: a degree begins something new.
            scope.reach = Reach::Nothing;
        } else if scope.reach == Reach::One && class != Class::Mild && more.is_some() {
            // `不特别甲`: a little.
            scope.reach = Reach::Weak;
            return;
        }
        scope.severity = Some(severity);
    }

    /// A negator denies what follows; at the end of a clause, what stood before.
    fn negator(&self, class: Class, i: usize, more: Option<usize>, scope: &mut Scope, said: &mut Said) {
        let end = self.tokens.get(i).map_or(0, |t| t.end);
        if more.is_some() {
            if class == Class::No && self.locale == Locale::Zh {
                return;
            }
            let reach = match class {
                Class::WeakNegator => Reach::Weak,
                Class::NegatorOne => Reach::One,
                _ => Reach::List,
            };
            // Two negators that deny each other: `没有不甲`; but `没有没有甲` and `no, not 甲` only insist.
            let doubled = self.locale == Locale::Zh
                && matches!((scope.reach, reach), (Reach::List | Reach::One, Reach::One) | (Reach::One, Reach::List))
                && !scope.used;
            scope.reach = if doubled { Reach::Nothing } else { reach };
            scope.used = false;
            scope.from = end;
            return;
        }
        let rest = self.tokens.get(i + 1..).unwrap_or(&[]);
        if residue(self.units, rest, end, self.clause.units.end) > 0
            || rest.iter().any(|t| matches!(t.kind, Kind::Word(Class::Inert | Class::Wondering)))
        {
            // It denies something that is no finding (`咳嗽没去医院`).
            return;
        }
        let weak = class == Class::WeakNegator
            || rest.iter().any(|t| matches!(t.kind, Kind::Word(Class::SevereAfter | Class::Severe)));
        let segment = said.drafts.get_mut(scope.segment..).unwrap_or_default();
        if segment.is_empty() {
            said.denies_before = true;
            return;
        }
        if scope.excepted {
            said.deny_rest = true;
            return;
        }
        for draft in segment.iter_mut().filter(|d| d.state == State::Present) {
            if weak {
                draft.severity = Some(Severity::Mild);
            } else {
                draft.state = State::Denied;
                draft.open = false;
            }
            draft.bare = false;
        }
        scope.segment = said.drafts.len();
    }

    fn over(&self, i: usize, more: Option<usize>, scope: &mut Scope, said: &mut Said) {
        let adjacent = more.is_some_and(|m| {
            let (Some(over), Some(hit)) = (self.tokens.get(i), self.tokens.get(m)) else { return false };
            residue(self.units, &[], over.end, hit.start) == 0 && hit.start.saturating_sub(over.end) < 3
        });
        let segment = said.drafts.get_mut(scope.segment..).unwrap_or_default();
        match (segment.is_empty(), adjacent) {
            (true, true) => scope.ending = true,
            (true, false) => said.over_before = true,
            (false, _) => {
                for draft in segment {
                    // What is over was there, even if it is denied now (`don't cough any more`).
                    if draft.state == State::Denied {
                        draft.state = State::Present;
                    }
                    draft.past = true;
                    draft.bare = false;
                }
                scope.segment = said.drafts.len();
            }
        }
    }

    fn medical(&self, i: usize, scope: &mut Scope, carry: &Carry, said: &mut Said) {
        let Some(token) = self.tokens.get(i) else { return };
        if scope.remedy_at.take() == Some(token.start) {
            return;
        }
        self.end_reach(i, scope);
        let inner = |test: fn(Class) -> bool| token.inner.iter().any(|class| test(*class));
        let weak = scope.reach == Reach::Weak || inner(|c| c == Class::WeakNegator);
        let outer = matches!(scope.reach, Reach::List | Reach::One);
        let denied_inside = inner(Class::denies) && !inner(|c| c == Class::WeakNegator);
        let turned = scope.turned;
        let denied = outer ^ denied_inside ^ turned;
        let state = self.state(denied, scope);
        let open = self.is_open(token, scope);
        scope.used = true;
        scope.turned = false;
        if scope.reach != Reach::List {
            scope.reach = Reach::Nothing;
        }
        let mut past = scope.past;
        let (finding, mut state) = match token.kind {
            Kind::Ambiguity(ambiguity) => {
                let stated = state == State::Present && !open && !carry.supposing && !past;
                said.ambiguous.extend(stated.then_some((ambiguity, (token.start, token.end), carry.who)));
                return;
            }
            Kind::Ended(finding) => {
                // `没退烧` is fever still there.
                past = state != State::Denied;
                (finding, if state == State::Unsure { state } else { State::Present })
            }
            Kind::Finding(finding) => (finding, state),
            _ => return,
        };
        let perfect = self.kind(i + 1).is_some_and(|k| k.is(Class::Perfect)) || self.ends_perfect(token);
        let no_longer = perfect && state == State::Denied && !turned;
        if std::mem::take(&mut scope.ending) || (no_longer && self.locale == Locale::Zh) {
            past = true;
            if state == State::Denied {
                state = State::Present;
            }
        }
        if carry.supposing {
            return;
        }
        let severity = self.severity(token, weak, scope);
        said.drafts.push(Draft {
            finding,
            state,
            past,
            formerly: scope.past,
            start: token.start,
            end: token.end,
            bare: !past && severity.is_none() && !outer && !denied_inside && !turned,
            severity,
            duration: None,
            value: None,
            who: carry.who,
            clause: self.index,
            replaced: turned && state == State::Denied,
            open,
        });
    }

    /// Whether a saying itself ends in a word for what is done (`吐了`).
    fn ends_perfect(&self, token: &Token) -> bool {
        let last = token.end.checked_sub(1).and_then(|i| self.units.get(i));
        last.is_some_and(|u| self.lexicon.perfect.contains(&u.ch))
    }

    /// Ends the reach of a negator that is too far away or denies another word first.
    fn end_reach(&self, i: usize, scope: &mut Scope) {
        let far = match scope.reach {
            Reach::Nothing => false,
            Reach::List => self.gap(scope.from, i) >= if scope.used { 3 } else { 4 },
            Reach::One | Reach::Weak => self.gap(scope.from, i) >= 2,
        };
        if far {
            scope.reach = Reach::Nothing;
        } else if scope.reach == Reach::List {
            scope.from = self.tokens.get(i).map_or(scope.from, |t| t.end);
        }
    }

    fn state(&self, denied: bool, scope: &Scope) -> State {
        if self.clause.mood.unsure || scope.hedge {
            State::Unsure
        } else if denied {
            State::Denied
        } else {
            State::Present
        }
    }

    fn is_open(&self, token: &Token, scope: &Scope) -> bool {
        let whether = scope.whether || token.inner.contains(&Class::Whether);
        let mood = self.clause.mood;
        let asked = mood.asks || scope.asking || (whether && !mood.unsure);
        // `怎么才能不咳` takes the finding for granted and denies nothing.
        (asked && !mood.retort) || (mood.wonders && scope.reach != Reach::Nothing && scope.reach != Reach::Weak)
    }

    fn severity(&self, token: &Token, weak: bool, scope: &mut Scope) -> Option<Severity> {
        let row: Vec<char> = self.units.get(token.start..token.end).unwrap_or(&[]).iter().map(|u| u.ch).collect();
        let own = self.lexicon.degrees.get(row.as_slice());
        let inside = token.inner.iter().rev().chain(own).find_map(|class| match class {
            Class::Mild => Some(Severity::Mild),
            Class::Moderate => Some(Severity::Moderate),
            Class::Severe => Some(Severity::Severe),
            _ => None,
        });
        let before = scope.severity.take();
        if weak { Some(Severity::Mild) } else { inside.or(before) }
    }
}
