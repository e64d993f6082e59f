//! Short answers to a question about the person: a bare number for the age, a bare yes or no for
//! pregnancy. Only who knows what was asked can read them. Pure.

use wenzhen_language::{Utterance, normalise};
use wenzhen_pack::{FindingIx, Locale, Pack, State};
use wenzhen_proto::clinical::v1::PatientContext;
use wenzhen_proto::guidance::v1::InterpretResponse;

use crate::Knowledge;
use crate::policy::{AGE_SEX, PREGNANCY, TONGUE_PHOTO};

/// Oldest age that a bare number is taken for, in years.
const OLDEST: u32 = 120;

/// Adds to what was read what only makes sense as an answer to the question for `field`.
pub(super) fn complete(
    knowledge: &Knowledge,
    field: &str,
    (text, locale): (&str, Locale),
    read: &mut InterpretResponse,
) {
    let known = read.patient.clone().unwrap_or_default();
    let learned = match field {
        AGE_SEX if known.age_months.is_none() => {
            PatientContext { age_months: years(text).map(|years| years * 12), ..known }
        }
        // With findings in the same words the yes or no may be about them.
        PREGNANCY if known.pregnant.is_none() && read.observations.is_empty() => {
            PatientContext { pregnant: yes_or_no(knowledge, text, locale), ..known }
        }
        _ => return,
    };
    read.patient = Some(learned);
}

/// Whether the words agree to send the photograph that was asked for, and say no more.
pub(super) fn agrees(
    knowledge: &Knowledge,
    field: &str,
    (text, locale): (&str, Locale),
    read: &InterpretResponse,
) -> bool {
    let asked = field == TONGUE_PHOTO && read.observations.is_empty();
    asked && (is_assent(knowledge, text) || yes_or_no(knowledge, text, locale) == Some(true))
}

/// Words that agree to do something are other ones than those that say that something is there.
fn is_assent(knowledge: &Knowledge, text: &str) -> bool {
    let folded = normalise(text).text.to_lowercase();
    let bare = folded.trim_matches(|c: char| !c.is_alphanumeric());
    let photos = knowledge.pack.voices.values();
    photos.filter_map(|voice| voice.orchestrator.photo.as_ref()).any(|photo| photo.agrees.iter().any(|a| a == bare))
}

/// The only number in the words, where it can be an age in years.
fn years(text: &str) -> Option<u32> {
    let folded = normalise(text);
    let mut numbers = folded.text.split(|c: char| !c.is_ascii_digit()).filter(|run| !run.is_empty());
    let only = numbers.next().filter(|_| numbers.next().is_none())?;
    only.parse().ok().filter(|years| (1..=OLDEST).contains(years))
}

/// Words that are an answer and nothing more, read as one to a single question.
fn yes_or_no(knowledge: &Knowledge, text: &str, locale: Locale) -> Option<bool> {
    let asked = any_askable(&knowledge.pack)?;
    let utterance = Utterance { text, asked: &[asked], locale: Some(locale), ..Utterance::default() };
    let read = knowledge.interpreter.interpret(&utterance);
    let answer = read.observations.iter().find(|o| o.finding == asked && o.answers_question)?;
    match answer.state {
        State::Present => Some(true),
        State::Denied => Some(false),
        State::Unsure => None,
    }
}

/// Which one does not matter: the words do not name it.
fn any_askable(pack: &Pack) -> Option<FindingIx> {
    pack.findings.iter().find(|f| f.askable()).and_then(|f| pack.finding(&f.id))
}

#[cfg(test)]
mod tests {
    use super::years;

    #[test]
    fn a_bare_number_is_an_age() {
        for (text, age) in
            [("34", Some(34)), ("34, f", Some(34)), ("３４", Some(34)), ("34 or 35", None), ("1980", None)]
        {
            assert_eq!(years(text), age, "{text}");
        }
    }
}
