//! The state of a walk through a clause: which negator, hedge or time reaches how far.

use wenzhen_pack::{Locale, State};

use crate::Severity;
use crate::lexicon::Kind;
use crate::polarity::{AHEAD, Carry, Draft, Reading, Said, Who};
use crate::scan::{Token, residue};
use crate::words::Class;

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

/// Most words between a finding and a negator behind it.
const BEHIND: usize = 4;

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
    /// Only much of it is denied (`没有剧烈的甲`).
    overly: bool,
    severity: Option<Severity>,
    /// Drafts before this one belong to what was said before a contrast.
    segment: usize,
}

/// What the scope makes of a name.
struct Judged {
    state: State,
    /// There, but only a little.
    weak: bool,
    /// A denial of what was said or thought before.
    turned: bool,
    /// Nothing denies or affirms it.
    plain: bool,
}

/// A walk through the tokens of a clause.
pub(crate) struct Walk<'a, 'r> {
    read: &'a Reading<'r>,
    carry: &'a mut Carry,
    scope: Scope,
    said: Said,
}

impl<'a, 'r> Walk<'a, 'r> {
    /// A walk; with `goes_on` the clause is more of a list denied before.
    pub(crate) fn new(read: &'a Reading<'r>, carry: &'a mut Carry, goes_on: bool) -> Self {
        let mut scope = Scope::default();
        if goes_on {
            (scope.reach, scope.used, scope.from) = (Reach::List, true, read.clause.units.start);
        }
        Self { read, carry, scope, said: Said::default() }
    }

    /// Walks to the end of the clause.
    pub(crate) fn run(mut self) -> Said {
        let next_medical = self.read.next_medical();
        for (i, token) in self.read.tokens.iter().enumerate() {
            let more = next_medical.get(i + 1).copied().flatten();
            match token.kind {
                Kind::Word(class) => self.word(class, i, more),
                Kind::Subject { who, relative, .. } => {
                    self.carry.who = Who { subject: Some(who), relative };
                    if self.scope.used || self.read.locale == Locale::En {
                        self.scope.reach = Reach::Nothing;
                    }
                }
                Kind::Finding(_) | Kind::Ended(_) | Kind::Ambiguity(_) => self.medical(i),
                _ => {}
            }
        }
        if let Some(severity) = self.scope.severity {
            // A degree behind its finding: `甲得特别`, `the x is bad`.
            if let Some(last) = self.said.recent(self.scope.segment).next() {
                last.severity.get_or_insert(severity);
                last.bare = false;
            }
        }
        let denied = |d: &Draft| d.state == State::Denied && !d.replaced;
        self.carry.denied_list =
            self.scope.reach == Reach::List && self.scope.used && self.said.drafts.last().is_some_and(denied);
        self.carry.supposing &= !self.read.clause.ends_sentence();
        self.said
    }

    fn word(&mut self, class: Class, i: usize, more: Option<usize>) {
        match class {
            Class::Negator
            | Class::NegatorAhead
            | Class::NegatorOne
            | Class::WeakNegator
            | Class::AllNo
            | Class::No => {
                self.negator(class, i, more);
            }
            // Who is gone is not the one who is spoken of next.
            Class::Parting if !self.counts(i + 1) => self.carry.who = Who::default(),
            Class::MetaNegator | Class::Retort => {
                self.scope.turned = true;
                self.scope.used = false;
                self.scope.reach = Reach::Nothing;
                self.scope.from = self.read.tokens.get(i).map_or(0, |t| t.end);
            }
            Class::Often if more.is_some() && !self.scope.used => {
                // `不是一直甲`: sometimes.
                if self.scope.turned || matches!(self.scope.reach, Reach::List | Reach::One) {
                    (self.scope.turned, self.scope.reach) = (false, Reach::Weak);
                }
            }
            Class::Rhetorical | Class::AllYes => self.scope.reach = Reach::Nothing,
            Class::Only if self.scope.used => self.scope.reach = Reach::Nothing,
            Class::Contrast | Class::Now => self.begin_anew(class),
            Class::Whether => self.scope.whether = true,
            Class::Asking => self.scope.asking = true,
            Class::Supposing => self.carry.supposing = true,
            Class::Past | Class::Once => {
                let start = self.read.tokens.get(i).map(|t| t.start);
                // `没甲之前`: until then.
                let until = |d: &mut Draft| Some(d.end) == start && d.state == State::Denied;
                if self.said.drafts.pop_if(until).is_none() {
                    self.scope.past = true;
                }
            }
            Class::Over => self.over(i, more),
            Class::OverPrefix => self.scope.ending = true,
            Class::RemedyPrefix => self.scope.remedy_at = self.read.tokens.get(i).map(|t| t.end),
            Class::Mild | Class::Moderate | Class::Severe => self.degree(class, more),
            Class::Except => {
                self.scope.excepted = true;
                self.scope.reach = Reach::Nothing;
            }
            Class::Rest => {
                self.said.deny_rest = true;
                self.scope.reach = Reach::Nothing;
            }
            _ => self.behind(class, i, more),
        }
    }

