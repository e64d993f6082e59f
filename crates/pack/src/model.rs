//! The knowledge of a pack, resolved: every reference is an index, every number is checked.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::voice::Voice;
use crate::{ConditionIx, Digest, FindingIx, HerbIx, Locale, Localized, Prompts, Safety, TongueTable};

/// A loaded, validated pack.
#[derive(Debug, Clone)]
pub struct Pack {
    /// `pack.toml`.
    pub manifest: Manifest,
    /// All findings, in file order; [`FindingIx`] points here.
    pub findings: Vec<Finding>,
    /// Sayings that may mean several findings.
    pub ambiguities: Vec<Ambiguity>,
    /// All conditions, in file order; [`ConditionIx`] points here.
    pub conditions: Vec<Condition>,
    /// All herbs; [`HerbIx`] points here. Empty in packs without treatment.
    pub herbs: Vec<Herb>,
    /// Herb pairs that must not stand in one plan.
    pub incompatible: Vec<Incompatible>,
    /// What patients take, and what they do not tolerate, by name.
    pub substances: Vec<Substance>,
    /// Cues and red flags.
    pub safety: Safety,
    /// What a photograph of the tongue shows; `None`: the pack has no use for one.
    pub tongue: Option<TongueTable>,
    /// Passages for retrieval.
    pub passages: Vec<Passage>,
    /// How the built-in voices speak, per locale.
    pub voices: BTreeMap<Locale, Voice>,
    /// What language models are told; `None` for a pack that only built-in voices can speak from.
    pub prompts: Option<Prompts>,
    /// The identity of this content.
    pub digest: Digest,
    pub(crate) finding_ids: HashMap<String, FindingIx>,
    pub(crate) condition_ids: HashMap<String, ConditionIx>,
    pub(crate) herb_ids: HashMap<String, HerbIx>,
}

impl Pack {
    /// The finding with this id.
    pub fn finding(&self, id: &str) -> Option<FindingIx> {
        self.finding_ids.get(id).copied()
    }

    /// The condition with this id.
    pub fn condition(&self, id: &str) -> Option<ConditionIx> {
        self.condition_ids.get(id).copied()
    }

    /// The herb with this id.
    pub fn herb(&self, id: &str) -> Option<HerbIx> {
        self.herb_ids.get(id).copied()
    }

    /// The voice in `locale`, else in the pack's default locale.
    pub fn voice(&self, locale: Locale) -> Option<&Voice> {
        self.voices.get(&locale).or_else(|| self.voices.get(&self.manifest.default_locale()))
    }
}

/// `pack.toml`: what the pack is and how its dialogues run.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The pack's name, unchanged over its versions.
    pub id: String,
    /// Semantic version of the content.
    pub version: String,
    /// Which safety rules apply.
    pub profile: Profile,
    /// The languages that every text of the pack has; the first is the default.
    pub locales: Vec<Locale>,
    /// Dialogue defaults.
    pub dialogue: Dialogue,
    /// Grade to probability.
    pub grades: Grades,
    /// Who may see what, and for how long it is kept.
    pub release: Release,
}

impl Manifest {
    /// The first locale of the pack; Chinese when it names none (validation forbids that).
    pub fn default_locale(&self) -> Locale {
        self.locales.first().copied().unwrap_or(Locale::Zh)
    }
}

/// The field of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Patients and clinicians; plans wait for a signature.
    Medical,
    /// Customer support: symptoms of things.
    Support,
}

/// Scoring strategies of the knowledge graph service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StrategyName {
    /// Naive Bayes posterior with expected information gain.
    BayesPlain,
    /// DoPI (Sun et al.), equations 1-5.
    Dopi,
}

/// Dialogue defaults of a pack.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dialogue {
    /// The strategy that scores and asks.
    pub strategy: StrategyName,
    /// Questions asked before a decision must fall.
    pub max_rounds: u32,
    /// Findings in one question, 1 to 3.
    pub findings_per_question: u32,
    /// Diagnose at or above this posterior.
    pub stop_posterior: f64,
    /// Stop asking when the best question gains less, in bits.
    pub min_gain_bits: f64,
    /// Abstain at the end when the best posterior is below.
    pub abstain_posterior: f64,
    /// DoPI: stop at this cosine.
    pub dopi_epsilon: f64,
    /// DoPI: noise of round 0 (equation 5).
    pub dopi_sigma: f64,
    /// DoPI: factor on sigma per round.
    pub dopi_sigma_decay: f64,
}

