//! What was understood, and its surroundings, as messages of `wenzhen.clinical.v1` and `wenzhen.guidance.v1`.
//!
//! The guidance service answers with these, and so does the orchestrator when it interprets for itself.

use wenzhen_pack::{Locale, Pack, Sex, State};
use wenzhen_proto::clinical::v1 as clinical;
use wenzhen_proto::guidance::v1 as guidance;

use crate::frames::Question;
use crate::{AmbiguousSaying, ContextFacts, Intent, Interpretation, Observation, Severity, Subject};

/// `Pins.model_version` and `DescribeResponse.voice` of whatever needs no model.
pub const BUILTIN: &str = "builtin";

/// Pins of an answer that was made from `pack` without a model.
pub fn builtin_pins(pack: &Pack, weight_epoch: u64) -> clinical::Pins {
    clinical::Pins {
        pack_digest: pack.digest.to_string(),
        weight_epoch,
        prompt_version: String::new(),
        model_version: BUILTIN.to_owned(),
    }
}

/// An interpretation as response; its observations are of turn `turn`, its pins of epoch 0.
/// What does not exist in `pack` is left out.
pub fn interpretation(pack: &Pack, interpretation: &Interpretation, turn: u32) -> guidance::InterpretResponse {
    let id = |finding: &wenzhen_pack::FindingIx| pack.findings.get(finding.at()).map(|f| f.id.clone());
    let explained = interpretation.meanings.iter();
    guidance::InterpretResponse {
        locale: locale(interpretation.locale).into(),
        intent: guidance::Intent::from(interpretation.intent).into(),
        observations: interpretation.observations.iter().filter_map(|o| observation(pack, o, turn)).collect(),
        withdrawn_finding_ids: interpretation.withdrawn.iter().filter_map(id).collect(),
        ambiguous: interpretation.ambiguous.iter().filter_map(|a| ambiguous(pack, a)).collect(),
        patient: patient(&interpretation.context),
        pins: Some(builtin_pins(pack, 0)),
        explain_finding_ids: explained.clone().filter_map(|m| id(&m.finding()?)).collect(),
        degraded: Vec::new(),
        explain_condition_ids: explained.filter_map(|m| Some(pack.conditions.get(m.condition()?.at())?.id.clone())).collect(),
    }
}

/// An observation of a turn; `None` when its finding is not in `pack`.
pub fn observation(pack: &Pack, observation: &Observation, turn: u32) -> Option<clinical::Observation> {
    Some(clinical::Observation {
        finding_id: pack.findings.get(observation.finding.at())?.id.clone(),
        state: state(observation.state).into(),
        probability: None,
        source: clinical::ObservationSource::Patient.into(),
        turn,
        span: Some(span(&observation.span)),
        past: observation.past,
        duration_days: observation.duration_days,
        severity: observation.severity.map_or(clinical::Severity::Unspecified, clinical::Severity::from).into(),
        value: observation.value,
        answers_question: observation.answers_question,
    })
}

fn ambiguous(pack: &Pack, saying: &AmbiguousSaying) -> Option<guidance::AmbiguousSaying> {
    let ambiguity_id = pack.ambiguities.get(saying.ambiguity)?.id.clone();
    Some(guidance::AmbiguousSaying { ambiguity_id, span: Some(span(&saying.span)) })
}

/// What was learned about the person; `None` when nothing was.
fn patient(facts: &ContextFacts) -> Option<clinical::PatientContext> {
    if *facts == ContextFacts::default() {
        return None;
    }
    Some(clinical::PatientContext {
        age_months: facts.age_months,
        sex: facts.sex.map_or(clinical::Sex::Unspecified, sex).into(),
        pregnant: facts.pregnant,
        pregnancy_weeks: facts.pregnancy_weeks,
        allergies: facts.allergies.clone(),
        medicines: facts.medicines.clone(),
        subject: facts.speaks_for.map_or(clinical::Subject::Unspecified, clinical::Subject::from).into(),
    })
}

/// A text never has more than 8,192 bytes here; larger positions are cut off at the message's limit.
fn span(span: &std::ops::Range<usize>) -> clinical::Span {
    let at = |byte: usize| u32::try_from(byte).unwrap_or(u32::MAX);
    clinical::Span { start: at(span.start), end: at(span.end) }
}

/// A language as message.
pub const fn locale(locale: Locale) -> clinical::Locale {
    match locale {
        Locale::Zh => clinical::Locale::Zh,
        Locale::En => clinical::Locale::En,
    }
}

/// A language from a message; `None` for an unset one.
pub const fn from_locale(locale: clinical::Locale) -> Option<Locale> {
    match locale {
        clinical::Locale::Unspecified => None,
        clinical::Locale::Zh => Some(Locale::Zh),
        clinical::Locale::En => Some(Locale::En),
    }
}

/// A sex as message.
pub const fn sex(sex: Sex) -> clinical::Sex {
    match sex {
        Sex::Female => clinical::Sex::Female,
        Sex::Male => clinical::Sex::Male,
    }
}

/// A state as message.
pub const fn state(state: State) -> clinical::FindingState {
    match state {
        State::Present => clinical::FindingState::Present,
        State::Denied => clinical::FindingState::Denied,
        State::Unsure => clinical::FindingState::Unsure,
    }
}

/// The person spoken of, from a message; an unset one is the patient.
pub const fn subject(subject: clinical::Subject) -> Subject {
    match subject {
        clinical::Subject::Unspecified | clinical::Subject::Self_ => Subject::SelfPatient,
        clinical::Subject::Child => Subject::Child,
        clinical::Subject::Parent => Subject::Parent,
        clinical::Subject::Partner => Subject::Partner,
        clinical::Subject::Other => Subject::Other,
    }
}

/// A worded question as response; its pins are of epoch 0.
pub fn question(pack: &Pack, question: Question) -> guidance::AskResponse {
    guidance::AskResponse {
        text: question.text,
        frame: question.frame,
        quick_answers: question.quick_answers.into_iter().map(|text| guidance::QuickAnswer { text }).collect(),
        pins: Some(builtin_pins(pack, 0)),
        degraded: Vec::new(),
    }
}

impl From<Severity> for clinical::Severity {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Mild => Self::Mild,
            Severity::Moderate => Self::Moderate,
            Severity::Severe => Self::Severe,
        }
    }
}

impl From<Subject> for clinical::Subject {
    fn from(subject: Subject) -> Self {
        match subject {
            Subject::SelfPatient => Self::Self_,
            Subject::Child => Self::Child,
            Subject::Parent => Self::Parent,
            Subject::Partner => Self::Partner,
            Subject::Other => Self::Other,
        }
    }
}

impl From<Intent> for guidance::Intent {
    fn from(intent: Intent) -> Self {
        match intent {
            Intent::Report => Self::Report,
            Intent::Answer => Self::Answer,
            Intent::Correction => Self::Correction,
            Intent::AsksQuestion => Self::AsksQuestion,
            Intent::AsksDiagnosis => Self::AsksDiagnosis,
            Intent::WantsStop => Self::WantsStop,
            Intent::OffTopic => Self::OffTopic,
            Intent::Unclear => Self::Unclear,
            Intent::Refuses => Self::Refuses,
            Intent::Greeting => Self::Greeting,
        }
    }
}
