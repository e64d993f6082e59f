//! The words of the terminal itself, as data.

use serde::Deserialize;
use wenzhen_pack::Locale;

/// What the terminal says in one language.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "each field is named after the line that it holds; see data/ui.*.toml")]
pub struct Ui {
    pub banner: String,
    pub intro: String,
    pub resume: String,
    pub resumed: String,
    pub thinking: Vec<String>,
    pub quick: String,
    pub photo: String,
    pub emergency: String,
    pub crisis: String,
    pub today: String,
    pub undone: String,
    pub ended: String,
    pub exported: String,
    pub deleted: String,
    pub delete_confirm: String,
    pub no_plan: String,
    pub no_question: String,
    pub plan_waiting: String,
    pub plan_signed: String,
    pub plan_rejected: String,
    pub principle: String,
    pub formula: String,
    pub herbs: String,
    pub cautions: String,
    pub per_day: String,
    pub nothing_pending: String,
    pub pending_plan: String,
    pub pending_handed_over: String,
    pub pending_urgent: String,
    pub photo_path: String,
    pub clinician_help: String,
    pub clinician_done: String,
    pub clinician_no_key: String,
    pub bad_number: String,
    pub error: String,
    /// The record fell behind what was shown.
    pub record_lost: String,
    pub unknown_command: String,
    pub help: String,
}

impl Ui {
    /// The words in a language.
    ///
    /// # Errors
    /// Never for a released binary: a test loads both.
    pub fn new(locale: Locale) -> anyhow::Result<Self> {
        Ok(toml::from_str(match locale {
            Locale::Zh => include_str!("../../data/ui.zh.toml"),
            Locale::En => include_str!("../../data/ui.en.toml"),
        })?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_load() {
        for locale in Locale::ALL {
            assert_eq!(Ui::new(locale).unwrap().thinking.len(), 6, "one line per stage");
        }
    }
}