/// P(finding present | condition) by textbook grade.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grades {
    /// The chief signs of a condition.
    pub chief: f64,
    /// Signs that are usual.
    pub common: f64,
    /// Signs that some have.
    pub occasional: f64,
}

/// Release and retention policy.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// Formula, herbs and doses stay with the clinician until signed.
    pub plan_needs_signature: bool,
    /// Days after the last event at which a consultation is deleted.
    pub retention_days: u32,
}

/// What a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Felt or noticed by the patient.
    Symptom,
    /// Seen on the tongue.
    Tongue,
    /// Felt at the wrist by a clinician.
    Pulse,
    /// Seen by a clinician.
    Sign,
    /// A past or standing condition.
    History,
    /// Something that happened before it began.
    Exposure,
}

/// Who can observe a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Observer {
    /// The patient or whoever speaks for them.
    Patient,
    /// A clinician in the room.
    Clinician,
    /// A photograph.
    Image,
}

/// Sex, where knowledge depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sex {
    /// Female.
    #[serde(rename = "f")]
    Female,
    /// Male.
    #[serde(rename = "m")]
    Male,
}

/// Whom something can concern; unset means everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gate {
    /// Only this sex.
    pub sex: Option<Sex>,
    /// Youngest age in years, inclusive.
    pub age_min: Option<u32>,
    /// Oldest age in years, inclusive.
    pub age_max: Option<u32>,
}

impl Gate {
    /// Whether a person may pass. What is not known of the person shuts no gate.
    pub fn admits(&self, sex: Option<Sex>, age_years: Option<u32>) -> bool {
        let sex_ok = self.sex.is_none_or(|want| sex.is_none_or(|have| have == want));
        let age_ok = age_years
            .is_none_or(|age| self.age_min.is_none_or(|min| age >= min) && self.age_max.is_none_or(|max| age <= max));
        sex_ok && age_ok
    }

    /// Whether anybody passes both gates.
    pub fn meets(&self, other: &Self) -> bool {
        let sexes = self.sex.is_none() || other.sex.is_none() || self.sex == other.sex;
        let youngest = self.age_min.max(other.age_min).unwrap_or(0);
        let oldest = [self.age_max, other.age_max].into_iter().flatten().min().unwrap_or(u32::MAX);
        sexes && youngest <= oldest
    }
}

/// Something that can be present, denied or unsure.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Unique id.
    pub id: String,
    /// What it is.
    pub kind: Kind,
    /// The field's term.
    pub names: Localized<String>,
    /// What people say; each means this finding and nothing else.
    pub sayings: Localized<Vec<String>>,
    /// A clause that asks for it; `None` where it cannot be asked.
    pub ask: Option<Localized<String>>,
    /// What its name means, in plain words; `None` where the sayings and the question tell.
    pub explain: Option<Localized<String>>,
    /// Of what a short answer to a question for it speaks; empty: of what is above it, else of its name.
    pub about: Localized<Vec<String>>,
    /// Who can observe it.
    pub observable: Vec<Observer>,
    /// P(present | the patient has something else), 0 < x < 1.
    pub base_rate: f64,
    /// The finding that this one refines.
    pub parent: Option<FindingIx>,
    /// Findings under one parent and axis exclude each other.
    pub axis: Option<String>,
    /// Present with it, beside its parent.
    pub implies: Vec<FindingIx>,
    /// Absent with it: those listed by either side, and the others of its axis.
    pub excludes: Vec<FindingIx>,
    /// How a number states it.
    pub measure: Option<Measure>,
    /// Whom it can concern.
    pub gate: Gate,
}

impl Finding {
    /// Whether a patient may be asked for it.
    pub fn askable(&self) -> bool {
        self.ask.is_some() && self.observable.contains(&Observer::Patient)
    }
}

/// How a number with a unit states a finding.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measure {
    /// Units as written after the number.
    pub units: Vec<String>,
    /// Present at or above this value.
    pub present_from: f64,
    /// Values outside are no measurement of this.
    pub plausible: [f64; 2],
    /// A number with a decimal point counts without unit.
    #[serde(default)]
    pub bare: bool,
}

/// A saying that may mean several findings.
#[derive(Debug, Clone)]
pub struct Ambiguity {
    /// Unique id.
    pub id: String,
    /// The sayings, per locale.
    pub sayings: Localized<Vec<String>>,
    /// What it may mean; two to four.
    pub candidates: Vec<FindingIx>,
    /// The clause that asks which.
    pub ask: Localized<String>,
    /// It names an illness: whoever says that they have it has not said which of its signs are there.
    pub illness: bool,
    /// It says more of something that is there (`worse after meals`): the candidate whose parent is on record is meant.
    pub qualifies: bool,
}

