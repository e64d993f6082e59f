//! Compares what happened with what a script expects.

use wenzhen_pack::{Pack, PregnancyClass};
use wenzhen_proto::clinical::v1::{FindingState, Observation, PatientContext, Urgency};
use wenzhen_proto::orchestrator::v1::{Consultation, ConsultationStatus, Decision, DecisionInputs, Diagnosis};

use crate::support::Turn;
use crate::support::script::{End, Expect};

/// The urgency of a name.
pub fn urgency(name: &str) -> Urgency {
    Urgency::from_str_name(&format!("URGENCY_{}", name.to_uppercase())).unwrap_or_else(|| panic!("no urgency {name}"))
}

/// Whether a finding stands in the record with this state. What follows from another finding may stand there too.
pub fn says(record: &[Observation], id: &str, state: FindingState) -> bool {
    record.iter().any(|o| o.finding_id == id && o.state() == state && !o.past)
}

/// A finding's states in the record.
pub fn show(record: &[Observation], id: &str) -> String {
    let states: Vec<_> = record.iter().filter(|o| o.finding_id == id).map(|o| (o.state(), o.past)).collect();
    if states.is_empty() { "not recorded".to_owned() } else { format!("{states:?}") }
}

/// The record, the urgency, the person.
pub fn compare(expect: &Expect, now: &Consultation) -> Vec<String> {
    let record = &now.observations;
    let mut wrong = Vec::new();
    let wanted = [
        (&expect.present, FindingState::Present),
        (&expect.denied, FindingState::Denied),
        (&expect.unsure, FindingState::Unsure),
    ];
    for (ids, state) in wanted {
        for id in ids.iter().filter(|id| !says(record, id, state)) {
            wrong.push(format!("{id} is {}, not {state:?}", show(record, id)));
        }
    }
    for id in expect.past.iter().filter(|id| !record.iter().any(|o| o.finding_id == **id && o.past)) {
        wrong.push(format!("{id} is {}, not past", show(record, id)));
    }
    for id in expect.hasnt.iter().filter(|id| says(record, id, FindingState::Present)) {
        wrong.push(format!("{id} is recorded present"));
    }
    for id in expect.silent.iter().filter(|id| record.iter().any(|o| o.finding_id == **id)) {
        wrong.push(format!("{id} is {}, nobody spoke of it", show(record, id)));
    }
    if let Some(name) = expect.urgency.as_ref().filter(|name| urgency(name) != now.urgency()) {
        wrong.push(format!("urgency {}, not {name}", now.urgency().as_str_name()));
    }
    if let Some(text) = &expect.person {
        wrong.extend(person(text, &now.patient.clone().unwrap_or_default()));
    }
    wrong
}

fn person(text: &str, now: &PatientContext) -> Option<String> {
    let wanted = wenzhen::chat::parse_patient(text).unwrap();
    let same = (wanted.age_months.is_none() || wanted.age_months == now.age_months)
        && (wanted.sex == 0 || wanted.sex == now.sex)
        && (wanted.pregnant.is_none() || wanted.pregnant == now.pregnant)
        && (wanted.pregnancy_weeks.is_none() || wanted.pregnancy_weeks == now.pregnancy_weeks)
        && (wanted.subject == 0 || wanted.subject == now.subject);
    (!same).then(|| format!("the person is {now:?}, not {text}"))
}

