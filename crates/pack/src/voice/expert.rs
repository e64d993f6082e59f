//! `voice/<locale>/expert.toml`.
//!
//! Sentences hold placeholders in single braces (`{condition}`). Which ones a sentence must
//! hold is checked while the file is read, so that a service never meets a broken one.

use std::collections::BTreeMap;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// The expert voice in one locale.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpertVoice {
    /// How lists and single words are put together.
    pub words: ExpertWords,
    /// The sentences of the draft.
    pub sentences: ExpertSentences,
    /// What a clinician is told beside the plan.
    pub cautions: ExpertCautions,
    /// Plain words for findings whose name only the field understands, by id.
    #[serde(default)]
    pub plain: BTreeMap<String, String>,
}

/// How lists and single words are put together.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpertWords {
    /// Between the items of a list.
    pub between: String,
    /// Before the last item.
    pub last: String,
    /// Between two sentences; empty where the language writes none.
    pub sentence_space: String,
    /// A finding that is not there; holds `{finding}`.
    #[serde(deserialize_with = "of_finding")]
    pub denied: String,
    /// What stands after a formula's own name to say that it was changed.
    #[serde(default)]
    pub formula_marks: Vec<String>,
    /// Words around the substance when people tell of an allergy.
    #[serde(default)]
    pub allergy_words: Vec<String>,
}

/// The sentences of the draft: variants, of which one is taken by the case.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpertSentences {
    /// What to do now where no red flag says it, by urgency.
    pub urgent: UrgentWords,
    /// The best condition is clear; holds `{condition}`.
    #[serde(deserialize_with = "with_condition")]
    pub clear: Vec<String>,
    /// It is likely; holds `{condition}`.
    #[serde(deserialize_with = "with_condition")]
    pub likely: Vec<String>,
    /// It is uncertain; holds `{condition}`.
    #[serde(deserialize_with = "with_condition")]
    pub uncertain: Vec<String>,
    /// Other conditions in question; holds `{conditions}`.
    #[serde(deserialize_with = "with_conditions")]
    pub alternatives: Vec<String>,
    /// Present findings that speak for it; holds `{findings}`.
    #[serde(deserialize_with = "with_findings")]
    pub speaks_for: Vec<String>,
    /// Denied findings that speak for it; holds `{findings}`.
    #[serde(deserialize_with = "with_findings")]
    pub denials_for: Vec<String>,
    /// What speaks against it; holds `{findings}`.
    #[serde(deserialize_with = "with_findings")]
    pub against: Vec<String>,
    /// What was said and has nothing to do with it; holds `{findings}`.
    #[serde(deserialize_with = "with_findings")]
    pub unexplained: Vec<String>,
    /// Something that only a clinician can see would decide.
    #[serde(deserialize_with = "plain")]
    pub open: Vec<String>,
    /// Advice; holds `{sentences}`.
    #[serde(deserialize_with = "with_sentences")]
    pub advice: Vec<String>,
    /// Diet; holds `{sentences}`.
    #[serde(deserialize_with = "with_sentences")]
    pub diet: Vec<String>,
    /// When to see a doctor; holds `{sentences}`.
    #[serde(deserialize_with = "with_sentences")]
    pub referral: Vec<String>,
    /// The plan waits for a clinician.
    #[serde(deserialize_with = "plain")]
    pub waits: Vec<String>,
    /// There is no plan because it is too urgent for one.
    #[serde(deserialize_with = "plain")]
    pub no_plan: Vec<String>,
}

/// What to do now, by urgency.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UrgentWords {
    /// A doctor today.
    pub today: String,
    /// Danger by one's own or another's hand.
    pub crisis: String,
    /// Emergency room now.
    pub emergency: String,
}

