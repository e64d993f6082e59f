//! Words for the patient, around fact slots.
//!
//! Every fact stands in a slot and comes from the pack; the sentences around them come from the
//! pack's expert voice. No herb, formula or dose is ever a fact of this draft: those are the
//! clinician's ([`crate::plan`]). How the condition comes about is left out too: that text is
//! written in the field's terms for the clinician's view.

use wenzhen_facts::{DraftBuilder, SlotError};
use wenzhen_pack::{ConditionIx, FindingIx, Kind, Profile, State, StrategyName};
use wenzhen_proto::clinical::v1::{Draft, FactKind, Urgency};

use crate::case::{Case, Ranked};
use crate::differential::{Weighed, Weighing};
use crate::plan::{Plan, urgent_message};
use crate::words::{Chooser, fill, list, plain_name};

/// Findings named for the condition; denials named for it; findings named against it.
const MOST_FOR: usize = 4;
const MOST_DENIALS: usize = 2;
const MOST_AGAINST: usize = 2;
/// Findings named that have nothing to do with it.
const MOST_UNEXPLAINED: usize = 3;
/// Evidence that is worth a word to the patient, in nats.
const WORTH_SAYING: f64 = 0.25;
/// A finding that is less sure than this is not named as said.
const SURELY_SAID: f32 = 0.7;
/// A rival this near to the best one, as a share of its score, makes it uncertain.
const NEAR: f64 = 0.85;
/// A rival below this share of the best score is not named.
const NAMED: f64 = 0.2;

/// How sure the words may sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Band {
    /// At or above the pack's stopping score, without a near rival.
    Clear,
    /// Better than half way to it.
    Likely,
    /// Anything less.
    Uncertain,
}

/// How sure the words about a ranking may sound.
pub fn band(case: &Case<'_>) -> Band {
    let score = |at: usize| case.ranked.get(at).map_or(0.0, |r| r.score);
    let dialogue = &case.knowledge.pack().manifest.dialogue;
    let (clear, likely) = match dialogue.strategy {
        StrategyName::BayesPlain => {
            (dialogue.stop_posterior, (dialogue.stop_posterior + dialogue.abstain_posterior) / 2.0)
        }
        StrategyName::Dopi => (dialogue.dopi_epsilon, 0.8 * dialogue.dopi_epsilon),
    };
    let near = score(1) >= NEAR * score(0);
    match score(0) {
        s if s >= clear && !near => Band::Clear,
        s if s >= likely && !near => Band::Likely,
        _ => Band::Uncertain,
    }
}

/// The draft for a case.
///
/// # Errors
/// When the slots do not come out right, which would be a fault of this module or of a fact
/// without words in the pack.
pub fn draft(case: &Case<'_>, weighings: &[Weighing], plan: &Plan) -> Result<Draft, SlotError> {
    let mut writer = Writer {
        case,
        out: DraftBuilder::new(crate::validate::locale_message(case.locale)),
        chooser: Chooser::new(case.seed()),
        at_line_start: true,
    };
    writer.urgency();
    if case.too_urgent_for_a_plan() {
        writer.bare_line(&case.voice.sentences.no_plan);
        return writer.finish();
    }
    writer.conditions();
    if let Some(best) = weighings.first() {
        writer.reasons(best);
    }
    writer.advice(plan);
    writer.finish()
}

struct Writer<'a> {
    case: &'a Case<'a>,
    out: DraftBuilder,
    chooser: Chooser,
    at_line_start: bool,
}

