//! Checks of what a client says about the person and of the fields that many requests share.

use wenzhen_proto::clinical::v1::{PatientContext, Sex, Subject};

use crate::Error;
use crate::store::ConsultationId;

/// Longest message, in bytes.
pub(crate) const MAX_TEXT: usize = 8192;
/// Longest note or reason, in bytes.
const MAX_NOTE: usize = 2000;
/// Oldest person, in months.
const MAX_AGE_MONTHS: u32 = 1560;
/// Longest pregnancy, in weeks.
const MAX_WEEKS: u32 = 45;
/// Longest item in a list of allergies or medicines, in bytes.
const MAX_ITEM: usize = 200;

/// The id of a consultation.
pub(crate) fn consultation_id(text: &str) -> Result<ConsultationId, Error> {
    text.parse().map_err(|_| Error::field("consultation_id", "32 hexadecimal digits"))
}

/// An id that the client chose.
pub(crate) fn client_id(field: &'static str, text: &str) -> Result<(), Error> {
    let valid =
        (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if valid { Ok(()) } else { Err(Error::field(field, "1 to 64 characters of [A-Za-z0-9_-]")) }
}

/// The words of a message.
pub(crate) fn words(text: &str) -> Result<(), Error> {
    if text.len() > MAX_TEXT {
        return Err(Error::field("text", format!("at most {MAX_TEXT} bytes, got {}", text.len())));
    }
    let visible = |c: char| !c.is_whitespace() && !c.is_control() && !is_invisible(c);
    if text.chars().any(visible) { Ok(()) } else { Err(Error::field("text", "at least one visible character")) }
}

/// Characters that take no place: zero-width spaces and joiners, direction marks, byte-order marks, tags.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e007f}' | '\u{ad}')
}

/// A note or reason of a clinician.
pub(crate) fn note(field: &'static str, text: &str, required: bool) -> Result<(), Error> {
    if text.len() > MAX_NOTE {
        return Err(Error::field(field, format!("at most {MAX_NOTE} bytes, got {}", text.len())));
    }
    if required && text.trim().is_empty() { Err(Error::field(field, "a text that is not empty")) } else { Ok(()) }
}

/// What is known of the person beforehand.
pub(crate) fn patient(patient: &PatientContext) -> Result<(), Error> {
    let mut wrong = Vec::new();
    if patient.age_months.is_some_and(|months| months > MAX_AGE_MONTHS) {
        wrong.push(("patient.age_months", format!("0 to {MAX_AGE_MONTHS}")));
    }
    if patient.pregnancy_weeks.is_some_and(|weeks| !(1..=MAX_WEEKS).contains(&weeks)) {
        wrong.push(("patient.pregnancy_weeks", format!("1 to {MAX_WEEKS}")));
    }
    if Sex::try_from(patient.sex).is_err() {
        wrong.push(("patient.sex", "a value of Sex".into()));
    }
    if Subject::try_from(patient.subject).is_err() {
        wrong.push(("patient.subject", "a value of Subject".into()));
    }
    let pregnant = patient.pregnant == Some(true) || patient.pregnancy_weeks.is_some();
    if pregnant && patient.sex() == Sex::Male {
        wrong.push(("patient.pregnant", "a woman".into()));
    }
    for (field, items, most) in
        [("patient.allergies", &patient.allergies, 20), ("patient.medicines", &patient.medicines, 50)]
    {
        if items.len() > most || items.iter().any(|item| item.is_empty() || item.len() > MAX_ITEM) {
            wrong.push((field, format!("at most {most} items of 1 to {MAX_ITEM} bytes")));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Error::Invalid(wrong)) }
}
