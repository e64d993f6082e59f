//! What a word means that the patient does not understand, from the pack.

use wenzhen_pack::{Condition, Finding, Locale};

use super::Material;
use crate::Error;

/// Sayings that stand for a finding.
const SAYINGS: usize = 3;

/// The explanations that the patient asked for, one sentence each; empty for none.
pub(super) fn explained(material: &Material<'_>) -> Result<String, Error> {
    let knowledge = material.scene.knowledge;
    let locale = knowledge.locale(material.after.locale);
    let pack = &knowledge.pack;
    let findings =
        material.inputs.explain_finding_ids.iter().filter_map(|id| pack.findings.get(pack.finding(id)?.at()));
    let mut sentences: Vec<String> = Vec::new();
    for found in findings {
        sentences.push(of_finding(material, found, locale)?);
    }
    if let Some(condition) = condition(material) {
        let voice = knowledge.voice(material.after.locale)?;
        let mechanism = condition.mechanism.text(locale).trim_end_matches(['.', '。']);
        if !mechanism.is_empty() {
            sentences.push(
                voice.meaning_of_condition.replace("{name}", &condition.name(locale)).replace("{explain}", mechanism),
            );
        }
    }
    Ok(sentences.join(if locale == Locale::En { " " } else { "" }))
}

/// By its own explanation, else by what people say for it, else by how it is asked for. A question
/// that stands is not explained by itself.
fn of_finding(material: &Material<'_>, finding: &Finding, locale: Locale) -> Result<String, Error> {
    let voice = material.scene.knowledge.voice(material.after.locale)?;
    let name = finding.names.text(locale);
    if let Some(explain) = &finding.explain {
        return Ok(voice.meaning.replace("{name}", name).replace("{explain}", explain.text(locale)));
    }
    let stands = material.before.question.as_ref().is_some_and(|q| q.finding_ids.contains(&finding.id));
    match &finding.ask {
        Some(ask) if !stands => Ok(voice.meaning_asked.replace("{name}", name).replace("{ask}", ask.text(locale))),
        _ => {
            let said: Vec<&str> = finding.sayings.list(locale).iter().take(SAYINGS).map(String::as_str).collect();
            Ok(voice.meaning_said.replace("{name}", name).replace("{sayings}", &said.join(&voice.meaning_separator)))
        }
    }
}

/// Of the conditions whose names hold the word, the one that was spoken of.
fn condition<'m>(material: &'m Material<'_>) -> Option<&'m Condition> {
    let pack = &material.scene.knowledge.pack;
    let wanted = &material.inputs.explain_condition_ids;
    let diagnosed = material.after.diagnosis.iter().flat_map(|d| d.differential.iter().map(|c| &c.condition_id));
    let ranked = material.after.ranked.iter().map(|r| &r.condition_id);
    let spoken_of = diagnosed.chain(ranked).find(|id| wanted.contains(id)).or(wanted.first())?;
    pack.conditions.get(pack.condition(spoken_of)?.at())
}
