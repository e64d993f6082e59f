//! Reads the clauses of an utterance one after the other and gathers what they say.

use wenzhen_pack::{FindingIx, Locale, Pack, State};

use crate::answer::{self, Bare, Scope};
use crate::clause::{self, Clause};
use crate::ellipsis::{self, Focus};
use crate::lexicon::{Kind, Lexicon};
use crate::polarity::{Carry, Draft, Reading, Said, Who};
use crate::quantity::{self, Quantity};
use crate::scan::{Token, scan};
use crate::units::Unit;
use crate::words::Class;

/// Gathers what an utterance says.
pub(crate) struct Reader<'a> {
    pub pack: &'a Pack,
    pub lexicon: &'a Lexicon,
    pub locale: Locale,
    pub asked: &'a [FindingIx],
    pub clarifying: bool,
    pub tokens: Vec<Token>,
    pub clauses: Vec<Read>,
    pub drafts: Vec<Draft>,
    /// Ambiguous sayings with their units and whom they are said of.
    pub ambiguous: Vec<(usize, (usize, usize), Who)>,
    pub answers: Vec<Draft>,
    /// A bare word of agreement or denial, for all that was asked.
    pub whole: Option<Whole>,
    pub deny_rest: bool,
    carry: Carry,
    /// Drafts of the last clause that had any begin here.
    last: usize,
}

/// A bare word of agreement or denial, with where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Whole {
    pub bare: Bare,
    pub span: (usize, usize),
    pub who: Who,
    pub clause: usize,
}

/// A clause with what was read in it.
pub(crate) struct Read {
    pub clause: Clause,
    pub readings: Vec<quantity::Reading>,
    pub who: Who,
    pub supposed: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(
        pack: &'a Pack,
        lexicon: &'a Lexicon,
        locale: Locale,
        asked: &'a [FindingIx],
        clarifying: bool,
    ) -> Self {
        Self {
            pack,
            lexicon,
            locale,
            asked,
            clarifying,
            tokens: Vec::new(),
            clauses: Vec::new(),
            drafts: Vec::new(),
            ambiguous: Vec::new(),
            answers: Vec::new(),
            whole: None,
            deny_rest: false,
            carry: Carry::default(),
            last: 0,
        }
    }

    /// Reads every clause.
    pub(crate) fn read(mut self, units: &[Unit]) -> Self {
        let tokens = scan(self.lexicon, units);
        for (index, clause) in clause::split(units, &tokens).into_iter().enumerate() {
            let own = tokens.get(clause.tokens.clone()).unwrap_or(&[]);
            self.clause(units, own, clause, index);
        }
        self.tokens = tokens;
        self
    }

    fn clause(&mut self, units: &[Unit], tokens: &[Token], mut clause: Clause, index: usize) {
        let resolved = self.resolve(units, tokens, &mut clause);
        let tokens = resolved.as_deref().unwrap_or(tokens);
        let was_about = self.carry.who;
        let supposed = self.carry.supposing || tokens.iter().any(|t| t.kind.is(Class::Supposing));
        let named = self.measurable(tokens);
        let readings = quantity::read(self.lexicon, self.pack, units, tokens, &clause, &named);
        let reading = Reading { units, tokens, clause: &clause, index, locale: self.locale, lexicon: self.lexicon };
        let said = reading.walk(&mut self.carry);
        let (empty, before) = (said.drafts.is_empty() && said.ambiguous.is_empty(), self.drafts.len());
        self.take(said);
        self.measures(&readings, &clause, index, supposed, before);
        let measured = self.drafts.len() > before;
        if empty && !measured && !supposed {
            self.bare(units, tokens, &clause, index, was_about);
        }
        self.lasts(&readings, before, measured || !empty, index);
        if measured {
            self.last = before;
        }
        let who = self.carry.who;
        if clause.ends_sentence() && who.subject != Some(crate::Subject::Child) {
            self.carry.who = Who::default();
        }
        self.clauses.push(Read { clause, readings, who, supposed });
    }