/// The decision, the question, the tone.
pub fn compare_turn(expect: &Expect, turn: &Turn, (inputs, decision): (&DecisionInputs, &Decision)) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut one_of = |what: &str, wanted: &[String], got: String| {
        if !wanted.is_empty() && !wanted.contains(&got) {
            wrong.push(format!("{what} {got}, not {}: `{}`", wanted.join(" or "), turn.text));
        }
    };
    let reason = expect.reason.as_slice();
    one_of("decision", &expect.decision, lower(decision.kind().as_str_name(), "DECISION_KIND_"));
    one_of("reason", reason, decision.reason.clone());
    one_of("ambiguity", expect.ambiguity.as_slice(), decision.ambiguity_id.clone());
    one_of("context field", expect.context.as_slice(), decision.context_field.clone());
    let felt = inputs.emotion.unwrap_or_default();
    one_of("emotion", &expect.emotion, lower(felt.emotion().as_str_name(), "EMOTION_"));
    one_of("necessity", &expect.necessity, lower(felt.necessity().as_str_name(), "EMPATHY_NECESSITY_"));
    one_of("language", expect.language.as_slice(), lower(inputs.locale().as_str_name(), "LOCALE_"));
    if let Some(flags) = &expect.flags {
        let raised = &decision.raised_flag_ids;
        if flags.is_empty() != raised.is_empty() || !flags.is_empty() && !flags.iter().any(|f| raised.contains(f)) {
            wrong.push(format!("flags {raised:?}, not one of {flags:?}"));
        }
        if turn.flags.iter().any(|flag| !raised.contains(&flag.id)) {
            wrong.push("a red flag was shown that is not on record".to_owned());
        }
    }
    let has_preface = !inputs.preface.is_empty();
    if expect.preface.is_some_and(|wanted| wanted != has_preface) {
        wrong.push(format!("preface `{}`", inputs.preface));
    }
    let text = turn.text.to_lowercase();
    if !expect.says.is_empty() && !expect.says.iter().any(|words| text.contains(words.as_str())) {
        wrong.push(format!("says none of {:?}: `{}`", expect.says, turn.text));
    }
    for words in expect.never_says.iter().filter(|words| text.contains(words.as_str())) {
        wrong.push(format!("says `{words}`: `{}`", turn.text));
    }
    wrong
}

/// The verdict.
pub fn compare_end(end: &End, now: &Consultation, pack: &Pack) -> Vec<String> {
    let mut wrong = Vec::new();
    if let Some(id) = end.top3.iter().find(|id| pack.condition(id).is_none()) {
        wrong.push(format!("no condition {id} in the pack"));
    }
    let differential = now.diagnosis.as_ref().map(|d| d.differential.as_slice()).unwrap_or_default();
    let first: Vec<&str> = differential.iter().take(3).map(|c| c.condition_id.as_str()).collect();
    if !end.top3.is_empty() && !end.top3.iter().any(|id| first.contains(&id.as_str())) {
        let ranked: Vec<_> = now.ranked.iter().take(3).map(|r| format!("{} {:.2}", r.condition_id, r.score)).collect();
        wrong.push(format!("verdict {first:?} (ranked {ranked:?}), none of {:?}", end.top3));
    }
    if end.abstains && (now.diagnosis.is_some() || now.status() != ConsultationStatus::Concluded) {
        wrong.push(format!("no abstention: {}, verdict {first:?}", now.status().as_str_name()));
    }
    if let Some(status) = &end.status {
        let got = lower(now.status().as_str_name(), "CONSULTATION_STATUS_");
        if got != *status {
            wrong.push(format!("status {got}, not {status}"));
        }
    }
    wrong
}

/// The clinician's part. Doses for a child are left to the clinician.
pub fn compare_plan(end: &End, plan: &Diagnosis, pack: &Pack, child: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    for planned in &plan.herbs {
        let herb = pack.herbs.iter().find(|h| h.names.iter().any(|(_, name)| *name == planned.name));
        let Some(herb) = herb else {
            wrong.push(format!("{} is no herb of the pack", planned.name));
            continue;
        };
        if end.without_herbs.contains(&herb.id) {
            wrong.push(format!("the plan holds {}", herb.id));
        }
        if end.safe_in_pregnancy && herb.pregnancy == PregnancyClass::Forbidden {
            wrong.push(format!("the plan holds {}, which is forbidden in pregnancy", herb.id));
        }
        let dosed = planned.dose_from_g > 0.0 && planned.dose_to_g >= planned.dose_from_g;
        if dosed == child || !dosed && planned.dose_to_g > 0.0 {
            let (from, to) = (planned.dose_from_g, planned.dose_to_g);
            wrong.push(format!("{} has the dose {from} to {to}", herb.id));
        }
    }
    wrong
}

fn lower(name: &str, prefix: &str) -> String {
    name.trim_start_matches(prefix).to_lowercase()
}
