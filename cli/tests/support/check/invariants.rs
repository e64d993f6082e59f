//! What holds for every turn of every consultation.

use std::collections::BTreeMap;

use wenzhen_pack::{Kind, Locale, Pack};
use wenzhen_proto::clinical::v1::{FindingState, Sex, Subject};
use wenzhen_proto::orchestrator::v1::{Consultation, Decision, DecisionInputs, DecisionKind};

use crate::support::Turn;
use crate::support::redaction::withheld;
use crate::support::words::words;

/// Language, guard, redaction, degradation.
pub fn of_turn(pack: &Pack, turn: &Turn, decision: &Decision, locale: Locale) -> Vec<String> {
    let mut wrong = Vec::new();
    let text = turn.text.as_str();
    if text.trim().is_empty() {
        wrong.push("the reply is empty".to_owned());
    }
    if text.contains('{') || text.contains('}') {
        wrong.push(format!("a placeholder is left in `{text}`"));
    }
    if !turn.completed.degraded.is_empty() {
        wrong.push(format!("degraded: {:?}", turn.completed.degraded));
    }
    if decision.kind != turn.completed.decision {
        wrong.push("the decision on record is not the one that was told".to_owned());
    }
    if let Err(why) = in_language(text, locale) {
        wrong.push(why);
    }
    wrong.extend(guarded(pack, text));
    if let Some(diagnosis) = &turn.diagnosis {
        wrong.extend(withheld(diagnosis, "the turn").err());
    }
    if turn.kind() == DecisionKind::Escalate && !turn.flags.is_empty() {
        let message = &turn.flags[0].message;
        if !text.contains(message.as_str()) {
            wrong.push(format!("`{text}` does not say what to do now: `{message}`"));
        }
    }
    wrong
}

/// Every letter of the text is of the language that the patient writes.
pub fn in_language(text: &str, locale: Locale) -> Result<(), String> {
    let han = text.chars().filter(|c| ('\u{4e00}'..='\u{9fff}').contains(c)).count();
    let latin = text.chars().filter(char::is_ascii_alphabetic).count();
    let right = match locale {
        Locale::Zh => han > 0 && latin == 0,
        Locale::En => han == 0 && latin > 0,
    };
    if right { Ok(()) } else { Err(format!("not in {locale:?}: `{text}`")) }
}

/// No herb, formula, dose or promise reaches the patient.
fn guarded(pack: &Pack, text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let mut wrong = Vec::new();
    let names = pack.herbs.iter().map(|h| &h.names).chain(pack.conditions.iter().map(|c| &c.formula));
    let names = names.flat_map(|names| [names.text(Locale::Zh), names.text(Locale::En)]);
    // A name may hold the Latin and the spoken form, and the word that says that it was changed.
    for name in names.flat_map(|name| name.split(['(', ')', '（', '）', ',', '，'])) {
        let name = name.trim().trim_end_matches(words().modified.as_str());
        if name.chars().count() > 1 && !name.is_ascii() && lower.contains(&name.to_lowercase())
            || name.is_ascii() && name.len() > 4 && lower.contains(&name.to_lowercase())
        {
            wrong.push(format!("names {name}: `{text}`"));
        }
    }
    for (at, _) in lower.match_indices(|c: char| c.is_ascii_digit()) {
        let rest = lower[at..].trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').trim_start();
        let unit = words().dose_units.iter().any(|unit| {
            let after = rest.strip_prefix(unit.as_str());
            after.is_some_and(|after| !after.starts_with(|c: char| c.is_ascii_alphabetic()))
        });
        if unit {
            wrong.push(format!("a dose: `{text}`"));
            break;
        }
    }
    for promise in words().promises.iter().filter(|promise| lower.contains(promise.as_str())) {
        wrong.push(format!("promises `{promise}`: `{text}`"));
    }
    wrong
}

/// Findings and fields of the person asked so far, by turn.
#[derive(Debug, Default)]
pub struct Asked(BTreeMap<u32, Vec<String>>);

impl Asked {
    /// Forgets the questions of a turn that was taken back.
    pub fn undo(&mut self, turn: u32) {
        self.0.remove(&turn);
    }

    /// A question asks for what a patient can tell and was not asked or told before.
    pub fn question(
        &mut self,
        pack: &Pack,
        before: &Consultation,
        turn: &Turn,
        inputs: &DecisionInputs,
    ) -> Vec<String> {
        let mut wrong = Vec::new();
        let asks = matches!(turn.kind(), DecisionKind::Ask | DecisionKind::Clarify | DecisionKind::AskContext);
        let Some(question) = &turn.question else {
            return if asks { vec!["a decision to ask without a question".to_owned()] } else { wrong };
        };
        if !turn.text.contains(&question.text) {
            wrong.push(format!("the question `{}` is not in the text", question.text));
        }
        if turn.kind() == DecisionKind::AskContext {
            wrong.extend(self.person(before, turn.completed.turn, &question.context_field));
        }
        if turn.kind() != DecisionKind::Ask {
            return wrong;
        }
        if before.question.as_ref().is_some_and(|last| !last.frame.is_empty() && last.frame == question.frame) {
            wrong.push(format!("the frame {} twice in a row", question.frame));
        }
        for id in &question.finding_ids {
            let finding = pack.finding(id).and_then(|ix| pack.findings.get(ix.at()));
            if !finding.is_some_and(|f| f.askable() && f.kind != Kind::Pulse) {
                wrong.push(format!("asks for {id}, which a patient cannot tell"));
            }
            if self.0.values().flatten().any(|earlier| earlier == id) {
                wrong.push(format!("asks for {id} a second time"));
            }
            let told = |state: FindingState| matches!(state, FindingState::Present | FindingState::Denied);
            let known = before.observations.iter().chain(&inputs.observations);
            if known.into_iter().any(|o| o.finding_id == *id && told(o.state()))
                && !inputs.withdrawn_finding_ids.contains(id)
            {
                wrong.push(format!("asks for {id}, which is known"));
            }
        }
        self.0.insert(turn.completed.turn, question.finding_ids.clone());
        wrong
    }

    /// A field of the person is asked for once, and only of whom it can concern.
    fn person(&mut self, before: &Consultation, turn: u32, field: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.0.values().flatten().any(|earlier| earlier == field) {
            wrong.push(format!("asks for {field} a second time"));
        }
        let person = before.patient.clone().unwrap_or_default();
        let child = person.age_months.map_or(person.subject() == Subject::Child, |months| months < 12 * 12);
        if field == "pregnancy" && (child || person.sex() == Sex::Male || person.pregnant.is_some()) {
            wrong.push(format!("asks for {field} of {person:?}"));
        }
        self.0.insert(turn, vec![field.to_owned()]);
        wrong
    }
}
