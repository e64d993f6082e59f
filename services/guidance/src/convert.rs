//! From requests to what the language crate takes, or to everything that is wrong with them.

use wenzhen_language::frames::{FrameError, MAX_FINDINGS};
use wenzhen_language::{Subject, proto};
use wenzhen_pack::{FindingIx, Locale, Pack};
use wenzhen_proto::clinical::v1 as clinical;
use wenzhen_proto::guidance::v1::{AskRequest, InterpretRequest};

use crate::error::{Error, Violation};

/// Most bytes of a text.
pub const MAX_TEXT: usize = 8_192;
/// Most quick answers of a question.
pub const MAX_QUICK_ANSWERS: usize = 12;
/// Most bytes of a quick answer.
const MAX_QUICK_ANSWER: usize = 200;

/// An `Interpret` request as checked against its pack.
#[derive(Debug)]
pub struct Interpret {
    /// Findings of the last question.
    pub asked: Vec<FindingIx>,
    /// The ambiguity that the last question clarified.
    pub clarifying: Option<usize>,
    /// Language, when it is known.
    pub locale: Option<Locale>,
    /// It is settled that the speaker is the patient.
    pub of_self: bool,
}

/// An `Ask` request as checked against its pack.
#[derive(Debug)]
pub struct Ask {
    /// Findings to ask for.
    pub findings: Vec<FindingIx>,
    /// The ambiguity to clarify.
    pub ambiguity: Option<usize>,
    /// Language of the question.
    pub locale: Locale,
    /// The person spoken of.
    pub subject: Subject,
}

/// The digest and epoch that a request is pinned to.
///
/// # Errors
/// Without pins, or with a digest that has not the form of one.
pub fn pins(pins: Option<&clinical::Pins>) -> Result<(&str, u64), Error> {
    let pins = pins.ok_or_else(|| Error::field("pins", "required"))?;
    let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if pins.pack_digest.len() == 64 && pins.pack_digest.bytes().all(digit) {
        Ok((&pins.pack_digest, pins.weight_epoch))
    } else {
        Err(Error::field("pins.pack_digest", "64 hexadecimal digits in lower case"))
    }
}

/// Checks an `Interpret` request.
///
/// # Errors
/// With every wrong field.
pub fn interpret(pack: &Pack, request: &InterpretRequest) -> Result<Interpret, Error> {
    let mut check = Check::default();
    check.text(&request.text);
    let asked = check.findings(pack, "asked_finding_ids", &request.asked_finding_ids);
    let clarifying = check.ambiguity(pack, "clarifying_id", &request.clarifying_id);
    let locale = check.locale(request.locale);
    check.quick_answers(&request.quick_answers);
    let of_self = check.subject(request.subject) == clinical::Subject::Self_;
    check.done(Interpret { asked, clarifying, locale, of_self })
}

/// Checks an `Ask` request.
///
/// # Errors
/// With every wrong field.
pub fn ask(pack: &Pack, request: &AskRequest) -> Result<Ask, Error> {
    let mut check = Check::default();
    let findings = check.findings(pack, "finding_ids", &request.finding_ids);
    let ambiguity = check.ambiguity(pack, "ambiguity_id", &request.ambiguity_id);
    let locale = check.locale(request.locale);
    if request.locale == i32::from(clinical::Locale::Unspecified) {
        check.fail("locale", "required");
    }
    let subject = proto::subject(check.subject(request.subject));
    // Without a language there is a violation, so that this default is never used.
    let locale = locale.unwrap_or_else(|| pack.manifest.default_locale());
    check.done(Ask { findings, ambiguity, locale, subject })
}

/// Why a question that passed [`ask`] still could not be worded.
pub fn unaskable(error: FrameError) -> Error {
    let finding = |at: usize, description| Error::field(format!("finding_ids[{at}]"), description);
    match error {
        FrameError::Nothing => Error::field("finding_ids", "one to three findings, or an ambiguity"),
        FrameError::Both => Error::field("ambiguity_id", "empty when findings are asked for"),
        FrameError::TooMany(_) => Error::field("finding_ids", "at most 3"),
        FrameError::Twice(at) => finding(at, "different from the others"),
        FrameError::UnknownFinding(at) => finding(at, "a finding of the pinned pack"),
        FrameError::NotAskable(at) => finding(at, "a finding that a patient can be asked for"),
        FrameError::UnknownAmbiguity => Error::field("ambiguity_id", "an ambiguity of the pinned pack"),
        FrameError::NoVoice => Error::NoVoice,
    }
}

/// Collects what is wrong with a request.
#[derive(Default)]
struct Check(Vec<Violation>);

impl Check {
    fn fail(&mut self, field: impl Into<String>, description: &'static str) {
        self.0.push(Violation { field: field.into(), description });
    }

    fn done<T>(self, value: T) -> Result<T, Error> {
        if self.0.is_empty() { Ok(value) } else { Err(Error::Invalid(self.0)) }
    }

    fn text(&mut self, text: &str) {
        if text.len() > MAX_TEXT {
            self.fail("text", "at most 8,192 bytes");
        } else if text.chars().all(|c| c.is_control() || c.is_whitespace()) {
            self.fail("text", "something beside spaces and control characters");
        }
    }

    fn quick_answers(&mut self, answers: &[String]) {
        if answers.len() > MAX_QUICK_ANSWERS {
            self.fail("quick_answers", "at most 12");
        } else if let Some(i) = answers.iter().position(|a| a.len() > MAX_QUICK_ANSWER) {
            self.fail(format!("quick_answers[{i}]"), "at most 200 bytes");
        }
    }

    fn findings(&mut self, pack: &Pack, field: &str, ids: &[String]) -> Vec<FindingIx> {
        if ids.len() > MAX_FINDINGS {
            self.fail(field, "at most 3");
            return Vec::new();
        }
        let mut findings = Vec::with_capacity(ids.len());
        for (i, id) in ids.iter().enumerate() {
            match pack.finding(id) {
                Some(finding) => findings.push(finding),
                None => self.fail(format!("{field}[{i}]"), "a finding of the pinned pack"),
            }
        }
        findings
    }

    fn ambiguity(&mut self, pack: &Pack, field: &str, id: &str) -> Option<usize> {
        let found = pack.ambiguities.iter().position(|ambiguity| ambiguity.id == id);
        if found.is_none() && !id.is_empty() {
            self.fail(field, "an ambiguity of the pinned pack");
        }
        found
    }

    fn subject(&mut self, subject: i32) -> clinical::Subject {
        clinical::Subject::try_from(subject).unwrap_or_else(|_| {
            self.fail("subject", "a value of the enumeration");
            clinical::Subject::Unspecified
        })
    }

    fn locale(&mut self, locale: i32) -> Option<Locale> {
        let Ok(locale) = clinical::Locale::try_from(locale) else {
            self.fail("locale", "a value of the enumeration");
            return None;
        };
        proto::from_locale(locale)
    }
}