impl Writer<'_> {
    /// Urgent words first, alone in their paragraph.
    fn urgency(&mut self) {
        if self.case.urgency <= Urgency::Routine {
            return;
        }
        let first = urgent_message(self.case);
        let told = self.case.flags.iter().find(|flag| flag.message == first);
        let id = told.map_or("", |flag| flag.id.as_str());
        let slot = self.out.fact(FactKind::Urgency, &first, id, false);
        self.out.push(&slot);
        let mut said = vec![first.as_str()];
        for flag in self.case.flags.iter().filter(|flag| !flag.message.is_empty()) {
            if !said.contains(&flag.message.as_str()) {
                let slot = self.out.fact(FactKind::Urgency, &flag.message, &flag.id, false);
                self.out.line().push(&slot);
                said.push(&flag.message);
            }
        }
        self.line();
    }

    /// What it looks like, and what else it may be.
    fn conditions(&mut self) {
        let sentences = &self.case.voice.sentences;
        let Some(best) = self.case.ranked.first().copied() else { return };
        let band = band(self.case);
        let variants = match band {
            Band::Clear => &sentences.clear,
            Band::Likely => &sentences.likely,
            Band::Uncertain => &sentences.uncertain,
        };
        let slot = self.condition(best.condition);
        self.sentence(variants, &[("condition", &slot)]);
        let named = |r: &&Ranked| band != Band::Clear && r.score > 0.0 && r.score >= NAMED * best.score;
        let rivals: Vec<Ranked> = self.case.ranked.iter().skip(1).take(2).filter(named).copied().collect();
        if !rivals.is_empty() {
            let slots: Vec<String> = rivals.iter().map(|r| self.condition(r.condition)).collect();
            self.sentence(&sentences.alternatives, &[("conditions", &list(self.case.voice, &slots))]);
        }
        self.line();
    }

    /// What speaks for the best condition, what against it, and what is open.
    fn reasons(&mut self, best: &Weighing) {
        let sentences = &self.case.voice.sentences;
        let worth = self.worth_saying(best.ranked.condition, &best.speaks_for);
        let of = |state: State, most: usize| worth.iter().filter(|w| w.state == state).take(most).copied().collect();
        let (present, denied): (Vec<Weighed>, Vec<Weighed>) =
            (of(State::Present, MOST_FOR), of(State::Denied, MOST_DENIALS));
        let against: Vec<Weighed> =
            self.worth_saying(best.ranked.condition, &best.against).into_iter().take(MOST_AGAINST).collect();
        for (variants, findings) in
            [(&sentences.speaks_for, present), (&sentences.denials_for, denied), (&sentences.against, against)]
        {
            if !findings.is_empty() {
                let slots: Vec<String> = findings.iter().map(|w| self.finding(w)).collect();
                self.sentence(variants, &[("findings", &list(self.case.voice, &slots))]);
            }
        }
        let unexplained = self.unexplained(best);
        if !unexplained.is_empty() {
            let slots: Vec<String> = unexplained.iter().map(|f| self.present(*f)).collect();
            self.sentence(&sentences.unexplained, &[("findings", &list(self.case.voice, &slots))]);
        }
        if !best.undecided.is_empty() && band(self.case) != Band::Clear {
            self.sentence(&sentences.open, &[]);
        }
        self.line();
    }

    /// Advice, diet, when to see a doctor, and that the plan waits for a signature.
    fn advice(&mut self, plan: &Plan) {
        let sentences = &self.case.voice.sentences;
        let referral = Some(&plan.patient.referral).filter(|r| !r.trim().is_empty());
        for (variants, kind, facts) in [
            (&sentences.advice, FactKind::Advice, plan.patient.advice.as_slice()),
            (&sentences.diet, FactKind::Advice, plan.patient.diet.as_slice()),
            (&sentences.referral, FactKind::Referral, referral.map(std::slice::from_ref).unwrap_or_default()),
        ] {
            let subject = self.case.best().map_or("", |c| c.id.as_str());
            let texts = facts.iter().filter(|text| !text.trim().is_empty());
            let slots: Vec<String> = texts.map(|text| self.out.fact(kind, text, subject, false)).collect();
            if !slots.is_empty() {
                self.sentence(variants, &[("sentences", &slots.join(&self.case.voice.words.sentence_space))]);
                self.line();
            }
        }
        let manifest = &self.case.knowledge.pack().manifest;
        let planned = !plan.clinician.herbs.is_empty() || !plan.clinician.formula.is_empty();
        if planned && manifest.profile == Profile::Medical && manifest.release.plan_needs_signature {
            self.bare_line(&sentences.waits);
        }
    }

    /// Evidence that was said, is strong enough, agrees with what the condition is known for, and
    /// is not contained in a finer finding.
    fn worth_saying(&self, condition: ConditionIx, evidence: &[Weighed]) -> Vec<Weighed> {
        let findings = &self.case.knowledge.pack().findings;
        let parent_of = |f: FindingIx| findings.get(f.at()).and_then(|f| f.parent);
        let wanted = |w: &&Weighed| !w.derived && w.weight.abs() >= WORTH_SAYING && self.agrees(condition, w);
        let said: Vec<Weighed> = evidence.iter().filter(wanted).copied().collect();
        let finer = |w: &&Weighed| {
            w.state != State::Present
                || !said.iter().any(|o| o.state == State::Present && parent_of(o.finding) == Some(w.finding))
        };
        said.iter().filter(finer).copied().collect()
    }

    /// Symptoms that were said and that the condition neither shows nor is argued against by: somebody with two
    /// complaints is told what becomes of the other one.
    fn unexplained(&self, best: &Weighing) -> Vec<FindingIx> {
        let pack = self.case.knowledge.pack();
        let rates = self.case.knowledge.rates();
        let told_apart = |f: &FindingIx| rates.present(best.ranked.condition, *f).total_cmp(&rates.base(*f)).is_ne();
        let parent = |f: FindingIx| pack.findings.get(f.at()).and_then(|f| f.parent);
        // Parents form no circle; the bound is for packs built by hand.
        let of_it =
            |f| std::iter::successors(Some(f), |f| parent(*f)).take(pack.findings.len()).any(|f| told_apart(&f));
        let said = (0..).map(FindingIx::new).zip(&self.case.closed).filter(|(ix, closed)| {
            let symptom = pack.findings.get(ix.at()).is_some_and(|f| f.kind == Kind::Symptom && f.askable());
            symptom && closed.is_some_and(|c| c.state == State::Present && !c.derived && c.probability >= SURELY_SAID)
        });
        said.map(|(ix, _)| ix).filter(|ix| !of_it(*ix)).take(MOST_UNEXPLAINED).collect()
    }

    /// Evidence compares with the rivals. A sign of the condition that a rival shows still more
    /// often would sound, to a patient, as if it spoke against it.
    fn agrees(&self, condition: ConditionIx, weighed: &Weighed) -> bool {
        let rates = self.case.knowledge.rates();
        let (here, elsewhere) = (rates.present(condition, weighed.finding), rates.base(weighed.finding));
        match (weighed.state, weighed.weight > 0.0) {
            (State::Present, true) => here > elsewhere,
            // What a condition does not list is no argument against it: people have other things too.
            (State::Present, false) => here < elsewhere,
            (State::Denied, speaks_for) => speaks_for || here > elsewhere,
            (State::Unsure, _) => false,
        }
    }

    fn condition(&mut self, condition: ConditionIx) -> String {
        let Some(known) = self.case.knowledge.pack().conditions.get(condition.at()) else { return String::new() };
        self.out.fact(FactKind::Condition, &known.name(self.case.locale), &known.id, false)
    }

    fn finding(&mut self, weighed: &Weighed) -> String {
        let pack = self.case.knowledge.pack();
        match weighed.state {
            State::Denied => {
                let name = plain_name(self.case.voice, pack, weighed.finding, self.case.locale);
                let id = pack.findings.get(weighed.finding.at()).map_or("", |f| f.id.as_str());
                let text = fill(&self.case.voice.words.denied, &[("finding", name)]);
                self.out.fact(FactKind::Denial, &text, id, false)
            }
            State::Present | State::Unsure => self.present(weighed.finding),
        }
    }

    fn present(&mut self, finding: FindingIx) -> String {
        let pack = self.case.knowledge.pack();
        let name = plain_name(self.case.voice, pack, finding, self.case.locale);
        let id = pack.findings.get(finding.at()).map_or("", |f| f.id.as_str());
        self.out.fact(FactKind::Finding, name, id, false)
    }

    fn sentence(&mut self, variants: &[String], values: &[(&str, &str)]) {
        let text = fill(self.chooser.pick(variants), values);
        if !self.at_line_start {
            self.out.push(&self.case.voice.words.sentence_space);
        }
        self.out.push(&text);
        self.at_line_start = false;
    }

    fn bare_line(&mut self, variants: &[String]) {
        self.sentence(variants, &[]);
        self.line();
    }

    fn line(&mut self) {
        self.out.line();
        self.at_line_start = true;
    }

    fn finish(self) -> Result<Draft, SlotError> {
        let mut draft = self.out.finish()?;
        draft.text.truncate(draft.text.trim_end().len());
        Ok(draft)
    }
}
