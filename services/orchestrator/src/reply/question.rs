//! Questions: for findings, for the meaning of a saying, for the person, and back to the question that stands.

use wenzhen_language::frames::AskSpec;
use wenzhen_pack::FindingIx;
use wenzhen_pack::voice::OrchestratorVoice;
use wenzhen_proto::clinical::v1::{Agent, Locale, Subject};
use wenzhen_proto::guidance::v1::{AskRequest, AskResponse, Intent, QuickAnswer};
use wenzhen_proto::orchestrator::v1::{DecisionKind, Question, Stage};

use super::{Composer, Material, photo};
use crate::agents::call;
use crate::policy::{AWAITED, MOVED_ON, NOTED, PHOTO, PREGNANCY, TONGUE_PHOTO};
use crate::{Error, knowledge};

/// Asks.
pub(super) async fn compose(material: &Material<'_>, composer: &mut Composer<'_>) -> Result<(), Error> {
    let voice = material.scene.knowledge.voice(material.after.locale)?;
    let decision = material.decision;
    let question = if decision.kind() == DecisionKind::AskContext {
        person(material)?
    } else {
        let worded = word(material, composer).await?;
        composer.made_by(Agent::Guidance, worded.pins);
        worded.degraded.into_iter().for_each(|why| composer.degrade(why));
        Question {
            text: worded.text,
            finding_ids: decision.finding_ids.clone(),
            ambiguity_id: decision.ambiguity_id.clone(),
            context_field: String::new(),
            quick_answers: worded.quick_answers.into_iter().map(|a| a.text).collect(),
            frame: worded.frame,
        }
    };
    let intent = Intent::try_from(material.inputs.intent).unwrap_or_default();
    match intent {
        _ if decision.reason == MOVED_ON => {
            composer.line(&material.pick(&voice.refused).replace("{question}", &question.text)).await;
        }
        Intent::Refuses => {
            composer.line(&material.pick(&voice.refused).replace("{question}", &question.text)).await;
        }
        // Told later: it is too early to say.
        Intent::AsksDiagnosis => {
            composer.line(&material.pick(&voice.later).replace("{question}", &question.text)).await;
        }
        Intent::Correction => {
            composer.line(&voice.corrected).await;
            composer.line(&question.text).await;
        }
        _ => composer.line(&question.text).await,
    }
    composer.question = Some(question);
    Ok(())
}

fn person(material: &Material<'_>) -> Result<Question, Error> {
    let voice = material.scene.knowledge.voice(material.after.locale)?;
    let field = &material.decision.context_field;
    let quick_answers = match field.as_str() {
        PREGNANCY => voice.pregnancy_answers.clone(),
        TONGUE_PHOTO => voice.photo.as_ref().map(|photo| photo.answers.clone()).unwrap_or_default(),
        _ => Vec::new(),
    };
    let text = person_words(voice, field, material.after.patient.subject());
    Ok(Question { text: text.to_owned(), context_field: field.clone(), quick_answers, ..Question::default() })
}

/// The words that ask for a field of the person, whoever that is: a mother's age would give her
/// child an adult's dose.
fn person_words<'v>(voice: &'v OrchestratorVoice, field: &str, subject: Subject) -> &'v str {
    match (field, subject) {
        (PREGNANCY, _) => &voice.ask_pregnancy,
        (TONGUE_PHOTO, Subject::Unspecified | Subject::Self_) => {
            voice.photo.as_ref().map_or("", |photo| photo.ask.as_str())
        }
        (TONGUE_PHOTO, _) => voice.photo.as_ref().map_or("", |photo| photo.ask_other.as_str()),
        (_, Subject::Unspecified | Subject::Self_) => &voice.ask_age_sex,
        (_, Subject::Child) => &voice.ask_age_sex_child,
        (_, Subject::Parent | Subject::Partner | Subject::Other) => &voice.ask_age_sex_other,
    }
}

/// The words of guidance; without it, those of our own frames.
async fn word(material: &Material<'_>, composer: &mut Composer<'_>) -> Result<AskResponse, Error> {
    let (scene, after, decision) = (material.scene, material.after, material.decision);
    let request = AskRequest {
        pins: Some(after.pins()),
        finding_ids: decision.finding_ids.clone(),
        ambiguity_id: decision.ambiguity_id.clone(),
        locale: knowledge::from_locale(scene.knowledge.locale(after.locale)) as i32,
        last_frame: material.before.last_frame.clone(),
        subject: after.patient.subject,
        seed: after.started.seed.wrapping_add(u64::from(scene.number)),
    };
    let mut client = scene.agents.guidance.clone();
    let budget = scene.agents.budgets.ask;
    let asked = async |request| call(Agent::Guidance, budget, client.ask(scene.request(request, budget))).await;
    let work = scene.ahead.words(request.clone(), asked);
    match composer.out().during(Stage::Asking, work).await {
        Ok(worded) => Ok(worded),
        Err(why) => {
            composer.degrade(why);
            own_frame(material, &request)
        }
    }
}

