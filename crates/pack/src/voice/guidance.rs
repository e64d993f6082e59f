//! `voice/<locale>/guidance.toml`: how questions are worded.
//!
//! A question is a frame around one clause. The clause is put together from the `ask` clauses of the
//! findings by the locale's [`Grammar`] and turned towards the person spoken of by [`Subjects`].

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

/// The guidance voice in one locale.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuidanceVoice {
    /// Findings that only concern people up to this age in years are asked about a child.
    pub child_until_years: u32,
    /// Frames.
    pub frames: Frames,
    /// How clauses are joined.
    pub grammar: Grammar,
    /// How the person spoken of is named.
    pub subjects: Subjects,
    /// Quick answers.
    pub answers: Answers,
    /// How an ambiguity's candidates are listed.
    pub clarify: Clarify,
    /// Short words for a finding in lists and quick answers, by finding id, where the pack's own
    /// sayings and names give no good one. Each should be a name or saying of that finding.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Where a finding has no label: its name instead of what people say.
    #[serde(default)]
    pub label_by_name: bool,
}

/// Frames by what they ask for.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frames {
    /// For one finding.
    pub one: FrameList,
    /// For several findings.
    pub several: FrameList,
    /// For a choice between values of one axis.
    pub choice: FrameList,
    /// For an ambiguous saying.
    pub clarify: FrameList,
}

/// At least two frames with different ids, each with one placeholder for the clause.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Vec<Frame>")]
pub struct FrameList(Vec<Frame>);

impl FrameList {
    /// The frames; never fewer than two.
    pub fn all(&self) -> &[Frame] {
        &self.0
    }
}

/// Words around a clause.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frame {
    /// Unique id within its list.
    pub id: String,
    /// The words, with `{ask}` (or `{Ask}`: with a capital) for the clause and optionally `{you}` for
    /// the address of [`SubjectVoice::you`].
    pub text: String,
}

impl TryFrom<Vec<Frame>> for FrameList {
    type Error = String;

    fn try_from(frames: Vec<Frame>) -> Result<Self, String> {
        let ids: BTreeSet<&str> = frames.iter().map(|frame| frame.id.as_str()).collect();
        if frames.len() < 2 || ids.len() < frames.len() {
            return Err(format!(
                "{} frames with {} ids, expected at least two, each its own id",
                frames.len(),
                ids.len()
            ));
        }
        match frames.iter().find(|f| f.text.matches("{ask}").count() + f.text.matches("{Ask}").count() != 1) {
            Some(frame) => Err(format!("frame `{}`, expected one {{ask}} or {{Ask}} in it", frame.id)),
            None => Ok(Self(frames)),
        }
    }
}

/// How the clauses of several findings become one.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "style", rename_all = "snake_case", deny_unknown_fields)]
pub enum Grammar {
    /// A marker of doubt stands inside the clause, between topic and statement.
    Marker(MarkerGrammar),
    /// The clause opens with verb and subject, and what is asked follows.
    Head(HeadGrammar),
}

/// Topic, marker, statement: clauses with the same topic and marker share them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarkerGrammar {
    /// The markers; the first that stands in a clause counts.
    pub markers: Vec<Marker>,
    /// Separates statements, or topics, in a list but for the last.
    pub separator: String,
    /// Before the last statement of a list.
    pub or: String,
    /// Before the last statement of a list with a long one in it.
    pub or_long: String,
    /// From this number of characters on a statement is long.
    pub long: usize,
    /// Between the last alternatives of a choice.
    pub choose: String,
    /// Between clauses that share nothing; any of them may be taken.
    pub and: Vec<String>,
}

/// A marker of doubt.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Marker {
    /// The marker as it stands in a clause.
    pub text: String,
    /// What takes its place in a choice; without it clauses with this marker are never a choice.
    pub choice: Option<String>,
    /// Long statements may share it too.
    #[serde(default)]
    pub shared_by_long: bool,
    /// The quick answer that says so.
    pub yes: String,
    /// The quick answer that denies it.
    pub no: String,
}

/// Verb and subject first: clauses that open with the same verb and subject share them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadGrammar {
    /// Openings that may be shared as they are.
    pub heads: Vec<String>,
    /// Subjects: an opening of one word and a subject may be shared.
    pub subjects: Vec<String>,
    /// First words of an ending that may be shared too.
    pub tails: Vec<String>,
    /// First words that may not stand in one list with others, lest what follows them seem to follow all.
    pub apart: Vec<String>,
    /// Words within a list item that make it long.
    pub connectives: Vec<String>,
    /// Separates all but the last of a list.
    pub separator: String,
    /// Before the last of a list.
    pub or: String,
    /// Before the last of a list with a long one in it, or between alternatives that share nothing.
    pub or_long: String,
    /// From this number of words on one is long.
    pub long: usize,
    /// Between two clauses that share nothing, and before the last of three.
    pub and: String,
    /// The quick answer that says so.
    pub yes: String,
    /// The quick answer that denies it.
    pub no: String,
}

/// The persons that can be spoken of.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subjects {
    /// The one who writes.
    #[serde(rename = "self")]
    pub self_patient: SubjectVoice,
    /// A child.
    pub child: SubjectVoice,
    /// A parent; as `other` where it is not given.
    pub parent: Option<SubjectVoice>,
    /// A partner; as `other` where it is not given.
    pub partner: Option<SubjectVoice>,
    /// Anybody else.
    pub other: SubjectVoice,
}

/// How a clause, written in the second person, is turned towards a person.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectVoice {
    /// Fills `{you}` in frames.
    #[serde(default)]
    pub you: String,
    /// Stands before the clause, which is then spared its own mention of the same word.
    #[serde(default)]
    pub who: String,
    /// Rewrites the first mention of the person: whole words, the first rule that fits at a place.
    #[serde(default)]
    pub first: Vec<[String; 2]>,
    /// Rewrites every further mention.
    #[serde(default)]
    pub later: Vec<[String; 2]>,
}

/// Quick answers; `{label}` is the short word for a finding.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answers {
    /// The patient does not know.
    pub unsure: String,
    /// Both of two findings.
    pub both: String,
    /// Neither of two findings.
    pub neither: String,
    /// All of three findings.
    pub all: String,
    /// None of three findings.
    pub none: String,
    /// One of them. `{label}`
    pub only: String,
    /// One value of a choice. `{label}`
    pub choose: String,
    /// No value of a choice, and no candidate.
    pub other: String,
}

/// How the candidates of an ambiguity are listed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clarify {
    /// Words by which a clause is known to list the candidates itself.
    pub lists_itself: Vec<String>,
    /// Between the clause and the list.
    pub before: String,
    /// Separates all but the last.
    pub separator: String,
    /// Before the last.
    pub or: String,
}
