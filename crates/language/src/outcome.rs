//! From what the clauses say to what is recorded: who the patient is, what an answer covers, what
//! a correction takes back.

use std::collections::{HashMap, HashSet};

use wenzhen_pack::{FindingIx, Kind as FindingKind, State};

use crate::answer::Scope;
use crate::lexicon::{Kind, row};
use crate::polarity::{Draft, Timed, Who};
use crate::reader::Reader;
use crate::scan::residue;
use crate::units::Unit;
use crate::words::Class;
use crate::{
    AmbiguousSaying, ContextFacts, Intent, Interpretation, Normalised, Observation, Subject, brief, context, intent,
};

/// Months of age below which nobody writes of himself.
const WRITES_FROM: u32 = 72;

impl Reader<'_> {
    /// Puts everything together.
    pub(crate) fn finish(mut self, normalised: &Normalised, text: &str, units: &[Unit]) -> Interpretation {
        let patient = self.patient();
        let has = |class: Class| self.tokens.iter().any(|t| t.kind.is(class));
        let (corrects, may_correct, refuses) = (has(Class::Correction), has(Class::CorrectionWeak), has(Class::Refuse));
        self.drafts.retain(|d| !d.open);
        let withdrawn = if corrects || may_correct { self.withdraw() } else { Vec::new() };
        let answered = self.cover();
        let drafts = self.of_patient(patient);
        let byte_span = |(start, end): (usize, usize)| {
            let first = units.get(start).map_or(0, |u| u.start as usize);
            let last = end.checked_sub(1).and_then(|i| units.get(i)).map_or(first, |u| u.end as usize);
            normalised.span(first..last)
        };
        let observations: Vec<Observation> = drafts.into_iter().map(|d| self.observation(d, byte_span)).collect();
        let mine =
            |who: Who| !who.relative && (who.subject.is_none_or(|s| Some(s) == patient.or(Some(Subject::SelfPatient))));
        let ambiguous = self.ambiguous.iter().filter(|(_, _, who)| mine(*who) && !self.clarifying);
        let ambiguous: Vec<AmbiguousSaying> = ambiguous
            .map(|(ambiguity, at, _)| AmbiguousSaying { ambiguity: *ambiguity, span: byte_span(*at) })
            .collect();
        let context = self.context(patient, (normalised, text, units));
        let meanings = self.meanings(normalised, units);
        let signs = intent::Signs {
            corrects,
            may_correct,
            answers: answered || observations.iter().any(|o| o.answers_question),
            tells: context != ContextFacts::default(),
            course: self.course,
            foreign: self.foreign(units) && !self.clauses.iter().any(|read| read.clause.mood.meaning),
        };
        let refused = refuses && observations.is_empty();
        let mut found = Interpretation {
            locale: self.locale,
            intent: Intent::Unclear,
            observations,
            ambiguous,
            withdrawn,
            context,
            meanings,
            refused,
        };
        let clauses: Vec<_> = self.clauses.iter().map(|read| read.clause.clone()).collect();
        found.intent = intent::decide(signs, &found, &self.tokens, &clauses, !self.asked.is_empty());
        found
    }

    /// Whether there are words, none of them of the field or of a consultation.
    fn foreign(&self, units: &[Unit]) -> bool {
        let (text, _) = row(units.iter().copied());
        residue(units, &self.tokens, 0, units.len()) > 0
            && !self.tokens.iter().any(|t| t.kind.is_medical() || matches!(t.kind, Kind::Subject { .. }))
            && self.lexicon.dialogue.matches(&text).next().is_none()
    }

    /// Who the patient is, as far as this utterance tells: the child that somebody speaks for,
    /// else the speaker, else the one person that something is said of. Where the speaker is known
    /// to be the patient only a correction says otherwise.
    fn patient(&self) -> Option<Subject> {
        if self.of_self && !self.tokens.iter().any(|t| t.kind.is(Class::Correction)) {
            return Some(Subject::SelfPatient);
        }
        let said = || self.drafts.iter().chain(&self.answers).filter(|d| !d.open);
        let by = |subject: Option<Subject>| said().any(|d| d.who.subject == subject && !d.who.relative);
        let own = said().any(|d| d.who.subject == Some(Subject::SelfPatient) && d.state == State::Present);
        let mentioned = |subject: Subject| {
            self.tokens.iter().any(|t| matches!(t.kind, Kind::Subject { who, relative: false, .. } if who == subject))
        };
        if mentioned(Subject::Child) && !own {
            return Some(Subject::Child);
        }
        let whole = self.whole.as_ref().map(|w| w.who.subject);
        if own || by(Some(Subject::SelfPatient)) || whole == Some(Some(Subject::SelfPatient)) {
            return Some(Subject::SelfPatient);
        }
        if by(None) || whole == Some(None) {
            return None;
        }
        let history = |d: &Draft| self.kind(d.finding) == Some(FindingKind::History);
        let mut others = said().filter(|d| !d.who.relative && !history(d)).filter_map(|d| d.who.subject);
        others.next()
    }

    fn kind(&self, finding: FindingIx) -> Option<FindingKind> {
        self.pack.findings.get(finding.at()).map(|f| f.kind)
    }

    /// What a correction takes back: what is denied in favour of something else.
    fn withdraw(&mut self) -> Vec<FindingIx> {
        let present: HashSet<FindingIx> =
            self.drafts.iter().filter(|d| d.state == State::Present).map(|d| d.finding).collect();
        let excluded = present.iter().filter_map(|p| self.pack.findings.get(p.at())).flat_map(|f| f.excludes.iter());
        let rivals: HashSet<FindingIx> = excluded.copied().collect();
        let gone =
            |d: &Draft| d.state == State::Denied && !present.is_empty() && (d.replaced || rivals.contains(&d.finding));
        let mut withdrawn: Vec<FindingIx> = self.drafts.iter().filter(|d| gone(d)).map(|d| d.finding).collect();
        withdrawn.sort_unstable();
        withdrawn.dedup();
        let keep: Vec<bool> = self.drafts.iter().map(|d| !gone(d)).collect();
        let mut keep = keep.into_iter();
        self.drafts.retain(|_| keep.next().unwrap_or(true));
        withdrawn
    }

    /// Lets a bare answer cover what was asked; `true` when there was an answer.
    fn cover(&mut self) -> bool {
        let named = |f: &FindingIx, d: &[Draft]| d.iter().any(|d| d.finding == *f);
        let whole = self.whole.take();
        let answered =
            self.answered || whole.is_some() || !self.answers.is_empty() || (self.deny_rest && !self.asked.is_empty());
        let mut covered = Vec::new();
        if let Some(whole) = whole {
            let open_choice = self.clarifying || self.excludes_itself();
            let present = whole.bare.state == State::Present;
            let narrowed = present && self.asked.len() > 1 && self.asked.iter().any(|f| named(f, &self.drafts));
            let meant = whole.bare.scope == Scope::All || !(present && open_choice || narrowed);
            for finding in self.asked.iter().filter(|f| meant && !named(f, &self.drafts) && !named(f, &self.answers)) {
                covered.push(Draft {
                    severity: whole.bare.severity,
                    past: whole.bare.past,
                    ..Draft::new(*finding, whole.bare.state, whole.span, whole.who, whole.clause)
                });
            }
        }
        self.answers.extend(covered);
        // What is denied or left open of the general is so of the particular that was asked for.
        for finding in self.asked {
            let parent = self.pack.findings.get(finding.at()).and_then(|f| f.parent);
            let general = self.drafts.iter().find(|d| Some(d.finding) == parent && d.state != State::Present);
            if let Some(general) = general.filter(|_| !named(finding, &self.drafts) && !named(finding, &self.answers)) {
                self.answers.push(Draft { finding: *finding, ..general.clone() });
            }
        }
        if self.deny_rest {
            let span = self.drafts.iter().chain(&self.answers).last().map_or((0, 0), |d| (d.start, d.end));
            let rest = self.asked.iter().filter(|f| !named(f, &self.drafts) && !named(f, &self.answers));
            let rest: Vec<Draft> = rest.map(|f| Draft::new(*f, State::Denied, span, Who::default(), 0)).collect();
            self.answers.extend(rest);
        }
        answered
    }

    /// Whether what was asked cannot all be so: a bare *yes* then answers nothing.
    fn excludes_itself(&self) -> bool {
        let excludes =
            |a: &FindingIx, b: &FindingIx| self.pack.findings.get(a.at()).is_some_and(|f| f.excludes.contains(b));
        self.asked.iter().any(|a| self.asked.iter().any(|b| excludes(a, b)))
    }

    /// What is said of the patient, each finding once; what others have may be family history.
    fn of_patient(&self, patient: Option<Subject>) -> Vec<Draft> {
        let mut order: Vec<FindingIx> = Vec::new();
        let mut kept: HashMap<FindingIx, Draft> = HashMap::new();
        for said in self.answers.iter().chain(&self.drafts) {
            let mut said = said.clone();
            let own = !said.who.relative && (said.who.subject.is_none() || said.who.subject == patient);
            if !own {
                match self.lexicon.family.get(&said.finding) {
                    Some(history) if said.state == State::Present && said.who.subject != Some(Subject::Partner) => {
                        said.finding = *history;
                    }
                    _ => continue,
                }
            }
            match kept.remove(&said.finding) {
                Some(before) => said = merged(before, said),
                None => order.push(said.finding),
            }
            kept.insert(said.finding, said);
        }
        let mut drafts: Vec<Draft> = order.into_iter().filter_map(|f| kept.remove(&f)).collect();
        drafts.sort_by_key(|d| (d.start, d.finding));
        drafts
    }

    fn observation(&self, d: Draft, span: impl Fn((usize, usize)) -> std::ops::Range<usize>) -> Observation {
        // What one has had once belongs to one's history for good.
        let standing = matches!(self.kind(d.finding), Some(FindingKind::History | FindingKind::Exposure));
        Observation {
            finding: d.finding,
            state: d.state,
            span: span((d.start, d.end)),
            past: d.past && !standing,
            duration_days: d.duration.filter(|_| d.state != State::Denied),
            severity: d.severity.filter(|_| d.state == State::Present),
            value: d.value,
            answers_question: self.asked.contains(&d.finding),
        }
    }

    fn context(&self, patient: Option<Subject>, text: (&Normalised, &str, &[Unit])) -> ContextFacts {
        // What was settled before is nothing that these words tell.
        let told = patient.filter(|who| !(self.of_self && *who == Subject::SelfPatient));
        let mut facts = ContextFacts { speaks_for: told, ..ContextFacts::default() };
        for read in &self.clauses {
            let told = context::Told {
                clause: &read.clause,
                tokens: self.tokens.get(read.clause.tokens.clone()).unwrap_or(&[]),
                readings: &read.readings,
                who: read.who,
                supposed: read.supposed,
                asked: !self.asked.is_empty(),
            };
            context::add(&mut facts, &told, patient.or(Some(Subject::SelfPatient)), (self.lexicon, self.pack), text);
        }
        let (normalised, ..) = text;
        // A number that measures something is no age.
        let measures = self.drafts.iter().any(|d| d.value.is_some());
        if let Some((months, sex)) = brief::read(self.lexicon, &normalised.text).filter(|_| !measures) {
            facts.age_months = Some(months);
            facts.sex = sex.or(facts.sex);
        }
        if facts.age_months.is_some_and(|months| months < WRITES_FROM) {
            facts.speaks_for.get_or_insert(Subject::Child);
        }
        facts
    }
}

/// Whether a denial of what was stated before holds for a certain time only (`晚上甲，白天不甲`).
fn only_then(before: &Draft, later: &Draft) -> bool {
    before.state == State::Present && later.state == State::Denied && later.timed.is_some()
}

/// Of two statements about one finding the later counts, but that it was so before does not take
/// back that it is so now; details of both are kept.
fn merged(before: Draft, later: Draft) -> Draft {
    if only_then(&before, &later) {
        // `昨天甲，今天不甲`: it was so.
        return Draft { past: before.past || later.timed == Some(Timed::Now), ..before };
    }
    let first_duration = before.duration;
    let (mut kept, other) = if before.state == State::Present && !before.past && later.past && later.formerly {
        (before, later)
    } else {
        (later, before)
    };
    if kept.state == other.state {
        kept.severity = kept.severity.or(other.severity);
        // Of two times the one told first is that of the whole.
        kept.duration = first_duration.or(kept.duration).or(other.duration);
        kept.value = kept.value.or(other.value);
    }
    kept
}
