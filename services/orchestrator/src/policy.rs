//! The policy: what to do next. Pure: the state before the turn and what the agents said determine
//! the decision, so that every consultation can be replayed bit for bit.

mod photo;
mod precaution;

use wenzhen_language::redflag::ScreenContext;
use wenzhen_pack::{FindingIx, Level, Pack, Profile, Sex as PackSex};
use wenzhen_proto::clinical::v1::{EmpathyNecessity, FindingState, PatientContext, Sex, Subject, Urgency};
use wenzhen_proto::guidance::v1::Intent;
use wenzhen_proto::kg::v1::{Reason, Recommendation};
use wenzhen_proto::orchestrator::v1::{ConsultationStatus, Decision, DecisionInputs, DecisionKind};

use crate::Knowledge;
use crate::state::State;
use crate::topic::WHY_ASKED;

/// Messages in a row that may lead nowhere before a clinician is called.
const MISUNDERSTOOD_LIMIT: u32 = 5;
/// A question that was not answered so often is left for another one.
const MISUNDERSTOOD_ONCE: u32 = 1;
/// Questions at the beginning that may be for signs of danger.
const PRECAUTIONS: u32 = 2;
/// Questions for findings before a diagnosis, however clear the opening: it asks before it answers.
const LEAST_ROUNDS: u32 = 2;

/// Reason of a question that takes the place of one that got no usable answer.
pub const MOVED_ON: &str = "moved_on";
/// Reason of a redirection after words that were understood and answered nothing.
pub const NOTED: &str = "noted";
/// The field of the person that asks for age and sex.
pub const AGE_SEX: &str = "age_sex";
/// Reason of a redirection after a photograph.
pub const PHOTO: &str = "photo";
/// Reason of a redirection while the photograph that was agreed to is waited for.
pub const AWAITED: &str = "photo_awaited";
/// The field of the person that asks for a photograph of the tongue.
pub const TONGUE_PHOTO: &str = "tongue_photo";
/// The field of the person that asks for pregnancy.
pub const PREGNANCY: &str = "pregnancy";

/// Decides. `before` is the state with the message recorded, `inputs` what the agents said to it.
pub fn decide(knowledge: &Knowledge, before: &State, inputs: &DecisionInputs) -> Decision {
    let mut after = before.clone();
    after.absorb(&knowledge.pack, inputs);
    let danger = danger(knowledge, &after, inputs);
    let mut decision = Turn { knowledge, before, after: &after, inputs, danger: &danger }.next();
    decision.urgency = danger.urgency as i32;
    decision.raised_flag_ids = danger.raised;
    decision
}

/// Urgency and the red flags that are new.
struct Danger {
    urgency: Urgency,
    raised: Vec<String>,
    highest_raised: Urgency,
    crisis_heard: bool,
}

/// Red flags on everything recorded so far. The higher level stands; nothing a patient says lowers it.
fn danger(knowledge: &Knowledge, after: &State, inputs: &DecisionInputs) -> Danger {
    let pack = &knowledge.pack;
    let lit = pack.safety.cues.iter().enumerate().filter(|(_, cue)| after.cues.contains(&cue.id)).map(|(i, _)| i);
    let present: Vec<_> = after
        .record
        .iter()
        .filter(|o| o.state() == FindingState::Present && !o.past)
        .filter_map(|o| pack.finding(&o.finding_id))
        .collect();
    let flagged = knowledge.screen.evaluate(&lit.collect(), &present, &screen_context(after));
    let mut found =
        Danger { urgency: after.urgency, raised: Vec::new(), highest_raised: Urgency::Routine, crisis_heard: false };
    for flag in flagged {
        let Some(red_flag) = pack.safety.red_flags.get(flag.flag) else { continue };
        if !after.flags.contains(&red_flag.id) {
            found.raised.push(red_flag.id.clone());
            found.highest_raised = found.highest_raised.max(urgency(red_flag.level));
        }
    }
    // Empathy may hear a crisis that no cue names; the rules may not talk it away.
    found.crisis_heard = inputs.emotion.is_some_and(|e| e.crisis) && found.highest_raised < Urgency::Crisis;
    let heard = if found.crisis_heard { Urgency::Crisis } else { Urgency::Routine };
    found.urgency = found.urgency.max(found.highest_raised).max(heard);
    found
}

/// What the red-flag rules ask about the person.
pub fn screen_context(state: &State) -> ScreenContext {
    ScreenContext {
        age_months: state.patient.age_months,
        sex: match state.patient.sex() {
            Sex::Unspecified => None,
            Sex::Female => Some(PackSex::Female),
            Sex::Male => Some(PackSex::Male),
        },
        pregnant: state.patient.pregnant,
        pregnancy_weeks: state.patient.pregnancy_weeks,
    }
}

