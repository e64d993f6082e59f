//! Reads the clauses of an utterance one after the other and gathers what they say.

use wenzhen_pack::{FindingIx, Locale, Pack, State};

use crate::answer::{self, Bare, Scope};
use crate::clause::{self, Clause};
use crate::course::{self, Course};
use crate::ellipsis::{self, Focus};
use crate::lexicon::{Kind, Lexicon, Pattern};
use crate::normal;
use crate::polarity::{Carry, Draft, Reading, Said, Timed, Who, timed};
use crate::quantity::{self, Quantity};
use crate::scan::{Token, residue, scan};
use crate::units::Unit;
use crate::words::Class;

/// How many findings a clause that names none can be about.
const NEAR: usize = 12;

/// Puts tokens in, in place of those they overlap.
fn insert(all: &mut Vec<Token>, added: Vec<Token>) {
    all.retain(|t| added.iter().all(|a| t.end <= a.start || a.end <= t.start));
    all.extend(added);
    all.sort_by_key(|t| t.start);
}

/// Where the last of the tokens that name a finding stands.
fn named(tokens: Option<&[Token]>) -> Option<(usize, usize)> {
    tokens?.iter().rev().find(|t| matches!(t.kind, Kind::Finding(_))).map(|t| (t.start, t.end))
}

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
    /// Words that left out what they speak of were completed from the question.
    pub answered: bool,
    /// The speaker is known to be the patient.
    pub of_self: bool,
    /// The course was told of, without a finding.
    pub course: bool,
    /// How often the words were put beside something to be read again.
    pub depth: usize,
    carry: Carry,
    /// What the first clause without a finding is about.
    topic: Option<(usize, usize)>,
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