    fn counts(&self, i: usize) -> bool {
        matches!(self.read.kind(i), Some(Kind::Number | Kind::Count(_)))
    }

    /// After a contrast nothing that stood before reaches further, but for a question.
    fn begin_anew(&mut self, class: Class) {
        self.scope = Scope {
            severity: self.scope.severity,
            segment: self.said.drafts.len(),
            asking: self.scope.asking,
            excepted: self.scope.excepted,
            ..Scope::default()
        };
        self.carry.supposing &= class != Class::Contrast;
    }

    /// Words that say something of the findings before them.
    fn behind(&mut self, class: Class, i: usize, more: Option<usize>) {
        let start = self.read.tokens.get(i).map(|t| t.start);
        match class {
            Class::Affirm | Class::Copula | Class::Begin => {
                if self.scope.used {
                    self.scope.reach = Reach::Nothing;
                }
                if more.is_none() {
                    // `甲有，…`: affirmed, so a later denial does not concern it.
                    self.said.recent(self.scope.segment).for_each(|draft| draft.bare = false);
                }
            }
            Class::Hedge => {
                self.scope.hedge = true;
                if more.is_none() {
                    self.said.recent(self.scope.segment).for_each(|draft| draft.state = State::Unsure);
                }
            }
            Class::Persisting => {
                for draft in self.said.recent(self.scope.segment) {
                    draft.bare = false;
                    // `没有甲加重`: it is not the finding that is denied.
                    if draft.state == State::Denied && Some(draft.end) == start {
                        draft.state = State::Present;
                    }
                }
            }
            Class::When | Class::Complement | Class::Thus => {
                // `没甲的时候`: only then, not always. `没甲出来`: it failed. `不甲就好`: supposed.
                self.said.drafts.pop_if(|draft| Some(draft.end) == start && draft.state == State::Denied);
            }
            Class::RemedySuffix | Class::Unrelated => {
                self.said.drafts.pop_if(|draft| Some(draft.end) == start);
            }
            Class::MildAfter | Class::SevereAfter => {
                let weak = class == Class::MildAfter || (self.scope.reach != Reach::Nothing && !self.scope.used);
                if let Some(last) = self.said.recent(self.scope.segment).next() {
                    last.severity = Some(if weak { Severity::Mild } else { Severity::Severe });
                    last.bare = false;
                }
            }
            _ => {}
        }
    }

    fn degree(&mut self, class: Class, more: Option<usize>) {
        let severity = match class {
            Class::Mild => Severity::Mild,
            Class::Moderate => Severity::Moderate,
            _ => Severity::Severe,
        };
        if self.scope.used {
            // `没有甲，有点乙`: a degree begins something new.
            self.scope.reach = Reach::Nothing;
        } else if self.scope.reach == Reach::One && class != Class::Mild && more.is_some() {
            // `不特别甲`: a little.
            self.scope.reach = Reach::Weak;
            return;
        } else if self.scope.turned && class != Class::Mild && more.is_some() {
            // `也不是特别甲`: a little.
            (self.scope.turned, self.scope.reach) = (false, Reach::Weak);
            return;
        } else if self.scope.reach == Reach::List && class == Class::Severe && more.is_some() {
            self.scope.overly = true;
            return;
        }
        self.scope.severity = Some(severity);
    }