    /// Tokens of the clause with what its words leave out, or with an ambiguous saying made
    /// clear by the question before.
    fn resolve(&self, units: &[Unit], tokens: &[Token], clause: &mut Clause) -> Option<Vec<Token>> {
        let asked_for = |ambiguity: usize| {
            let candidates = &self.pack.ambiguities.get(ambiguity)?.candidates;
            let mut meant = self.asked.iter().filter(|f| candidates.contains(f));
            meant.next().copied().filter(|_| meant.next().is_none())
        };
        let mut changed: Option<Vec<Token>> = None;
        for (i, token) in tokens.iter().enumerate() {
            if let Kind::Ambiguity(ambiguity) = token.kind {
                if let Some(finding) = asked_for(ambiguity) {
                    if let Some(slot) = changed.get_or_insert_with(|| tokens.to_vec()).get_mut(i) {
                        slot.kind = Kind::Finding(finding);
                    }
                }
            }
        }
        if changed.is_some() {
            return changed;
        }
        let before = self.drafts.get(self.last..).and_then(<[Draft]>::last).filter(|d| d.end > d.start);
        let topic = tokens.iter().rev().find(|t| matches!(t.kind, Kind::Finding(_))).map(|t| (t.start, t.end));
        let topic = topic.or(before.map(|d| (d.start, d.end)));
        let focus = Focus { asked: self.asked, last: before.map(|d| d.finding), topic };
        let added = ellipsis::resolve(self.lexicon, self.pack, units, tokens, clause, focus)?;
        clause.mood.medical = true;
        let at = tokens.partition_point(|t| t.start < added.start);
        let mut all = tokens.to_vec();
        all.insert(at, added);
        Some(all)
    }

    /// Findings that a number without a unit may measure here.
    fn measurable(&self, tokens: &[Token]) -> Vec<FindingIx> {
        let named = |f: &FindingIx| {
            self.asked.contains(f) || tokens.iter().any(|t| matches!(t.kind, Kind::Finding(x) | Kind::Ended(x) if x == *f))
        };
        self.lexicon.measured.iter().filter(|f| named(f)).copied().collect()
    }

    fn take(&mut self, said: Said) {
        if !said.drafts.is_empty() {
            self.last = self.drafts.len();
        }
        self.deny_rest |= said.deny_rest;
        self.drafts.extend(said.drafts);
        self.ambiguous.extend(said.ambiguous);
    }

    /// Numbers that state a finding.
    fn measures(&mut self, readings: &[quantity::Reading], clause: &Clause, index: usize, supposed: bool, from: usize) {
        if supposed || clause.mood.asks {
            return;
        }
        for reading in readings {
            let Quantity::Measured { finding, value } = reading.what else { continue };
            let measure = self.pack.findings.get(finding.at()).and_then(|f| f.measure.as_ref());
            let Some(measure) = measure else { continue };
            let state = if value >= measure.present_from { State::Present } else { State::Denied };
            let named = self.drafts.get_mut(from..).and_then(|own| own.iter_mut().find(|d| d.finding == finding));
            if let Some(named) = named {
                // The number tells more than the word beside it.
                named.state = state;
                named.value = Some(value);
                named.bare = false;
                named.start = named.start.min(reading.start);
                named.end = named.end.max(reading.end);
                continue;
            }
            self.drafts.push(Draft {
                value: Some(value),
                bare: false,
                ..draft(finding, state, (reading.start, reading.end), self.carry.who, index)
            });
        }
    }

    /// Gives every stretch of time and every degree out of ten to the findings it belongs to.
    fn lasts(&mut self, readings: &[quantity::Reading], from: usize, named: bool, index: usize) {
        let mut since = from;
        for reading in readings {
            let own = if named { since..self.drafts.len() } else { self.last..self.drafts.len() };
            let before = |d: &Draft| d.start < reading.start || !named;
            match reading.what {
                Quantity::Lasts(days) => {
                    let mut given = false;
                    for draft in self.drafts.get_mut(own.clone()).unwrap_or_default() {
                        if before(draft) && draft.duration.is_none() {
                            draft.duration = Some(days);
                            draft.bare = false;
                            given = true;
                        }
                    }
                    if given && named {
                        since = own.start + self.drafts.get(own).unwrap_or(&[]).iter().filter(|d| before(d)).count();
                    } else if named {
                        // A time in front holds for what follows.
                        for draft in self.drafts.get_mut(since..).unwrap_or_default() {
                            draft.duration = Some(days);
                        }
                    } else if !given && !self.asked.is_empty() && self.drafts.is_empty() && self.whole.is_none() {
                        self.answer_with_time(days, reading, index);
                    }
                }
                Quantity::Degree(severity) => {
                    if let Some(last) = self.drafts.last_mut() {
                        last.severity = Some(severity);
                    }
                }
                _ => {}
            }
        }
    }

