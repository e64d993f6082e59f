//! Words of the tests that are no program text: a patient's short answers, promises that nobody may make, odd messages.

use std::sync::LazyLock;

use serde::Deserialize;

/// `tests/data/words.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    pub zh: Short,
    pub en: Short,
    pub promises: Vec<String>,
    /// Units behind a number that make it a dose.
    pub dose_units: Vec<String>,
    /// The ending of a formula's name that says that it was changed.
    pub modified: String,
    pub messages: Messages,
}

/// Short answers in one language.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Short {
    pub person: String,
    pub not_pregnant: String,
    pub both: String,
    pub neither: String,
    pub first_only: String,
    pub second_only: String,
    pub unsure: String,
    pub first_yes_second_unsure: String,
    pub first_no_second_unsure: String,
    pub first_unsure_second_yes: String,
    pub first_unsure_second_no: String,
    pub first: String,
    pub second: String,
}

/// Messages of the tests on bad input.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Messages {
    /// An everyday complaint, and its findings.
    pub complaint: String,
    pub complaint_en: String,
    pub complaint_finding: String,
    pub beyond: String,
    pub beyond_finding: String,
    pub emergency: String,
    pub accepted: Vec<String>,
    pub injections: Vec<String>,
}

static WORDS: LazyLock<Words> = LazyLock::new(|| {
    let text = std::fs::read_to_string(super::folder("tests/data/words.toml")).unwrap();
    toml::from_str(&text).unwrap_or_else(|e| panic!("words.toml: {e}"))
});

/// The words.
pub fn words() -> &'static Words {
    &WORDS
}
