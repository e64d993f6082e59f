//! Replies that ask nothing: help now, not enough to tell, answers from the record.

use wenzhen_pack::Locale;
use wenzhen_proto::clinical::v1 as clinical;
use wenzhen_proto::clinical::v1::Urgency;
use wenzhen_proto::orchestrator::v1::Diagnosis;

use super::{Composer, Material, meaning};
use crate::state::State;
use crate::topic::{MEANING, WHY_ASKED};
use crate::{Error, Knowledge};

/// Conditions named when it is not enough to tell.
const NAMED: usize = 2;
/// A condition that is less likely than this is not worth naming.
const WORTH_NAMING: f64 = 0.10;

/// Help now.
pub(super) async fn escalate(material: &Material<'_>, composer: &mut Composer<'_>) -> Result<(), Error> {
    let voice = material.scene.knowledge.voice(material.after.locale)?;
    let new = &material.decision.raised_flag_ids;
    let (template, flags): (&str, Vec<String>) = if material.decision.reason == "red_flag" {
        (&voice.escalate, new.clone())
    } else {
        (&voice.still_urgent, material.after.flags.iter().cloned().collect())
    };
    if material.decision.reason == "crisis" {
        composer.line(&voice.crisis).await;
        return Ok(());
    }
    let message = match material.messages(&flags) {
        // A clinician may have raised the urgency without a flag.
        none if none.is_empty() && material.after.urgency == Urgency::Crisis => voice.crisis.clone(),
        none if none.is_empty() => voice.referral.clone(),
        message => message,
    };
    composer.line(&template.replace("{message}", &message)).await;
    Ok(())
}

/// Not enough to tell.
pub(super) async fn abstain(material: &Material<'_>, composer: &mut Composer<'_>) -> Result<(), Error> {
    let knowledge = material.scene.knowledge;
    let voice = knowledge.voice(material.after.locale)?;
    let locale = knowledge.locale(material.after.locale);
    if material.decision.reason == "no_graph" {
        composer.line(&voice.no_graph.replace("{referral}", &voice.referral)).await;
        return Ok(());
    }
    let ranked = material.after.ranked.iter().filter(|r| r.score >= WORTH_NAMING).take(NAMED);
    let names: Vec<String> = ranked.map(|r| knowledge.condition_name(&r.condition_id, locale)).collect();
    let candidates = if names.is_empty() {
        String::new()
    } else {
        voice.abstain_candidates.replace("{candidates}", &names.join(&voice.condition_separator))
    };
    let text = voice.abstain.replace("{candidates}", &candidates).replace("{referral}", &voice.referral);
    composer.line(&text).await;
    Ok(())
}

/// An answer from the record.
pub(super) async fn compose(material: &Material<'_>, composer: &mut Composer<'_>) -> Result<(), Error> {
    let knowledge = material.scene.knowledge;
    let voice = knowledge.voice(material.after.locale)?;
    let topic = material.decision.reason.as_str();
    if topic == "thanks" {
        composer.line(material.pick(&voice.thanks)).await;
        return Ok(());
    }
    if topic == WHY_ASKED && material.before.question.is_some() {
        composer.line(&why_asked(knowledge, material.before, material.after.locale)?).await;
        composer.question = material.before.question.as_deref().cloned();
        return Ok(());
    }
    if topic == MEANING {
        composer.line(&meaning::explained(material)?).await;
        if let Some(question) = &material.before.question {
            composer.line(&question.text).await;
            composer.question = Some((**question).clone());
        }
        return Ok(());
    }
    let answer = voice.topics.iter().find(|t| t.id == topic && !t.answer.is_empty());
    let template = answer.map_or(&voice.answer_default, |t| &t.answer);
    match &material.after.diagnosis {
        Some(diagnosis) => composer.line(&fill(material, template, diagnosis)?).await,
        None if answer.is_some_and(|t| t.before.is_some()) => {
            composer.line(answer.and_then(|t| t.before.as_deref()).unwrap_or_default()).await;
            if let Some(question) = &material.before.question {
                composer.line(&question.text).await;
                composer.question = Some((**question).clone());
            }
        }
        None => composer.line(&voice.after_abstain).await,
    }
    Ok(())
}

