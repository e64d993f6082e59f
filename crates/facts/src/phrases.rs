//! Phrase lists: what no rewriting may say, as data (`data/zh.toml`, `data/en.toml`).

use aho_corasick::AhoCorasick;
use serde::Deserialize;

use crate::fold::{CLAUSE, Folder};
use crate::guard::GuardError;

/// What was wrong with a sentence. Labels only: no text of a patient or a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ViolationKind {
    /// Braces that form no known slot, or a word glued to a slot.
    Slot,
    /// A slot a second time.
    Repeated,
    /// A slot that the rewriting never placed.
    Missing,
    /// Facts of one kind in another order than the draft's, or a negated list torn apart.
    Order,
    /// A fact's own words outside its slot.
    Echo,
    /// The name of a condition, pattern, herb, formula or medicine.
    Term,
    /// A finding that is not a fact of the draft, or with its polarity turned round.
    Finding,
    /// A number.
    Number,
    /// A promise.
    Promise,
    /// Words against seeking help.
    Urgency,
    /// Words that play down an urgent draft.
    Softening,
    /// Words about taking or stopping medicines.
    Medication,
    /// A negation that turns a slot or a sentence of the draft round.
    Negation,
    /// Characters that cannot be read.
    Script,
    /// Longer than any sentence or text may be.
    Length,
}

impl ViolationKind {
    /// A fixed label for metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Slot => "slot",
            Self::Repeated => "repeated",
            Self::Missing => "missing",
            Self::Order => "order",
            Self::Echo => "echo",
            Self::Term => "term",
            Self::Finding => "finding",
            Self::Number => "number",
            Self::Promise => "promise",
            Self::Urgency => "urgency",
            Self::Softening => "softening",
            Self::Medication => "medication",
            Self::Negation => "negation",
            Self::Script => "script",
            Self::Length => "length",
        }
    }
}

/// One thing that was wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Violation {
    /// What kind.
    pub kind: ViolationKind,
    /// In which sentence of the rewriting, from 0; for missing slots the number of sentences.
    pub sentence: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhraseData {
    pub promise: Vec<String>,
    pub urgency: Vec<String>,
    pub softening: Vec<String>,
    pub medication: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotData {
    pub before: Vec<String>,
    pub after: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClauseData {
    pub cut: Vec<String>,
    pub harmless: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TermData {
    pub general: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NameData {
    pub strip: Vec<String>,
    pub split: Vec<String>,
    pub shortest: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LanguageData<N> {
    pub phrases: PhraseData,
    pub slots: SlotData,
    pub clauses: ClauseData,
    pub numbers: N,
    pub terms: TermData,
    pub names: NameData,
}

/// Which view of a text a list is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Chinese, without gaps.
    Compact,
    /// English, word by word.
    Words,
}

impl View {
    /// Folds a literal for this view.
    pub fn fold(self, folder: &Folder, literal: &str) -> String {
        let folded = folder.text(literal);
        match self {
            Self::Compact => folded.compact,
            Self::Words => folded.words,
        }
    }

    /// Characters that a gap may span: eight characters, or about four words.
    const fn gap(self) -> usize {
        match self {
            Self::Compact => 8,
            Self::Words => 36,
        }
    }
}

#[derive(Debug)]
struct Phrase {
    kind: ViolationKind,
    /// What follows after a gap each.
    rest: Vec<String>,
}

/// The forbidden phrases of one view.
#[derive(Debug)]
pub struct Phrases {
    heads: AhoCorasick,
    phrases: Vec<Phrase>,
    gap: usize,
}

impl Phrases {
    /// Compiles the lists of a language for its view.
    pub fn new(data: &PhraseData, view: View, folder: &Folder) -> Result<Self, GuardError> {
        let lists = [
            (ViolationKind::Promise, &data.promise),
            (ViolationKind::Urgency, &data.urgency),
            (ViolationKind::Softening, &data.softening),
            (ViolationKind::Medication, &data.medication),
        ];
        let (mut heads, mut phrases) = (Vec::new(), Vec::new());
        for (kind, list) in lists {
            for phrase in list {
                let mut parts = phrase.split('…').map(|part| view.fold(folder, part));
                heads.push(parts.next().filter(|head| !head.is_empty()).ok_or(GuardError::EmptyPhrase)?);
                phrases.push(Phrase { kind, rest: parts.collect() });
            }
        }
        Ok(Self { heads: AhoCorasick::new(heads)?, phrases, gap: view.gap() })
    }

    /// Calls `found` for every forbidden phrase in a view.
    pub fn find(&self, text: &str, mut found: impl FnMut(ViolationKind)) {
        for hit in self.heads.find_overlapping_iter(text) {
            let Some(phrase) = self.phrases.get(hit.pattern().as_usize()) else { continue };
            if self.follows(text.get(hit.end()..).unwrap_or(""), &phrase.rest) {
                found(phrase.kind);
            }
        }
    }

    fn follows(&self, mut text: &str, rest: &[String]) -> bool {
        for part in rest {
            let clause = text.split(CLAUSE).next().unwrap_or("");
            let window = clause.char_indices().nth(self.gap).map_or(clause, |(i, _)| clause.get(..i).unwrap_or(clause));
            // The part itself may reach beyond the gap.
            let reach = clause.get(..(window.len() + part.len()).min(clause.len())).unwrap_or(clause);
            match reach.find(part.as_str()) {
                Some(at) => text = text.get(at + part.len()..).unwrap_or(""),
                None => return false,
            }
        }
        true
    }
}
