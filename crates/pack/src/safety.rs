//! Cues and red flags: what must never be missed, as data.

use serde::{Deserialize, Serialize};

use crate::{FindingIx, Locale, Localized};

/// How urgent a red flag is. The order is the order of urgency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// See a doctor today.
    Today,
    /// Danger to life by one's own or another's hand: now.
    Crisis,
    /// Emergency room now.
    Emergency,
}

/// Phrases (and findings) that light one signal.
#[derive(Debug, Clone)]
pub struct Cue {
    /// Unique id.
    pub id: String,
    /// Phrases per locale; `…` stands for up to eight characters of the same clause.
    pub phrases: Localized<Vec<String>>,
    /// Findings that light it when recorded present.
    pub findings: Vec<FindingIx>,
    /// Lit even when said to be over.
    pub past: bool,
    /// Phrases around which it does not count.
    pub except: Vec<String>,
}

/// One term of a red flag's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CueRef {
    /// Position in [`Safety::cues`].
    Cue(usize),
    /// `@age_under_3_months`
    AgeUnder3Months,
    /// `@age_under_3_years`
    AgeUnder3Years,
    /// `@age_over_60`
    AgeOver60,
    /// `@pregnant`
    Pregnant,
    /// `@pregnant_20w`
    Pregnant20Weeks,
    /// `@female`
    Female,
    /// `@male`
    Male,
    /// `@age_under_5_years`
    AgeUnder5Years,
}

impl CueRef {
    /// Every context cue with the name that files use.
    pub const CONTEXT: [(&'static str, Self); 8] = [
        ("@age_under_3_months", Self::AgeUnder3Months),
        ("@age_under_3_years", Self::AgeUnder3Years),
        ("@age_over_60", Self::AgeOver60),
        ("@pregnant", Self::Pregnant),
        ("@pregnant_20w", Self::Pregnant20Weeks),
        ("@female", Self::Female),
        ("@male", Self::Male),
        ("@age_under_5_years", Self::AgeUnder5Years),
    ];

    /// The context cue written as `name` (with its `@`).
    pub fn context(name: &str) -> Option<Self> {
        Self::CONTEXT.iter().find(|(known, _)| *known == name).map(|(_, cue)| *cue)
    }
}

/// A red flag: holds when all cues of any row are lit.
#[derive(Debug, Clone)]
pub struct RedFlag {
    /// Unique id.
    pub id: String,
    /// Its urgency.
    pub level: Level,
    /// Rows of cues; one full row is enough.
    pub when: Vec<Vec<CueRef>>,
    /// What to do now.
    pub message: Localized<String>,
}

/// All cues and red flags of a pack.
#[derive(Debug, Clone, Default)]
pub struct Safety {
    /// Cues, in the order of their ids.
    pub cues: Vec<Cue>,
    /// Red flags, in file order.
    pub red_flags: Vec<RedFlag>,
}

impl Safety {
    /// The message of a red flag in `locale`; empty for an unknown id.
    pub fn message(&self, id: &str, locale: Locale) -> &str {
        self.red_flags.iter().find(|flag| flag.id == id).map_or("", |flag| flag.message.text(locale))
    }
}
