//! The tables of function words under `data/`, one per language.

use std::collections::BTreeMap;

use serde::Deserialize;
use wenzhen_pack::{Locale, Sex};

use crate::{LanguageError, Subject};

pub(crate) const ZH_TABLE: &str = include_str!("../data/zh.toml");
pub(crate) const EN_TABLE: &str = include_str!("../data/en.toml");

/// What a function word does. The order is the order of precedence where two phrases come out
/// equal once inflection is taken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Class {
    Inert,
    Rest,
    AllNo,
    AllYes,
    Negator,
    NegatorAhead,
    NegatorOne,
    WeakNegator,
    MetaNegator,
    Retort,
    Rhetorical,
    Persisting,
    OverPrefix,
    Over,
    Affirm,
    Copula,
    Begin,
    Contrast,
    Only,
    Whether,
    Asking,
    Defining,
    Meaning,
    MeaningNear,
    Wondering,
    WonderingFirst,
    Particle,
    Hedge,
    Unsure,
    Supposing,
    Past,
    Once,
    Now,
    MildAfter,
    SevereAfter,
    Mild,
    Moderate,
    Severe,
    RemedyPrefix,
    RemedySuffix,
    List,
    Such,
    Except,
    ExceptEnd,
    Correction,
    CorrectionWeak,
    Stop,
    Refuse,
    Diagnosis,
    OffTopic,
    Greeting,
    Pregnant,
    Parting,
    AllergicBefore,
    AllergicAfter,
    Taking,
    TakingNear,
    Medicine,
    No,
    Yes,
    Fine,
    Unrelated,
    Often,
    When,
    Complement,
    Thus,
    Perfect,
    Attributive,
    Filler,
}

impl Class {
    /// Words that may stand inside a finding's name without changing it (`丙有点甲`, `the x
    /// is very y`).
    pub(crate) const fn slips_in(self) -> bool {
        matches!(
            self,
            Self::Filler
                | Self::Perfect
                | Self::Attributive
                | Self::Often
                | Self::Copula
                | Self::Mild
                | Self::Moderate
                | Self::Severe
                | Self::Affirm
                | Self::Only
                | Self::Now
                | Self::Rhetorical
        )
    }

    /// Words around a substance, which are looked for apart from all others.
    pub(crate) const fn of_substances(self) -> bool {
        matches!(self, Self::AllergicBefore | Self::AllergicAfter | Self::Taking | Self::TakingNear | Self::Medicine)
    }

    /// Words that may be missing at the end of a saying.
    pub(crate) const fn trails(self) -> bool {
        matches!(self, Self::Perfect | Self::Attributive)
    }

    /// Words that deny a finding from inside its name (`丙不甲`, `the x is not y`).
    pub(crate) const fn denies(self) -> bool {
        matches!(self, Self::Negator | Self::NegatorAhead | Self::NegatorOne | Self::WeakNegator)
    }
}

/// A table of function words as written.
#[derive(Debug, Deserialize)]
pub(crate) struct Table {
    pub words: BTreeMap<Class, Vec<String>>,
    pub ordinals: BTreeMap<String, Vec<i8>>,
    pub subject: Vec<SubjectWords>,
    pub sex: Vec<SexWords>,
    pub brief: Brief,
    pub pick: PickWords,
    pub stands_for: StandsFor,
    pub family: Affixes,
    pub derive: Derive,
    pub whether: Whether,
    pub normal: Normal,
    pub dialogue: Dialogue,
    pub course: Course,
    pub units: BTreeMap<String, f32>,
    pub times: BTreeMap<String, f32>,
    pub ages: BTreeMap<String, f32>,
    #[serde(default)]
    pub numbers: BTreeMap<String, f32>,
    pub frequency: Frequency,
    pub weeks: BTreeMap<String, f32>,
    #[serde(default)]
    pub convert: Vec<Convert>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct SubjectWords {
    pub who: Subject,
    pub sex: Option<Sex>,
    #[serde(default)]
    pub relative: bool,
    #[serde(default)]
    pub prefixes: Vec<String>,
    pub words: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct SexWords {
    pub sex: Sex,
    pub words: Vec<String>,
}

/// Verbs that stand for what was named before.
#[derive(Debug, Deserialize)]
pub(crate) struct StandsFor {
    pub verbs: Vec<String>,
}

/// Words of a message that is nothing but an age, a sex or both.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Brief {
    pub m: Vec<String>,
    pub f: Vec<String>,
    /// Behind a round number: some years more.
    pub more: Vec<String>,
    /// Words that tell nothing more.
    pub beside: Vec<String>,
}

/// Words that may stand beside a number that picks from a list.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct PickWords {
    pub words: Vec<String>,
}