/// What a clinician is told beside the plan.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpertCautions {
    /// Left out because of pregnancy; holds `{herb}`.
    #[serde(deserialize_with = "of_herb")]
    pub pregnancy_left_out: String,
    /// With caution in pregnancy; holds `{herb}`.
    #[serde(deserialize_with = "of_herb")]
    pub pregnancy_caution: String,
    /// Not known whether pregnant, taken as pregnant.
    pub pregnancy_unknown: String,
    /// Left out because of an allergy; holds `{herb}`.
    #[serde(deserialize_with = "of_herb")]
    pub allergy_left_out: String,
    /// The patient tells of allergies.
    pub allergies: String,
    /// The patient takes medicines.
    pub medicines: String,
    /// Not added because it clashes; holds `{herb}`, `{other}`, `{source}`.
    #[serde(deserialize_with = "of_pair")]
    pub clash_not_added: String,
    /// Two herbs of the formula clash; holds `{herb}`, `{other}`, `{source}`.
    #[serde(deserialize_with = "of_pair")]
    pub clash_in_formula: String,
    /// A toxic herb; holds `{herb}`, `{class}`.
    #[serde(deserialize_with = "of_class")]
    pub toxicity: String,
    /// The name of each toxicity class.
    pub classes: ToxicityWords,
    /// A dose was lowered to the herb's own range; holds `{herb}`.
    #[serde(deserialize_with = "of_herb")]
    pub dose_capped: String,
    /// The doses of a child are the clinician's to set.
    pub child: String,
    /// A herb's own caution; holds `{herb}`, `{text}`.
    #[serde(deserialize_with = "of_text")]
    pub note: String,
    /// No plan was made because it is too urgent for one.
    pub urgent: String,
}

/// The name of each toxicity class.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToxicityWords {
    /// Slightly toxic.
    pub slight: String,
    /// Toxic.
    pub toxic: String,
    /// Severely toxic.
    pub severe: String,
}

/// The placeholder names of a template, in order; `None` where braces do not match.
fn placeholders(template: &str) -> Option<Vec<&str>> {
    let mut names = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, tail) = after.split_once('}')?;
        if before.contains('}') || name.contains('{') {
            return None;
        }
        names.push(name);
        rest = tail;
    }
    (!rest.contains('}')).then_some(names)
}

/// A template is not empty and holds exactly the wanted placeholders, each once.
fn check<E: Error>(template: &str, wanted: &[&str]) -> Result<(), E> {
    let mut have = placeholders(template).unwrap_or_default();
    have.sort_unstable();
    let mut want = wanted.to_vec();
    want.sort_unstable();
    if template.trim().is_empty() || have != want || (want.is_empty() && template.contains(['{', '}'])) {
        let list = wanted.iter().map(|name| format!("{{{name}}}")).collect::<Vec<_>>().join(", ");
        let list = if list.is_empty() { "no placeholder".to_owned() } else { list };
        return Err(E::custom(format!("`{template}`, expected a sentence with {list}")));
    }
    Ok(())
}

fn one<'de, D: Deserializer<'de>>(from: D, wanted: &[&str]) -> Result<String, D::Error> {
    let template = String::deserialize(from)?;
    check(&template, wanted)?;
    Ok(template)
}

fn variants<'de, D: Deserializer<'de>>(from: D, wanted: &[&str]) -> Result<Vec<String>, D::Error> {
    let templates = Vec::<String>::deserialize(from)?;
    if templates.is_empty() {
        return Err(D::Error::custom("an empty list, expected at least one sentence"));
    }
    templates.iter().try_for_each(|template| check(template, wanted))?;
    Ok(templates)
}

macro_rules! read_with {
    ($read:ident -> $out:ty; $($name:ident = [$($placeholder:literal),*];)*) => {
        $(fn $name<'de, D: Deserializer<'de>>(from: D) -> Result<$out, D::Error> {
            $read(from, &[$($placeholder),*])
        })*
    };
}

read_with! { one -> String;
    of_finding = ["finding"];
    of_herb = ["herb"];
    of_pair = ["herb", "other", "source"];
    of_class = ["herb", "class"];
    of_text = ["herb", "text"];
}

read_with! { variants -> Vec<String>;
    plain = [];
    with_condition = ["condition"];
    with_conditions = ["conditions"];
    with_findings = ["findings"];
    with_sentences = ["sentences"];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Words {
        #[serde(deserialize_with = "with_condition")]
        clear: Vec<String>,
    }

    fn read(text: &str) -> Result<Vec<String>, String> {
        toml::from_str::<Words>(text).map(|w| w.clear).map_err(|e| e.message().to_owned())
    }

    #[test]
    fn sentences_must_hold_their_placeholders() {
        assert_eq!(read("clear = ['It is {condition}.']").unwrap(), ["It is {condition}."]);
        for bad in
            ["[]", "['']", "['It is.']", "['{condition} {x}']", "['{condition} {condition}']", "['{condition} }']"]
        {
            assert!(read(&format!("clear = {bad}")).unwrap_err().contains("expected"), "{bad}");
        }
    }
}
