//! `voice/<locale>/empathy.toml`: how feelings show in words, and how to answer them.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The empathy voice in one locale.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmpathyVoice {
    /// Words that show a feeling.
    pub lexicon: BTreeMap<Feeling, EmpathyCues>,
    /// Words that change what others show.
    pub modifiers: EmpathyModifiers,
    /// How cues add up to an intensity.
    pub weights: EmpathyWeights,
    /// From which intensity on comfort is called for.
    pub necessity: EmpathyThresholds,
    /// What to say at once, before anything is known.
    pub preface: BTreeMap<Feeling, EmpathyBands>,
    /// What to say around facts.
    pub comfort: BTreeMap<Feeling, EmpathyBands>,
    /// What to say to a child's parent instead, where there is something.
    pub parent: BTreeMap<Feeling, EmpathyBands>,
    /// What to say beside something urgent: plays nothing down.
    pub urgent: Vec<String>,
    /// Last sentences; those of `neutral` serve for feelings without their own.
    pub closing: BTreeMap<Feeling, Vec<String>>,
    /// Sentences that lead from comfort to facts.
    pub bridges: Vec<String>,
    /// Beginnings put before a sentence with a fact of a kind.
    pub leads: EmpathyLeads,
}

/// A feeling, as in the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Feeling {
    /// None to speak of.
    Neutral,
    /// Worry, fear.
    Anxiety,
    /// Anger, impatience.
    Anger,
    /// Sadness, hopelessness.
    Sadness,
    /// Not understanding.
    Confusion,
    /// Shame, embarrassment.
    Shame,
    /// Suffering under pain.
    Pain,
    /// Relief, thanks.
    Relief,
}

/// Words that show a feeling, by strength.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EmpathyCues {
    /// Overwhelming.
    pub strong: Vec<String>,
    /// Clear.
    pub clear: Vec<String>,
    /// A hint.
    pub faint: Vec<String>,
}

/// Words that change what others show.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmpathyModifiers {
    /// Make the cue after them stronger.
    pub intensifiers: Vec<String>,
    /// Make the cue before them stronger.
    pub trailing: Vec<String>,
    /// Make the cue after them weaker.
    pub diminishers: Vec<String>,
    /// Deny the cue after them.
    pub negators: Vec<String>,
    /// How far before a cue a modifier counts, in characters.
    pub reach: usize,
    /// Fixed words that hold a cue and show no feeling.
    pub masks: Vec<String>,
    /// Rhetorical questions; they count as clear anger.
    pub rhetorical: Vec<String>,
    /// Signs of danger to life by one's own or another's hand.
    pub crisis: Vec<String>,
}

/// How cues add up to an intensity of 0 to 5.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmpathyWeights {
    /// A strong cue.
    pub strong: f32,
    /// A clear cue.
    pub clear: f32,
    /// A faint cue.
    pub faint: f32,
    /// Share of every further cue of the same feeling.
    pub further: f32,
    /// Added by an intensifier.
    pub intensifier: f32,
    /// Taken away by a diminisher.
    pub diminisher: f32,
    /// Added by two or more exclamation or question marks in a row.
    pub marks: f32,
    /// Added by a character said three times or more in a row.
    pub repeats: f32,
    /// Share of the previous intensity when the same feeling goes on, 0 to 1.
    pub previous: f32,
}

/// From which intensity on comfort is called for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmpathyThresholds {
    /// A few words from this intensity on, 1 to 5.
    pub light_from: u32,
    /// Comfort first from this intensity on, 1 to 5.
    pub full_from: u32,
    /// Feelings that never call for more than a few words.
    pub light_at_most: Vec<Feeling>,
}

/// Sentences by how much comfort is called for.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmpathyBands {
    /// A few words.
    pub light: Vec<String>,
    /// Comfort first.
    pub full: Vec<String>,
}

/// Beginnings put before a sentence with a fact of a kind: a clause with its comma, or a sentence with
/// the space after it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmpathyLeads {
    /// Before a condition.
    pub condition: Vec<String>,
    /// Before advice.
    pub advice: Vec<String>,
    /// Before when to see a doctor.
    pub referral: Vec<String>,
}