/// Why the standing question was asked: what it separates. Empty without one.
pub(crate) fn why_asked(knowledge: &Knowledge, state: &State, locale: clinical::Locale) -> Result<String, Error> {
    let voice = knowledge.voice(locale)?;
    let locale = knowledge.locale(locale);
    let Some(question) = &state.question else { return Ok(String::new()) };
    let findings: Vec<String> = question.finding_ids.iter().map(|id| knowledge.finding_name(id, locale)).collect();
    let separated = state.why.iter().filter(|c| question.finding_ids.contains(&c.finding_id));
    let mut names: Vec<String> = Vec::new();
    for id in separated.flat_map(|c| &c.separates) {
        let name = knowledge.condition_name(id, locale);
        if !names.contains(&name) && names.len() < 3 {
            names.push(name);
        }
    }
    if findings.is_empty() {
        return Ok(question.text.clone());
    }
    if names.is_empty() {
        // Asked as a precaution: it separates nothing, it may mean danger.
        let text = voice.why_precaution.replace("{findings}", &findings.join(&voice.list_separator));
        return Ok(text.replace("{question}", &question.text));
    }
    let text = voice.why.replace("{findings}", &findings.join(&voice.list_separator));
    let candidates = names.join(&voice.condition_separator);
    Ok(text.replace("{candidates}", &candidates).replace("{question}", &question.text))
}

/// Fills a template from the diagnosis; herbs, formulas and doses have no placeholder.
fn fill(material: &Material<'_>, template: &str, diagnosis: &Diagnosis) -> Result<String, Error> {
    let knowledge = material.scene.knowledge;
    let voice = knowledge.voice(material.after.locale)?;
    let locale = knowledge.locale(material.after.locale);
    let first = diagnosis.differential.first();
    // The record may have been made in the other language: names and advice come from the pack.
    let condition = first
        .and_then(|c| knowledge.pack.condition(&c.condition_id))
        .and_then(|c| knowledge.pack.conditions.get(c.at()));
    let name = condition.map(|c| c.name(locale)).unwrap_or_default();
    let join = |items: &[String]| items.join(if locale == Locale::En { " " } else { "" });
    let evidence: Vec<String> = first
        .map(|c| c.evidence_for.iter().take(4).map(|e| evidence(material, e, locale)).collect())
        .unwrap_or_default();
    let referral = match condition.map(|c| c.refer.text(locale)) {
        Some(text) if !text.is_empty() && material.after.urgency <= Urgency::Today => text,
        _ => voice.referral.as_str(),
    };
    Ok(template
        .replace("{name}", &name)
        .replace("{referral}", referral)
        .replace("{diet}", &condition.map(|c| join(c.diet.list(locale))).unwrap_or_default())
        .replace("{advice}", &condition.map(|c| join(c.advice.list(locale))).unwrap_or_default())
        .replace("{evidence}", &evidence.join(&voice.list_separator)))
}

fn evidence(
    material: &Material<'_>,
    contribution: &wenzhen_proto::clinical::v1::Contribution,
    locale: Locale,
) -> String {
    use wenzhen_proto::clinical::v1::FindingState;
    let knowledge = material.scene.knowledge;
    let name = knowledge.finding_name(&contribution.finding_id, locale);
    let denied = knowledge.pack.voice(locale).map_or("", |v| v.orchestrator.export.denied.as_str());
    match (contribution.state(), locale) {
        (FindingState::Denied, Locale::Zh) => format!("{denied}{name}"),
        (FindingState::Denied, Locale::En) => format!("{denied} {name}"),
        _ => name,
    }
}