fn own_frame(material: &Material<'_>, request: &AskRequest) -> Result<AskResponse, Error> {
    let knowledge = material.scene.knowledge;
    let findings: Vec<FindingIx> = request.finding_ids.iter().filter_map(|id| knowledge.pack.finding(id)).collect();
    let spec = AskSpec {
        findings: &findings,
        ambiguity: knowledge.pack.ambiguities.iter().position(|a| a.id == request.ambiguity_id),
        locale: knowledge.locale(Locale::try_from(request.locale).unwrap_or_default()),
        last_frame: &request.last_frame,
        subject: wenzhen_language::proto::subject(Subject::try_from(request.subject).unwrap_or_default()),
        seed: request.seed,
    };
    let worded = knowledge.framer.ask(&spec).map_err(|e| Error::Pack(e.to_string()))?;
    Ok(AskResponse {
        text: worded.text,
        frame: worded.frame,
        quick_answers: worded.quick_answers.into_iter().map(|text| QuickAnswer { text }).collect(),
        ..AskResponse::default()
    })
}

/// Back to the question that stands, or to the complaint when none does.
pub(super) async fn redirect(material: &Material<'_>, composer: &mut Composer<'_>) -> Result<(), Error> {
    let voice = material.scene.knowledge.voice(material.after.locale)?;
    let standing = standing(material).await?;
    let reason = material.decision.reason.as_str();
    let asked = standing.as_ref().map_or(voice.ask_complaint.as_str(), |q| q.text.as_str());
    let around = |variants| material.pick(variants).replace("{question}", asked);
    let line = match reason {
        // What there is to say of the picture has been said; it asks for another one in its own words.
        PHOTO if standing.as_ref().is_none_or(|q| q.context_field == TONGUE_PHOTO) => String::new(),
        AWAITED => voice.photo.as_ref().map_or_else(String::new, |photo| photo.awaited.clone()),
        "greeting" if standing.is_none() => material.pick(&voice.greeting).to_owned(),
        // These were understood: the question alone.
        PHOTO | "felt" | NOTED | "greeting" => asked.to_owned(),
        "no_complaint" if standing.is_none() => asked.to_owned(),
        "off_topic" => around(&voice.off_topic),
        "later" => around(&voice.later),
        _ => around(&voice.unclear),
    };
    composer.line(&line).await;
    composer.question = match standing {
        // The words about the picture ask for another one.
        Some(question) if reason == PHOTO && question.context_field == TONGUE_PHOTO => {
            let text = photo::line(material)?.unwrap_or_else(|| question.text.clone());
            Some(Question { text, ..question })
        }
        // As is said to whoever has agreed to send one.
        Some(question) if reason == AWAITED => Some(Question { text: line, ..question }),
        standing => standing,
    };
    Ok(())
}

/// The question that stands, in the language that is spoken now.
async fn standing(material: &Material<'_>) -> Result<Option<Question>, Error> {
    let Some(question) = material.before.question.as_deref() else { return Ok(None) };
    if material.before.locale == material.after.locale || material.before.locale == Locale::Unspecified {
        return Ok(Some(question.clone()));
    }
    let knowledge = material.scene.knowledge;
    if !question.context_field.is_empty() {
        let voice = knowledge.voice(material.after.locale)?;
        let text = person_words(voice, &question.context_field, material.after.patient.subject());
        return Ok(Some(Question { text: text.to_owned(), ..question.clone() }));
    }
    let request = AskRequest {
        finding_ids: question.finding_ids.clone(),
        ambiguity_id: question.ambiguity_id.clone(),
        locale: material.after.locale as i32,
        subject: material.after.patient.subject,
        ..AskRequest::default()
    };
    let worded = own_frame(material, &request)?;
    let quick_answers = worded.quick_answers.into_iter().map(|a| a.text).collect();
    Ok(Some(Question { text: worded.text, frame: worded.frame, quick_answers, ..question.clone() }))
}