    /// A negator denies what follows; at the end of a clause, what stood before.
    fn negator(&mut self, class: Class, i: usize, more: Option<usize>) {
        let (start, end) = self.read.tokens.get(i).map_or((0, 0), |t| (t.start, t.end));
        let rest = self.read.tokens.get(i + 1..).unwrap_or(&[]);
        let rest = rest.get(..rest.partition_point(|t| t.start < end + AHEAD)).unwrap_or(rest);
        let close = rest.iter().position(|t| matches!(t.kind, Kind::Word(Class::Contrast | Class::Only)));
        let stop = close.and_then(|at| rest.get(at)).map_or(self.read.clause.units.end, |t| t.start);
        // `甲没有就是乙`: behind its finding and before a contrast.
        let closes = stop == end && self.said.recent(self.scope.segment).next().is_some_and(|d| d.end == start);
        if more.is_some() && !closes {
            self.reach_out(class, i, end);
            return;
        }
        let rest = rest.get(..close.unwrap_or(rest.len())).unwrap_or(rest);
        let other = |t: &Token| {
            matches!(t.kind, Kind::Word(Class::Inert | Class::Wondering | Class::WonderingFirst | Class::Pregnant))
        };
        // Else it denies something that is no finding (`甲，没去医院`).
        let ends = class != Class::NegatorAhead
            && stop <= end + AHEAD
            && residue(self.read.units, rest, end, stop) == 0
            && !rest.iter().any(other)
            && (class != Class::NegatorOne || rest.is_empty());
        if ends {
            let degree = |t: &Token| matches!(t.kind, Kind::Word(Class::SevereAfter | Class::Severe));
            self.deny_before(i, class == Class::WeakNegator || rest.iter().any(degree));
        }
    }

    fn reach_out(&mut self, class: Class, i: usize, end: usize) {
        let chinese = self.read.locale == Locale::Zh;
        if class == Class::No && chinese {
            return;
        }
        let reach = match class {
            Class::WeakNegator => Reach::Weak,
            Class::NegatorOne => Reach::One,
            _ => Reach::List,
        };
        // Two negators that deny each other: `没有不甲`; but `没有没有甲` and `no, not 甲` only insist.
        let opposed =
            matches!((self.scope.reach, reach), (Reach::List | Reach::One, Reach::One) | (Reach::One, Reach::List));
        let doubled = chinese && opposed && !self.scope.used && self.read.gap(self.scope.from, i) == 0;
        self.scope.reach = if doubled { Reach::Nothing } else { reach };
        self.scope.used = false;
        self.scope.from = end;
    }