/// Tokens of a clause with what its words leave out.
pub(crate) struct Understood {
    pub tokens: Vec<Token>,
    /// They were completed from the question.
    pub answers: bool,
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
            answered: false,
            of_self: false,
            course: false,
            depth: 0,
            carry: Carry::default(),
            topic: None,
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
        let resolved = self.understood(units, tokens, &mut clause);
        self.answered |= resolved.as_ref().is_some_and(|r| r.answers);
        let tokens = resolved.as_ref().map_or(tokens, |r| r.tokens.as_slice());
        let was_about = self.carry.who;
        let supposed = self.carry.supposing || tokens.iter().any(|t| t.kind.is(Class::Supposing));
        let named = self.measurable(tokens);
        let child = self.carry.who.subject == Some(crate::Subject::Child);
        let expected = quantity::Expected { named: &named, child };
        let readings = quantity::read(self.lexicon, self.pack, units, tokens, &clause, expected);
        let reading = Reading {
            units,
            tokens,
            clause: &clause,
            index,
            locale: self.locale,
            lexicon: self.lexicon,
            timed: timed(tokens),
        };
        let said = reading.walk(&mut self.carry);
        let (empty, before) = (said.drafts.is_empty() && said.ambiguous.is_empty(), self.drafts.len());
        self.take(said);
        self.measures(&readings, &clause, index, supposed, before);
        let measured = self.drafts.len() > before;
        let course = course::read(self.lexicon, units, tokens, &clause);
        self.course |= course.is_some();
        if empty && !measured && !supposed && course.is_none() {
            self.bare(&reading, was_about);
        }
        let all_covered = residue(units, tokens, clause.units.start, clause.units.end) == 0
            && !tokens.iter().any(|t| t.kind.is(Class::Inert));
        self.lasts(&readings, before, measured || !empty, all_covered.then_some(index));
        if measured {
            self.last = before;
        }
        if self.drafts.is_empty() && self.topic.is_none() {
            self.topic = ellipsis::subject(units, tokens, &clause);
        }
        let who = self.carry.who;
        if clause.ends_sentence() && who.subject != Some(crate::Subject::Child) {
            self.carry.who = Who::default();
        }
        self.clauses.push(Read { clause, readings, who, supposed });
    }

    /// Tokens of the clause with all that its words leave out; `None` when they say it all.
    pub(crate) fn understood(&self, units: &[Unit], tokens: &[Token], clause: &mut Clause) -> Option<Understood> {
        let resolved = self.resolve(units, tokens, clause);
        let own = resolved.as_deref().unwrap_or(tokens);
        let last = self.drafts.get(self.last..).and_then(<[Draft]>::last).map(|d| d.finding);
        // What makes it better is none of the things that make it worse.
        let eases = || course::read(self.lexicon, units, own, clause) == Some(Course::Better);
        let completed = self.completed(units, own, clause, last).filter(|_| !eases());
        let answers = completed.is_some() && !self.asked.is_empty();
        let more = completed.or_else(|| self.qualified(units, own, clause));
        clause.mood.medical |= more.is_some();
        more.or(resolved).map(|tokens| Understood { tokens, answers })
    }

    /// Tokens of the clause with what its words leave out, or with an ambiguous saying made
    /// clear by the question before.
    fn resolve(&self, units: &[Unit], tokens: &[Token], clause: &mut Clause) -> Option<Vec<Token>> {
        let before = self.drafts.get(self.last..).and_then(<[Draft]>::last).filter(|d| d.end > d.start);
        let spoken_of = before.map(|d| (d.start, d.end)).or(self.topic);
        let mut changed: Option<Vec<Token>> = None;
        for (i, token) in tokens.iter().enumerate() {
            if let Kind::Ambiguity(ambiguity) = token.kind
                && let Some(finding) = self.meant(ambiguity, token, units, named(tokens.get(..i)).or(spoken_of))
                && let Some(slot) = changed.get_or_insert_with(|| tokens.to_vec()).get_mut(i)
            {
                slot.kind = Kind::Finding(finding);
            }
        }
        let topic = named(Some(tokens)).or(spoken_of);
        let predicates = ellipsis::predicates(self.lexicon, units, tokens, topic);
        if predicates.len() > usize::from(changed.is_none()) {
            clause.mood.medical = true;
            insert(changed.get_or_insert_with(|| tokens.to_vec()), predicates);
        }
        if let Some(added) = normal::read(self.lexicon, units, changed.as_deref().unwrap_or(tokens), clause) {
            clause.mood.medical = true;
            insert(changed.get_or_insert_with(|| tokens.to_vec()), added);
        }
        if changed.is_some() {
            return changed;
        }
        let here = tokens.iter().rev().find_map(|t| match t.kind {
            Kind::Finding(finding) => Some(finding),
            _ => None,
        });
        let last = here.or(before.map(|d| d.finding));
        let focus = Focus { asked: self.asked, last, topic: named(Some(tokens)).or(spoken_of) };
        // What a question asks is not what the patient has.
        if clause.mood.question && clause.mood.wonders {
            return None;
        }
        let worse = ellipsis::worse(self.lexicon, self.pack, units, tokens, clause, focus);
        let added = worse.or_else(|| ellipsis::resolve(self.lexicon, self.pack, units, tokens, clause, focus))?;
        clause.mood.medical = true;
        // A name that takes in the word behind it takes its place.
        let reach = added.last().map_or(0, |t| t.end);
        let from = added.first().map_or(0, |t| t.start);
        let mut all: Vec<Token> = tokens.iter().filter(|t| t.end <= from || t.start >= reach).cloned().collect();
        all.extend(added);
        all.sort_by_key(|t| t.start);
        Some(all)
    }

    /// What an ambiguous saying means where the question or the words before make it clear.
    fn meant(
        &self,
        ambiguity: usize,
        token: &Token,
        units: &[Unit],
        spoken_of: Option<(usize, usize)>,
    ) -> Option<FindingIx> {
        let saying = self.pack.ambiguities.get(ambiguity)?;
        let candidates = &saying.candidates;
        let mut asked = self.asked.iter().copied().filter(|f| candidates.contains(f) && !saying.illness);
        if let (Some(only), None) = (asked.next(), asked.next()) {
            return Some(only);
        }
        let part: Vec<char> = units.get(token.start..token.end)?.iter().map(|u| u.ch).collect();
        let (from, to) = spoken_of?;
        let named = ellipsis::completed(self.lexicon, units.get(from..to)?, &part).filter(|f| candidates.contains(f));
        named.or_else(|| self.kin(candidates))
    }

    /// The only candidate that is a kind of what was named last.
    fn kin(&self, candidates: &[FindingIx]) -> Option<FindingIx> {
        let parent = |f: FindingIx| self.pack.findings.get(f.at()).and_then(|f| f.parent);
        self.drafts.iter().rev().take(NEAR).find_map(|d| {
            let related = |c: &FindingIx| parent(*c).is_some_and(|p| p == d.finding || Some(p) == parent(d.finding));
            let mut kin = candidates.iter().copied().filter(related);
            kin.next().filter(|_| kin.next().is_none())
        })
    }

    /// Findings that a number without a unit may measure here.
    fn measurable(&self, tokens: &[Token]) -> Vec<FindingIx> {
        let named = |f: &FindingIx| {
            self.asked.contains(f)
                || tokens.iter().any(|t| matches!(t.kind, Kind::Finding(x) | Kind::Ended(x) if x == *f))
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
        let own = self.drafts.get(from..).unwrap_or(&[]);
        let mut places: Vec<(FindingIx, usize)> = Vec::new();
        for finding in &self.lexicon.measured {
            places.extend(own.iter().position(|d| d.finding == *finding).map(|at| (*finding, from + at)));
        }
        for reading in readings {
            let Quantity::Measured { finding, value } = reading.what else { continue };
            let measure = self.pack.findings.get(finding.at()).and_then(|f| f.measure.as_ref());
            let Some(measure) = measure else { continue };
            let state = if value >= measure.present_from { State::Present } else { State::Denied };
            let place = places.iter().find(|(f, _)| *f == finding);
            if let Some(named) = place.and_then(|(_, at)| self.drafts.get_mut(*at)) {
                // The number tells more than the word beside it.
                named.state = state;
                named.value = Some(value);
                named.bare = false;
                named.start = named.start.min(reading.start);
                named.end = named.end.max(reading.end);
                continue;
            }
            places.push((finding, self.drafts.len()));
            self.drafts.push(Draft {
                value: Some(value),
                bare: false,
                ..Draft::new(finding, state, (reading.start, reading.end), self.carry.who, index)
            });
        }
    }

    /// Gives every stretch of time and every degree out of ten to the findings it belongs to.
    fn lasts(&mut self, readings: &[quantity::Reading], from: usize, named: bool, answers: Option<usize>) {
        let mut since = from;
        for reading in readings {
            match reading.what {
                Quantity::Lasts(days) if named => since = self.lasts_here(days, reading, since),
                Quantity::Lasts(days) => {
                    let own = self.drafts.get_mut(self.last..).unwrap_or_default();
                    let open = own.iter_mut().take(NEAR).filter(|d| d.duration.is_none());
                    let given = open.map(|d| (d.duration, d.bare) = (Some(days), false)).count() > 0;
                    self.course |= !given;
                    if !given && !self.asked.is_empty() && self.drafts.is_empty() && self.whole.is_none() {
                        self.answer_with_time(days, reading, answers);
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

    /// A time behind findings is theirs, one in front of them is that of what follows. Gives
    /// where the findings begin that the next time can belong to.
    fn lasts_here(&mut self, days: f32, reading: &quantity::Reading, since: usize) -> usize {
        let own = self.drafts.get_mut(since..).unwrap_or_default();
        let before = own.iter().take_while(|d| d.start < reading.start).count();
        let (theirs, first) = if before > 0 { (own.get_mut(..before), true) } else { (own.get_mut(..), false) };
        for draft in theirs.unwrap_or_default().iter_mut().take(NEAR) {
            if draft.duration.is_none() || !first {
                draft.duration = Some(days);
                draft.bare = false;
            }
        }
        since + before
    }

    /// `三天了` to the question for one finding says that it is there.
    fn answer_with_time(&mut self, days: f32, reading: &quantity::Reading, clause: Option<usize>) {
        if let ([only], true, Some(index)) = (self.asked, self.answers.is_empty(), clause) {
            let base = Draft::new(*only, State::Present, (reading.start, reading.end), self.carry.who, index);
            self.answers.push(Draft { duration: Some(days), ..base });
        }
    }

    /// A clause that names nothing: it speaks of what was just named, or answers the question.
    fn bare(&mut self, reading: &Reading<'_>, was_about: Who) {
        let Reading { units, tokens, clause, index, .. } = *reading;
        let Some(bare) = answer::read(self.lexicon, units, tokens, clause) else { return };
        let who = self.carry.who;
        let span = (clause.units.start, clause.units.end);
        if let Scope::Picked { places, only } = &bare.scope {
            for (place, state) in places {
                if let Some(finding) = answer::place(self.asked, *place) {
                    self.answers.push(Draft::new(finding, *state, span, who, index));
                }
            }
            self.deny_rest |= *only;
            return;
        }
        let few = self.drafts.len() - self.last.min(self.drafts.len()) <= NEAR;
        if few && who.subject.is_some() && who != was_about && was_about.subject.is_some() {
            // `我妈有甲，我没有`: the same of somebody else.
            let same: Vec<Draft> = self.drafts.get(self.last..).unwrap_or(&[]).to_vec();
            self.last = self.drafts.len();
            self.drafts.extend(same.into_iter().map(|d| Draft {
                state: bare.state,
                who,
                clause: index,
                start: span.0,
                end: span.1,
                ..d
            }));
            return;
        }
        if who.subject == Some(crate::Subject::SelfPatient) {
            // The same where the pack has a word for both (`family history of …, I have not`).
            let last = self.drafts.get(self.last..).unwrap_or(&[]);
            let base = last.iter().take(NEAR).find_map(|d| self.lexicon.family_of(d.finding));
            if let Some(base) = base {
                self.drafts.push(Draft::new(base, bare.state, span, who, index));
                return;
            }
        }
        if self.ends_whole(&bare, reading) {
            return;
        }
        if self.takes_up(&bare, reading) || self.settles_before(&bare, index, reading.timed) {
            return;
        }
        let follows = self.drafts.get(self.last).is_some_and(|d| d.clause + 1 == index)
            || self.whole.as_ref().is_some_and(|w| w.clause + 1 == index);
        let more = bare.severity.filter(|_| bare.state == State::Present && follows);
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

    /// `以前有，现在没有`: what was answered just before is over.
    fn ends_whole(&mut self, bare: &Bare, reading: &Reading<'_>) -> bool {
        let before = |w: &&mut Whole| w.clause + 1 == reading.index && w.bare.state == State::Present;
        let no_more = bare.state == State::Denied && reading.timed == Some(Timed::Now);
        let Some(whole) = self.whole.as_mut().filter(before).filter(|_| bare.past || no_more) else { return false };
        whole.bare.past = true;
        true
    }

    /// `I have no 甲. Actually I did`: a verb alone stands for what was denied just before.
    fn takes_up(&mut self, bare: &Bare, reading: &Reading<'_>) -> bool {
        let has = |class: Class| reading.tokens.iter().any(|t| t.kind.is(class));
        let row = |t: &Token| reading.units.get(t.start..t.end).map(|u| u.iter().map(|u| u.ch).collect::<Pattern>());
        let stands_for = |t: &Token| row(t).is_some_and(|row| self.lexicon.stands_for.contains(&row));
        let verb = reading.tokens.iter().any(stands_for) && !has(Class::Yes) && !has(Class::AllYes);
        if !verb || bare.state != State::Present || bare.scope != Scope::Asked {
            return false;
        }
        let last = self.drafts.get_mut(self.last..).unwrap_or_default();
        let denied = |d: &Draft| d.state == State::Denied && d.clause + 1 == reading.index;
        if last.is_empty() || last.len() > NEAR || !last.iter().all(denied) {
            return false;
        }
        for draft in last {
            draft.state = State::Present;
            draft.past = bare.past || reading.timed == Some(Timed::Then);
            draft.severity = bare.severity;
            draft.bare = false;
        }
        true
    }

    /// Whether a bare clause is about what stood before it in the utterance.
    fn settles_before(&mut self, bare: &Bare, index: usize, timed: Option<Timed>) -> bool {
        let asked = self.asked;
        let last = self.drafts.get_mut(self.last..).unwrap_or_default();
        let recent = last.first().is_some_and(|d| d.clause + 1 == index);
        if recent && last.iter().any(|d| d.open) {
            // `甲吗？没有`, `有没有甲，说不好`
            for draft in last.iter_mut().filter(|d| d.open) {
                (draft.state, draft.open) = (bare.state, false);
                draft.severity = bare.severity.or(draft.severity);
            }
            return true;
        }
        let no_more = recent && bare.state == State::Denied && timed == Some(Timed::Now);
        if (bare.past || no_more) && last.iter().any(|d| d.state == State::Present) {
            for draft in last.iter_mut().filter(|d| d.state == State::Present) {
                draft.past = true;
            }
            self.last = self.drafts.len();
            return true;
        }
        // `甲，还好` is no denial of 甲.
        if !recent || bare.state != State::Denied || bare.well {
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
