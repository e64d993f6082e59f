//! How a simulated patient answers a question.

use rand::Rng;
use wenzhen_pack::{Locale, Pack};
use wenzhen_proto::clinical::v1 as clinical;
use wenzhen_proto::clinical::v1::FindingState::{Present, Unsure};
use wenzhen_proto::orchestrator::v1::Question;

use super::Case;
use super::words::{Phrases, Words};

/// The words of the answer: half of the time a quick answer, else the patient's own.
pub fn answer<R: Rng>(
    (pack, words): (&Pack, &Words),
    case: &Case,
    question: &Question,
    locale: Locale,
    random: &mut R,
) -> String {
    let phrases = words.of(locale);
    let quick = |at: usize| question.quick_answers.get(at).cloned();
    if question.context_field == "age_sex" {
        return person(phrases, &case.person);
    }
    if !question.context_field.is_empty() {
        return quick(0).unwrap_or_else(|| phrases.no.clone());
    }
    if !question.ambiguity_id.is_empty() {
        return quick(meant(pack, case, question)).unwrap_or_else(|| phrases.unsure.clone());
    }
    let state = |id: &String| pack.finding(id).map_or(clinical::FindingState::Denied, |finding| case.state(finding));
    let states: Vec<_> = question.finding_ids.iter().map(state).collect();
    let (at, own) = match (states.as_slice(), question.quick_answers.len()) {
        // Yes, no, unsure.
        ([one], 3) => match one {
            Present => (0, &phrases.yes),
            Unsure => (2, &phrases.unsure),
            _ => (1, &phrases.no),
        },
        // Both, neither, only the first, only the second, unsure.
        ([first, second], 5) => match (*first == Present, *second == Present) {
            (true, true) => (0, &phrases.both),
            (false, false) if *first == Unsure && *second == Unsure => (4, &phrases.unsure),
            (false, false) => (1, &phrases.neither),
            (true, false) => (2, &phrases.first_only),
            (false, true) => (3, &phrases.second_only),
        },
        // A choice: one of them, none, unsure.
        ([first, second], 4) => match (*first == Present, *second == Present) {
            (true, _) => (0, &phrases.first),
            (false, true) => (1, &phrases.second),
            (false, false) => (2, &phrases.neither),
        },
        // Three, or a form of question that this patient does not know.
        (states, _) if !states.is_empty() && states.iter().all(|state| *state == Present) => (0, &phrases.yes),
        _ => (1, &phrases.no),
    };
    let own_words = random.random_bool(0.5);
    if own_words { own.clone() } else { quick(at).unwrap_or_else(|| own.clone()) }
}

fn person(phrases: &Phrases, person: &clinical::PatientContext) -> String {
    let child = person.subject() == clinical::Subject::Child;
    let frame = if child { &phrases.child } else { &phrases.person };
    let sex = if person.sex() == clinical::Sex::Male { &phrases.male } else { &phrases.female };
    let years = person.age_months.unwrap_or(480) / 12;
    frame.replace("{age}", &years.to_string()).replace("{sex}", sex)
}

/// The candidate of an ambiguity that the patient has, else the answer behind the last one: none of them.
fn meant(pack: &Pack, case: &Case, question: &Question) -> usize {
    let ambiguity = pack.ambiguities.iter().find(|ambiguity| ambiguity.id == question.ambiguity_id);
    let candidates = ambiguity.map_or(&[] as &[_], |ambiguity| ambiguity.candidates.as_slice());
    let has = |finding: &wenzhen_pack::FindingIx| case.state(*finding) == Present;
    candidates.iter().position(has).unwrap_or(candidates.len())
}