    /// Denies what stands before the negator at `i`, as far as nothing else stands between.
    fn deny_before(&mut self, i: usize, weak: bool) {
        let near = |d: &Draft| self.read.gap(d.end, i) <= BEHIND;
        let far =
            self.said.drafts.iter().skip(self.scope.segment).rev().position(|d| d.state == State::Present && !near(d));
        if let Some(far) = far {
            self.scope.segment = self.scope.segment.max(self.said.drafts.len() - far);
        }
        let segment = self.said.drafts.get_mut(self.scope.segment..).unwrap_or_default();
        if self.scope.excepted && !segment.is_empty() {
            self.said.deny_rest = true;
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
        self.scope.segment = self.said.drafts.len();
    }

    fn over(&mut self, i: usize, more: Option<usize>) {
        let adjacent = more.is_some_and(|m| {
            let (Some(over), Some(hit)) = (self.read.tokens.get(i), self.read.tokens.get(m)) else { return false };
            residue(self.read.units, &[], over.end, hit.start) == 0 && hit.start.saturating_sub(over.end) < 3
        });
        let segment = self.said.drafts.get_mut(self.scope.segment..).unwrap_or_default();
        match (segment.is_empty(), adjacent) {
            (true, true) => self.scope.ending = true,
            // `甲，但好了`
            (true, false) => self.said.recent(0).filter(|d| d.state == State::Present).for_each(|d| d.past = true),
            (false, _) => {
                for draft in segment {
                    // What is over was there, even if it is denied now (`not x any more`).
                    if draft.state == State::Denied {
                        draft.state = State::Present;
                    }
                    draft.past = true;
                    draft.bare = false;
                }
                self.scope.segment = self.said.drafts.len();
            }
        }
    }

    /// A name or saying of the pack: what the scope makes of it.
    fn medical(&mut self, i: usize) {
        let Some(token) = self.read.tokens.get(i) else { return };
        if self.scope.remedy_at.take() == Some(token.start) {
            return;
        }
        self.end_reach(i);
        let open = self.is_open(token);
        let said = self.judge(token);
        let (finding, mut state, mut past) = match token.kind {
            Kind::Ambiguity(ambiguity) => {
                let stated = said.state == State::Present && !open && !self.carry.supposing && !self.scope.past;
                let at = (token.start, token.end);
                self.said.ambiguous.extend(stated.then_some((ambiguity, at, self.carry.who)));
                return;
            }
            // That it has not ended means that it is there.
            Kind::Ended(finding) if said.state == State::Unsure => (finding, State::Unsure, true),
            Kind::Ended(finding) => (finding, State::Present, said.state != State::Denied),
            Kind::Finding(finding) => (finding, said.state, self.scope.past),
            _ => return,
        };
        let perfect = self.read.kind(i + 1).is_some_and(|k| k.is(Class::Perfect)) || self.ends_perfect(token);
        let no_longer = perfect && state == State::Denied && !said.turned && self.read.locale == Locale::Zh;
        if std::mem::take(&mut self.scope.ending) || no_longer {
            past = true;
            if state == State::Denied {
                state = State::Present;
            }
        }
        let severity = self.severity(token, said.weak);
        // `以前不甲` says nothing of now; a remedy is named by what it ends.
        let before = state == State::Denied && self.scope.past;
        let remedy = matches!(token.kind, Kind::Ended(_)) && self.read.clause.mood.wonders;
        if self.carry.supposing || before || remedy {
            return;
        }
        self.said.drafts.push(Draft {
            past,
            formerly: self.scope.past,
            bare: !past && severity.is_none() && said.plain,
            severity,
            timed: self.read.timed,
            replaced: said.turned && state == State::Denied,
            open,
            ..Draft::new(finding, state, (token.start, token.end), self.carry.who, self.read.index)
        });
    }

    /// Weighs the negators in front of a name, inside it, and those that deny the denial; what
    /// reaches only one name is used up.
    fn judge(&mut self, token: &Token) -> Judged {
        let inner = |test: fn(Class) -> bool| token.inner.iter().any(|class| test(*class));
        let weak_inside = inner(|c| c == Class::WeakNegator);
        let inside = inner(Class::denies) && !weak_inside;
        let outer = matches!(self.scope.reach, Reach::List | Reach::One);
        let turned = std::mem::take(&mut self.scope.turned);
        let weak = self.scope.reach == Reach::Weak || weak_inside;
        // `不丙不丁` of what is one finding denies it twice over.
        let inside = inside && self.scope.reach != Reach::One;
        let state = if self.read.clause.mood.unsure || self.scope.hedge || std::mem::take(&mut self.scope.overly) {
            State::Unsure
        } else if outer ^ inside ^ turned {
            State::Denied
        } else {
            State::Present
        };
        self.scope.used = true;
        if self.scope.reach != Reach::List {
            self.scope.reach = Reach::Nothing;
        }
        Judged { state, weak, turned, plain: !(outer || inside || turned) }
    }

    /// Whether a saying itself ends in a word for what is done (`甲了`).
    fn ends_perfect(&self, token: &Token) -> bool {
        let last = token.end.checked_sub(1).and_then(|i| self.read.units.get(i));
        last.is_some_and(|u| self.read.lexicon.perfect.contains(&u.ch))
    }

    /// Ends the reach of a negator that is too far away or denies another word first.
    fn end_reach(&mut self, i: usize) {
        let far = match self.scope.reach {
            Reach::Nothing => false,
            Reach::List => self.read.gap(self.scope.from, i) >= if self.scope.used { 3 } else { 4 },
            Reach::One | Reach::Weak => self.read.gap(self.scope.from, i) >= 2,
        };
        if far {
            self.scope.reach = Reach::Nothing;
        } else if self.scope.reach == Reach::List {
            self.scope.from = self.read.tokens.get(i).map_or(self.scope.from, |t| t.end);
        }
    }

    fn is_open(&self, token: &Token) -> bool {
        let whether = self.scope.whether || token.inner.contains(&Class::Whether);
        let mood = self.read.clause.mood;
        let asked = mood.asks || self.scope.asking || (whether && !mood.unsure);
        // `怎么才能不甲` takes the finding for granted and denies nothing.
        (asked && !mood.retort)
            || (mood.wonders && self.scope.reach != Reach::Nothing && self.scope.reach != Reach::Weak)
    }

    fn severity(&mut self, token: &Token, weak: bool) -> Option<Severity> {
        let row: Vec<char> = self.read.units.get(token.start..token.end).unwrap_or(&[]).iter().map(|u| u.ch).collect();
        let own = self.read.lexicon.degrees.get(row.as_slice());
        let inside = token.inner.iter().rev().chain(own).find_map(|class| match class {
            Class::Mild => Some(Severity::Mild),
            Class::Moderate => Some(Severity::Moderate),
            Class::Severe | Class::SevereAfter => Some(Severity::Severe),
            _ => None,
        });
        let before = self.scope.severity.take();
        if weak { Some(Severity::Mild) } else { inside.or(before) }
    }
}
