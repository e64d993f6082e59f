//! What simulated patients say: sayings of the pack in plain sentences, and texts of its tests where there are any.

use rand::Rng;
use rand::seq::IndexedRandom as _;
use serde::Deserialize;
use wenzhen_pack::voice::Feeling;
use wenzhen_pack::{FindingIx, Locale, Pack};

use crate::error::LoadError;

/// Words around the pack's own, in one language.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phrases {
    tell: Vec<String>,
    join: String,
    felt: String,
    /// Age and sex of the one who speaks. `{age}`, `{sex}`
    pub person: String,
    /// Age and sex of a child. `{age}`, `{sex}`
    pub child: String,
    /// She.
    pub female: String,
    /// He.
    pub male: String,
    /// It is so.
    pub yes: String,
    /// It is not so.
    pub no: String,
    /// Not known.
    pub unsure: String,
    /// Both of two.
    pub both: String,
    /// Neither of two.
    pub neither: String,
    /// The first of two, not the second.
    pub first_only: String,
    /// The second of two, not the first.
    pub second_only: String,
    /// The first of a choice.
    pub first: String,
    /// The second of a choice.
    pub second: String,
    /// A draft with the slots `f1` (condition), `f2` (advice), `f3` (when to see a doctor).
    pub draft: String,
}

/// Words in both languages.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    zh: Phrases,
    en: Phrases,
}

impl Words {
    /// The words that the program carries.
    ///
    /// # Errors
    /// Never for a released program: a test reads them.
    pub fn load() -> Result<Self, LoadError> {
        toml::from_str(include_str!("../../data/words.toml"))
            .map_err(|_| LoadError::Workload("its words cannot be read"))
    }

    /// Those of a language.
    pub fn of(&self, locale: Locale) -> &Phrases {
        match locale {
            Locale::Zh => &self.zh,
            Locale::En => &self.en,
        }
    }
}

/// Findings as a patient tells them, in one sentence.
pub fn told<R: Rng>(pack: &Pack, phrases: &Phrases, locale: Locale, findings: &[FindingIx], random: &mut R) -> String {
    let sayings: Vec<&str> = findings.iter().map(|finding| saying(pack, *finding, locale, random)).collect();
    let frame = phrases.tell.choose(random).map_or("{what}", String::as_str);
    frame.replace("{what}", &sayings.join(&phrases.join))
}

/// A sentence with a feeling before it; the sentence alone where the pack has no words for feelings.
pub fn felt<R: Rng>(pack: &Pack, phrases: &Phrases, locale: Locale, sentence: &str, random: &mut R) -> String {
    let Some(voice) = pack.voice(locale) else { return sentence.to_owned() };
    let feelings: Vec<_> = voice.empathy.lexicon.iter().filter(|(feeling, _)| **feeling != Feeling::Neutral).collect();
    let cue = feelings.choose(random).and_then(|(_, cues)| {
        // Most people are worried, few are beside themselves.
        let list = match random.random_range(0..10) {
            0 => &cues.strong,
            1..7 => &cues.clear,
            _ => &cues.faint,
        };
        list.choose(random)
    });
    cue.map_or_else(|| sentence.to_owned(), |cue| phrases.felt.replace("{feeling}", cue).replace("{what}", sentence))
}

fn saying<'p, R: Rng>(pack: &'p Pack, finding: FindingIx, locale: Locale, random: &mut R) -> &'p str {
    let Some(finding) = pack.findings.get(finding.at()) else { return "" };
    finding.sayings.list(locale).choose(random).map_or_else(|| finding.names.text(locale), String::as_str)
}

/// Texts of a pack's tests, which sound more like people than what is put together.
#[derive(Debug, Clone, Default)]
pub struct Samples {
    /// What patients say, with the findings that were asked before.
    pub utterances: Vec<(String, Vec<String>)>,
    /// What patients say with feeling.
    pub emotions: Vec<String>,
}

impl Samples {
    /// From the lines of `tests/utterances.jsonl` and `tests/emotions.jsonl`; a line without a text is left out.
    pub fn from_lines(utterances: &str, emotions: &str) -> Self {
        let rows = |lines: &str| -> Vec<serde_json::Value> {
            lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
        };
        let text =
            |row: &serde_json::Value| row.get("text")?.as_str().map(str::to_owned).filter(|text| !text.is_empty());
        let asked = |row: &serde_json::Value| -> Vec<String> {
            let list = row.get("asked").and_then(|asked| asked.as_array()).cloned().unwrap_or_default();
            list.iter().filter_map(|id| id.as_str().map(str::to_owned)).collect()
        };
        Self {
            utterances: rows(utterances).iter().filter_map(|row| Some((text(row)?, asked(row)))).collect(),
            emotions: rows(emotions).iter().filter_map(text).collect(),
        }
    }
}