/// How a family history is named after the finding.
#[derive(Debug, Deserialize)]
pub(crate) struct Affixes {
    pub prefixes: Vec<String>,
    pub suffixes: Vec<String>,
}

/// How the end of a finding is said with a part of its name.
#[derive(Debug, Deserialize)]
pub(crate) struct Derive {
    pub light_verbs: Vec<char>,
    pub ends: Vec<char>,
    /// Words that may stand in a name but carry the meaning of a saying that has them.
    pub bears: Vec<String>,
    /// The word that likens; empty where there is none.
    pub like: String,
    /// Other ways to liken; `{}` stands for what the thing is likened to.
    pub likenesses: Vec<String>,
}

/// How a thing is said to be in order or out of order.
#[derive(Debug, Deserialize)]
pub(crate) struct Normal {
    /// Behind the thing: out of order.
    pub bad: Vec<String>,
    /// Before the thing: out of order.
    #[serde(default)]
    pub bad_before: Vec<String>,
    /// In order, beside the words of [`Class::Fine`].
    pub good: Vec<String>,
}

/// Words of a consultation that name no finding: a question with one is not off the topic.
#[derive(Debug, Deserialize)]
pub(crate) struct Dialogue {
    pub words: Vec<String>,
}

/// How it is said that something is worse or better.
#[derive(Debug, Deserialize)]
pub(crate) struct Course {
    pub worse: Vec<String>,
    pub better: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Whether {
    pub infix: Vec<char>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Frequency {
    pub words: Vec<String>,
    pub before: Vec<String>,
    pub half: Vec<String>,
    pub ages: Vec<String>,
}

/// A unit that states a measure given in another unit.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Convert {
    pub words: Vec<String>,
    pub like: String,
    pub scale: f64,
    pub offset: f64,
    /// A second reading, taken when the first gives no plausible value.
    pub or: Option<[f64; 2]>,
}

impl Table {
    pub(crate) fn load(locale: Locale) -> Result<Self, LanguageError> {
        let (table, text) = match locale {
            Locale::Zh => ("zh.toml", ZH_TABLE),
            Locale::En => ("en.toml", EN_TABLE),
        };
        toml::from_str(text).map_err(|e| LanguageError::Table { table, reason: e.message().to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use wenzhen_pack::Locale;

    use super::{Frequency, Table};

    #[test]
    fn a_phrase_stands_in_one_list_only() {
        for locale in Locale::ALL {
            let table = Table::load(locale).expect("the table");
            let mut lists: BTreeMap<&str, Vec<String>> = BTreeMap::new();
            let tokens = table.words.iter().filter(|(class, _)| !class.of_substances());
            for (class, words) in tokens {
                for word in words {
                    lists.entry(word).or_default().push(format!("{class:?}"));
                }
            }
            let Frequency { words, before, half, ages } = &table.frequency;
            let frequency = words.iter().chain(before).chain(half).chain(ages);
            let numbers = table.ordinals.keys().chain(table.ages.keys()).chain(table.units.keys());
            for word in numbers.chain(frequency) {
                lists.entry(word).or_default().push("number".into());
            }
            let twice: Vec<_> = lists.into_iter().filter(|(_, lists)| lists.len() > 1).collect();
            assert!(twice.is_empty(), "{locale}: {twice:?}");
        }
    }
}
