//! The files as written, before references are resolved.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{Kind, Level, Locale, Localized, Measure, Observer, PregnancyClass, Sex, SubstanceKind, Toxicity};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawFinding {
    pub id: String,
    pub kind: Kind,
    pub names: Localized<String>,
    #[serde(default)]
    pub sayings: Localized<Vec<String>>,
    pub ask: Option<Localized<String>>,
    #[serde(default)]
    pub explain: Option<Localized<String>>,
    #[serde(default)]
    pub about: Localized<Vec<String>>,
    pub observable: Vec<Observer>,
    pub base_rate: f64,
    #[serde(default)]
    pub parent: Option<String>,
    #[serde(default)]
    pub axis: Option<String>,
    #[serde(default)]
    pub implies: Vec<String>,
    #[serde(default)]
    pub excludes: Vec<String>,
    #[serde(default)]
    pub measure: Option<Measure>,
    #[serde(default)]
    pub sex: Option<Sex>,
    #[serde(default)]
    pub age_min: Option<u32>,
    #[serde(default)]
    pub age_max: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawAmbiguity {
    pub id: String,
    pub sayings: Localized<Vec<String>>,
    pub candidates: Vec<String>,
    pub ask: Localized<String>,
    #[serde(default)]
    pub illness: bool,
    #[serde(default)]
    pub qualifies: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    Chief,
    Common,
    Occasional,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    #[default]
    Present,
    Denied,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawEdge {
    pub finding: String,
    #[serde(default)]
    pub grade: Option<Grade>,
    #[serde(default)]
    pub p: Option<f64>,
    #[serde(default)]
    pub expect: Expect,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawHerbDose {
    pub herb: String,
    pub dose_g: [f64; 2],
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawModification {
    pub when: String,
    #[serde(default)]
    pub add: Vec<String>,
    #[serde(default)]
    pub remove: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawCondition {
    pub id: String,
    pub disease: Localized<String>,
    #[serde(default)]
    pub pattern: Localized<String>,
    #[serde(default)]
    pub codes: BTreeMap<String, String>,
    pub prior: f64,
    #[serde(default)]
    pub sex: Option<Sex>,
    #[serde(default)]
    pub age_min: Option<u32>,
    #[serde(default)]
    pub age_max: Option<u32>,
    #[serde(default)]
    pub mechanism: Localized<String>,
    pub findings: Vec<RawEdge>,
    #[serde(default)]
    pub principle: Localized<String>,
    #[serde(default)]
    pub formula: Localized<String>,
    #[serde(default)]
    pub herbs: Vec<RawHerbDose>,
    #[serde(default)]
    pub modifications: Vec<RawModification>,
    #[serde(default)]
    pub advice: Localized<Vec<String>>,
    #[serde(default)]
    pub diet: Localized<Vec<String>>,
    #[serde(default)]
    pub refer: Localized<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawHerb {
    pub id: String,
    pub names: Localized<String>,
    pub dose_g: [f64; 2],
    pub toxicity: Toxicity,
    pub pregnancy: PregnancyClass,
    #[serde(default)]
    pub cautions: Option<Localized<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawSubstance {
    pub id: String,
    pub kind: SubstanceKind,
    pub names: Localized<String>,
    #[serde(default)]
    pub sayings: Localized<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawSafety {
    #[serde(default)]
    pub incompatible: Vec<RawIncompatible>,
    #[serde(default)]
    pub cue: BTreeMap<String, RawCue>,
    #[serde(default)]
    pub red_flag: Vec<RawRedFlag>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawIncompatible {
    pub a: String,
    pub b: String,
    #[serde(default)]
    #[allow(dead_code, reason = "part of the format, for readers of the file")]
    pub kind: String,
    pub source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawCue {
    #[serde(default)]
    pub zh: Vec<String>,
    #[serde(default)]
    pub en: Vec<String>,
    #[serde(default)]
    pub findings: Vec<String>,
    #[serde(default = "yes")]
    pub past: bool,
    #[serde(default)]
    pub except: Vec<String>,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawRedFlag {
    pub id: String,
    pub level: Level,
    pub when: Vec<Vec<String>>,
    pub message: Localized<String>,
}

/// `tongue.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawTongue {
    pub ask: RawTongueAsk,
    pub feature: BTreeMap<String, BTreeMap<String, RawClassMeaning>>,
    #[serde(default)]
    pub constitution: Vec<RawConstitution>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawTongueAsk {
    pub gain_bits: f64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawClassMeaning {
    #[serde(default)]
    pub present: Vec<String>,
    #[serde(default)]
    pub denied: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawConstitution {
    pub id: String,
    pub names: Localized<String>,
    pub bias: f64,
    #[serde(default)]
    pub signs: Vec<RawConstitutionSign>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawConstitutionSign {
    pub feature: String,
    pub class: String,
    pub weight: f64,
}

/// A passage's heading and text, with the line of the heading.
#[derive(Debug)]
pub struct RawPassage {
    pub line: usize,
    pub id: String,
    pub locale: Option<Locale>,
    pub conditions: Vec<String>,
    pub source: String,
    pub text: String,
}