/// The urgency of a red flag's level.
pub fn urgency(level: Level) -> Urgency {
    match level {
        Level::Today => Urgency::Today,
        Level::Crisis => Urgency::Crisis,
        Level::Emergency => Urgency::Emergency,
    }
}

struct Turn<'a> {
    knowledge: &'a Knowledge,
    before: &'a State,
    after: &'a State,
    inputs: &'a DecisionInputs,
    danger: &'a Danger,
}

impl Turn<'_> {
    /// The rules, most important first; the first that speaks decides.
    fn next(&self) -> Decision {
        self.urgent()
            .or_else(|| self.out_of_hands())
            .or_else(|| self.stop())
            .or_else(|| photo::looked_at(self.knowledge, self.before, self.inputs))
            .or_else(|| photo::awaited(self.inputs))
            .or_else(|| self.unclear_words())
            .or_else(|| self.clarify())
            .or_else(|| self.concluded())
            .unwrap_or_else(|| self.go_on())
    }

    fn intent(&self) -> Intent {
        Intent::try_from(self.inputs.intent).unwrap_or(Intent::Unspecified)
    }

    fn urgent(&self) -> Option<Decision> {
        if self.danger.highest_raised > Urgency::Today {
            return Some(decision(DecisionKind::Escalate, "red_flag"));
        }
        if self.danger.crisis_heard {
            return Some(decision(DecisionKind::Escalate, "crisis"));
        }
        let held = self.before.status == ConsultationStatus::HandedOver && self.before.taken_over;
        (self.danger.urgency > Urgency::Today && !held).then(|| decision(DecisionKind::Escalate, "still_urgent"))
    }

    /// A clinician has the dialogue, or is to have it: until one takes over, whoever says something
    /// that is understood is listened to again.
    fn out_of_hands(&self) -> Option<Decision> {
        let held = self.before.status == ConsultationStatus::HandedOver && (self.before.taken_over || !self.learned());
        held.then(|| decision(DecisionKind::HandOver, "handed_over"))
    }

    fn stop(&self) -> Option<Decision> {
        // "Leave it" after the question for a photograph leaves the photograph, not the consultation.
        let of_photo = self.before.question.as_ref().is_some_and(|q| q.context_field == TONGUE_PHOTO);
        (self.intent() == Intent::WantsStop && !of_photo).then(|| decision(DecisionKind::End, "patient"))
    }

    /// Whether the words told anything about the patient.
    fn learned(&self) -> bool {
        let person = self.inputs.patient.as_ref().is_some_and(|p| *p != PatientContext::default());
        let said = !self.inputs.observations.is_empty() || !self.inputs.withdrawn_finding_ids.is_empty();
        said || !self.inputs.ambiguity_ids.is_empty() || person
    }

    /// Nothing was learned from the words: bring the patient back, gently, and not for ever.
    fn unclear_words(&self) -> Option<Decision> {
        if self.learned() || self.concluded_before() || self.inputs.photo.is_some() {
            return None;
        }
        let intent = self.intent();
        let questioning = matches!(intent, Intent::AsksQuestion | Intent::OffTopic | Intent::Unclear);
        if let Some(topic) = self.answerable().filter(|_| questioning) {
            return Some(decision(DecisionKind::Answer, topic));
        }
        let reason = match intent {
            Intent::Greeting => return Some(decision(DecisionKind::Redirect, "greeting")),
            Intent::AsksQuestion => "later",
            Intent::OffTopic => "off_topic",
            Intent::Unclear | Intent::Unspecified if self.asked_for_context() => return None,
            // Somebody who says how they feel was understood: comfort and the question again.
            Intent::Unclear | Intent::Unspecified | Intent::Report if self.feels() => {
                return Some(decision(DecisionKind::Redirect, "felt"));
            }
            Intent::Report => NOTED,
            Intent::Unclear | Intent::Unspecified => "unclear",
            Intent::Refuses | Intent::Answer | Intent::Correction | Intent::AsksDiagnosis | Intent::WantsStop => {
                return None;
            }
        };
        Some(self.brought_back(reason))
    }

    /// The question again; once it has failed, another one; in the end, a clinician.
    fn brought_back(&self, reason: &str) -> Decision {
        if self.before.misunderstood + 1 >= MISUNDERSTOOD_LIMIT && reason != NOTED {
            return decision(DecisionKind::HandOver, "misunderstood");
        }
        let asked = self.before.question.as_ref().is_some_and(|q| !q.finding_ids.is_empty());
        let failed = reason != "off_topic" && self.before.misunderstood >= MISUNDERSTOOD_ONCE;
        if asked && failed && self.may_ask() {
            return Decision { finding_ids: self.findings_to_ask(), ..decision(DecisionKind::Ask, MOVED_ON) };
        }
        decision(DecisionKind::Redirect, reason)
    }

    /// The topic of the words, where it can be answered before there is a diagnosis.
    fn answerable(&self) -> Option<&str> {
        let topic = self.inputs.question_topic.as_str();
        let voice = self.knowledge.voice(self.after.locale).ok()?;
        let before = voice.topics.iter().any(|t| t.before.is_some() && t.id == topic);
        (before || topic == WHY_ASKED && self.before.question.is_some()).then_some(topic)
    }

    fn feels(&self) -> bool {
        let emotion = self.inputs.emotion.unwrap_or_default();
        emotion.necessity() > EmpathyNecessity::None && !self.inputs.preface.is_empty()
    }

    /// A question about the person that got no usable answer is not asked twice.
    fn asked_for_context(&self) -> bool {
        self.before.question.as_ref().is_some_and(|q| !q.context_field.is_empty())
    }

    /// An ambiguous saying is clarified once, unless the rest of the words already say what it means.
    fn clarify(&self) -> Option<Decision> {
        let pack = &self.knowledge.pack;
        let settled = |id: &String| {
            let candidates = pack.ambiguities.iter().find(|a| a.id == *id).map(|a| a.candidates.as_slice());
            let recorded = |f: &FindingIx| self.after.record.iter().any(|o| pack.finding(&o.finding_id) == Some(*f));
            candidates.unwrap_or_default().iter().any(recorded)
        };
        let open = |id: &&String| !self.before.clarified.contains(*id) && !settled(id);
        let ambiguity_id = self.inputs.ambiguity_ids.iter().find(open)?.clone();
        Some(Decision { ambiguity_id, ..decision(DecisionKind::Clarify, "ambiguous") })
    }

    fn concluded_before(&self) -> bool {
        self.before.status == ConsultationStatus::Concluded
    }

    /// After the diagnosis: new findings may change it, everything else is answered from the record.
    fn concluded(&self) -> Option<Decision> {
        if !self.concluded_before() {
            return None;
        }
        let changed = self.after.record != self.before.record;
        if changed {
            return None;
        }
        let topic = match self.intent() {
            Intent::Greeting => "thanks",
            _ if self.inputs.question_topic.is_empty() => "default",
            _ => &self.inputs.question_topic,
        };
        Some(decision(DecisionKind::Answer, topic))
    }

    /// Ask or decide, as the graph recommends.
    fn go_on(&self) -> Decision {
        let recommendation = Recommendation::try_from(self.inputs.recommendation).unwrap_or_default();
        if self.after.record.is_empty() && self.graph_answers() {
            // Whoever says their age before they are asked for it was understood.
            let told = self.after.patient != self.before.patient;
            return decision(DecisionKind::Redirect, if told { NOTED } else { "no_complaint" });
        }
        if let Some(field) = self.ask_person(AGE_SEX) {
            return field;
        }
        if !self.graph_answers() {
            return decision(DecisionKind::Abstain, "no_graph");
        }
        // Who asks whether it is something grave is asked for the danger signs of it first.
        if let Some(precaution) = self.precaution() {
            return precaution;
        }
        if self.after.wants_diagnosis && !self.too_early() {
            return self.conclude("asked_for");
        }
        let sure = recommendation == Recommendation::Diagnose && self.inputs.reason != Reason::GainVanished as i32;
        if !sure && photo::worth_asking(&self.knowledge.pack, self.before, self.inputs) {
            let context_field = TONGUE_PHOTO.to_owned();
            return Decision { context_field, ..decision(DecisionKind::AskContext, "gain") };
        }
        let confirm = recommendation == Recommendation::Diagnose && self.before.rounds < LEAST_ROUNDS;
        if (recommendation == Recommendation::Ask || confirm) && self.may_ask() {
            let reason = if confirm { "confirm" } else { reason_label(self.inputs.reason) };
            return Decision { finding_ids: self.findings_to_ask(), ..decision(DecisionKind::Ask, reason) };
        }
        self.conclude(reason_label(self.inputs.reason))
    }

    /// Whether there is nothing to tell yet to whoever wants to be told, and little has been asked.
    fn too_early(&self) -> bool {
        let best = self.after.ranked.first().map_or(0.0, |r| r.score);
        let weak = best < self.knowledge.pack.manifest.dialogue.abstain_posterior;
        weak && self.before.rounds < LEAST_ROUNDS && self.may_ask()
    }

    /// Questions for signs of danger, before any other: one, and one more for what did not fit into it.
    fn precaution(&self) -> Option<Decision> {
        if self.before.rounds >= PRECAUTIONS || self.concluded_before() {
            return None;
        }
        let finding_ids = precaution::findings(&self.knowledge.pack, self.after);
        (!finding_ids.is_empty()).then(|| Decision { finding_ids, ..decision(DecisionKind::Ask, "precaution") })
    }

    fn graph_answers(&self) -> bool {
        self.inputs.recommendation != Recommendation::Unspecified as i32
    }

    fn may_ask(&self) -> bool {
        let rounds_left = self.before.rounds < self.knowledge.pack.manifest.dialogue.max_rounds;
        rounds_left && !self.findings_to_ask().is_empty()
    }

    /// The best findings, those of one question at most. What excludes or refines another of them is
    /// left for a later question: the answer to the first may settle it.
    fn findings_to_ask(&self) -> Vec<String> {
        let pack = &self.knowledge.pack;
        let limit = pack.manifest.dialogue.findings_per_question as usize;
        let mut chosen: Vec<FindingIx> = Vec::new();
        for candidate in &self.inputs.worth_asking {
            let Some(ix) = pack.finding(&candidate.finding_id) else { continue };
            let askable = pack.findings.get(ix.at()).is_some_and(wenzhen_pack::Finding::askable);
            if chosen.len() < limit && askable && !chosen.iter().any(|other| entangled(pack, *other, ix)) {
                chosen.push(ix);
            }
        }
        chosen.iter().filter_map(|ix| pack.findings.get(ix.at())).map(|f| f.id.clone()).collect()
    }

    /// A diagnosis where the posterior allows it, after the plan's preconditions; else an abstention.
    fn conclude(&self, reason: &str) -> Decision {
        let threshold = self.knowledge.pack.manifest.dialogue.abstain_posterior;
        let best = self.after.ranked.first().map_or(0.0, |r| r.score);
        let abstained = Recommendation::try_from(self.inputs.recommendation) == Ok(Recommendation::Abstain);
        if best < threshold || (abstained && reason != "asked_for") {
            return decision(DecisionKind::Abstain, reason);
        }
        self.ask_person(PREGNANCY).unwrap_or_else(|| decision(DecisionKind::Diagnose, reason))
    }

    /// Asks for a field of the person once, when it matters and is not known.
    fn ask_person(&self, field: &str) -> Option<Decision> {
        if self.knowledge.pack.manifest.profile != Profile::Medical || self.before.context_asked.contains(field) {
            return None;
        }
        let patient = &self.after.patient;
        let age = self.after.age_years();
        let wanted = match field {
            AGE_SEX => patient.age_months.is_none() || patient.sex() == Sex::Unspecified && age.is_none_or(|a| a >= 12),
            _ => {
                let child = patient.subject() == Subject::Child;
                let fertile = age.map_or(!child, |age| (12..=55).contains(&age));
                patient.sex() != Sex::Male && fertile && patient.pregnant.is_none()
            }
        };
        wanted.then(|| Decision { context_field: field.to_owned(), ..decision(DecisionKind::AskContext, "person") })
    }
}

/// Whether the answer to one of two findings may settle the other.
fn entangled(pack: &Pack, a: FindingIx, b: FindingIx) -> bool {
    let (Some(first), Some(second)) = (pack.findings.get(a.at()), pack.findings.get(b.at())) else { return false };
    first.excludes.contains(&b) || first.parent == Some(b) || second.parent == Some(a)
}

fn reason_label(reason: i32) -> &'static str {
    match Reason::try_from(reason).unwrap_or_default() {
        Reason::Unspecified => "unspecified",
        Reason::Gain => "gain",
        Reason::PosteriorReached => "posterior_reached",
        Reason::CosineReached => "cosine_reached",
        Reason::GainVanished => "gain_vanished",
        Reason::RoundsSpent => "rounds_spent",
        Reason::NothingLeft => "nothing_left",
        Reason::NoEvidence => "no_evidence",
    }
}

fn decision(kind: DecisionKind, reason: &str) -> Decision {
    Decision { kind: kind as i32, reason: reason.to_owned(), ..Decision::default() }
}