    /// `三天了` to the question for one finding says that it is there.
    fn answer_with_time(&mut self, days: f32, reading: &quantity::Reading, index: usize) {
        if let ([only], true) = (self.asked, self.answers.is_empty()) {
            let base = draft(*only, State::Present, (reading.start, reading.end), self.carry.who, index);
            self.answers.push(Draft { duration: Some(days), ..base });
        }
    }

    /// A clause that names nothing: it speaks of what was just named, or answers the question.
    fn bare(&mut self, units: &[Unit], tokens: &[Token], clause: &Clause, index: usize, was_about: Who) {
        let Some(bare) = answer::read(self.lexicon, units, tokens, clause) else { return };
        let who = self.carry.who;
        let span = (clause.units.start, clause.units.end);
        if let Scope::Picked { places, only } = &bare.scope {
            for (place, state) in places {
                if let Some(finding) = answer::place(self.asked, *place) {
                    self.answers.push(draft(finding, *state, span, who, index));
                }
            }
            self.deny_rest |= *only;
            return;
        }
        if who.subject.is_some() && who != was_about && was_about.subject.is_some() {
            // `我妈高血压，我没有`: the same of somebody else.
            let same: Vec<Draft> = self.drafts.get(self.last..).unwrap_or(&[]).to_vec();
            self.last = self.drafts.len();
            self.drafts.extend(same.into_iter().map(|d| Draft { state: bare.state, who, clause: index, start: span.0, end: span.1, ..d }));
            return;
        }
        if who.subject == Some(crate::Subject::SelfPatient) {
            // The same where the pack has a word for both (`family history of …, I have not`).
            let last = self.drafts.get(self.last..).unwrap_or(&[]);
            let base = last.iter().find_map(|d| self.lexicon.family_of(d.finding));
            if let Some(base) = base {
                self.drafts.push(draft(base, bare.state, span, who, index));
                return;
            }
        }
        if self.settles_before(&bare, index) {
            return;
        }
        let more = bare.severity.filter(|_| bare.state == State::Present);
        if let (Some(severity), true) = (more, index > 0) {
            // `是的，挺厉害`: only how bad what was said before is.
            let recent = self.drafts.get_mut(self.last..).unwrap_or_default();
            let recent = recent.iter_mut().filter(|d| d.clause + 1 == index && d.state == State::Present);
            let count = recent.map(|d| d.severity.get_or_insert(severity)).count();
            let whole = self.whole.as_mut().filter(|w| w.clause + 1 == index && w.bare.state == State::Present);
            if let Some(whole) = whole {
                whole.bare.severity.get_or_insert(severity);
                return;
            }
            if count > 0 {
                return;
            }
        }
        if self.whole.is_none() || bare.scope == Scope::All {
            self.whole = Some(Whole { bare, span, who, clause: index });
        }
    }

    /// Whether a bare clause is about what stood before it in the utterance.
    fn settles_before(&mut self, bare: &Bare, index: usize) -> bool {
        let asked = self.asked;
        let last = self.drafts.get_mut(self.last..).unwrap_or_default();
        let recent = last.first().is_some_and(|d| d.clause + 1 == index);
        if recent && last.iter().any(|d| d.open) {
            // `发烧吗？没有`, `有没有盗汗，说不好`
            for draft in last.iter_mut().filter(|d| d.open) {
                (draft.state, draft.open) = (bare.state, false);
            }
            return true;
        }
        if bare.past && !last.is_empty() {
            for draft in last.iter_mut().filter(|d| d.state == State::Present) {
                draft.past = true;
            }
            return true;
        }
        if !recent || bare.state != State::Denied {
            return false;
        }
        let foreign = !asked.is_empty() && !last.iter().any(|d| asked.contains(&d.finding));
        if !last.iter().all(|d| d.bare) || (foreign && bare.scope != Scope::All) {
            return false;
        }
        let mut clause = index;
        for draft in self.drafts.iter_mut().rev() {
            if !draft.bare || draft.clause + 1 < clause || (bare.scope != Scope::All && draft.clause + 1 != index) {
                break;
            }
            clause = draft.clause;
            draft.state = State::Denied;
        }
        true
    }
}

/// A draft with nothing but its state.
pub(crate) fn draft(finding: FindingIx, state: State, (start, end): (usize, usize), who: Who, clause: usize) -> Draft {
    Draft {
        finding,
        state,
        past: false,
        start,
        end,
        severity: None,
        duration: None,
        value: None,
        who,
        clause,
        bare: false,
        replaced: false,
        open: false,
        formerly: false,
    }
}