/// A condition: a disease with its pattern.
#[derive(Debug, Clone)]
pub struct Condition {
    /// Unique id.
    pub id: String,
    /// The disease.
    pub disease: Localized<String>,
    /// The pattern; empty where the pack has none.
    pub pattern: Localized<String>,
    /// Codes by system.
    pub codes: BTreeMap<String, String>,
    /// Relative frequency, positive.
    pub prior: f64,
    /// Whom it can concern.
    pub gate: Gate,
    /// How it comes about.
    pub mechanism: Localized<String>,
    /// Its findings.
    pub edges: Vec<Edge>,
    /// Treatment principle.
    pub principle: Localized<String>,
    /// Formula; empty where there is none.
    pub formula: Localized<String>,
    /// Herbs with dose ranges.
    pub herbs: Vec<HerbDose>,
    /// Changes to the formula when a finding is present.
    pub modifications: Vec<Modification>,
    /// Advice for the patient.
    pub advice: Localized<Vec<String>>,
    /// Diet for the patient.
    pub diet: Localized<Vec<String>>,
    /// When to see a doctor.
    pub refer: Localized<String>,
}

impl Condition {
    /// Disease and pattern as one name: `disease·pattern` in Chinese, `disease, pattern` in English.
    pub fn name(&self, locale: Locale) -> String {
        let (disease, pattern) = (self.disease.text(locale), self.pattern.text(locale));
        match (pattern.is_empty(), locale) {
            (true, _) => disease.to_owned(),
            (false, Locale::Zh) => format!("{disease}·{pattern}"),
            (false, Locale::En) => format!("{disease}, {pattern}"),
        }
    }
}

/// One edge of the graph.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Edge {
    /// The finding.
    pub finding: FindingIx,
    /// P(finding present | condition), already turned round where a denial is expected.
    pub present: f64,
    /// The textbook expects the denial.
    pub expects_denial: bool,
}

/// A herb with its dose in a formula.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HerbDose {
    /// The herb.
    pub herb: HerbIx,
    /// Grams a day for an adult, from and to.
    pub dose_g: [f64; 2],
}

/// Changes to a formula when a finding is present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Modification {
    /// The finding that calls for it.
    pub when: FindingIx,
    /// Herbs to add.
    pub add: Vec<HerbIx>,
    /// Herbs to leave out.
    pub remove: Vec<HerbIx>,
}

/// A herb.
#[derive(Debug, Clone)]
pub struct Herb {
    /// Unique id (pinyin).
    pub id: String,
    /// Names.
    pub names: Localized<String>,
    /// Grams a day for an adult, from and to.
    pub dose_g: [f64; 2],
    /// Toxicity class.
    pub toxicity: Toxicity,
    /// Use in pregnancy.
    pub pregnancy: PregnancyClass,
    /// What to look out for.
    pub cautions: Option<Localized<String>>,
}

/// Toxicity class of the Chinese Pharmacopoeia.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Toxicity {
    /// Not classed as toxic.
    None,
    /// Slightly toxic (小毒).
    Slight,
    /// Toxic (有毒).
    Toxic,
    /// Severely toxic (大毒).
    Severe,
}

/// Use in pregnancy by the Chinese Pharmacopoeia.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PregnancyClass {
    /// No statement.
    None,
    /// With caution (慎用).
    Caution,
    /// Not to be used (禁用).
    Forbidden,
}

/// Something that patients take or do not tolerate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Substance {
    /// Unique id.
    pub id: String,
    /// What it is.
    pub kind: SubstanceKind,
    /// Names.
    pub names: Localized<String>,
    /// Other names.
    pub sayings: Localized<Vec<String>>,
}

/// What a substance is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubstanceKind {
    /// Taken for an illness; one may be allergic to it too.
    Medicine,
    /// Only known as what people are allergic to.
    Allergen,
}

/// Two herbs that must not stand in one plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incompatible {
    /// One herb.
    pub a: HerbIx,
    /// The other.
    pub b: HerbIx,
    /// Where that is stated.
    pub source: String,
}

/// A passage for retrieval.
#[derive(Debug, Clone)]
pub struct Passage {
    /// Unique id.
    pub id: String,
    /// Its language.
    pub locale: Locale,
    /// Conditions that it concerns.
    pub conditions: Vec<ConditionIx>,
    /// Where the knowledge is from.
    pub source: String,
    /// The text.
    pub text: String,
}
