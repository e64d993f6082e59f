//! Slots: where a fact stands in a text.

use std::collections::HashSet;
use std::fmt::Write as _;

use wenzhen_proto::clinical::v1::{Draft, Fact, FactKind, Locale};

use crate::sentence::split;

/// A stretch of text or a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Words between slots, braces that form no slot among them.
    Text(&'a str),
    /// The id inside a slot: `f1` for `{{f1}}`.
    Slot(&'a str),
}

/// Cuts a text into words and slots. A slot is `{{f` + one to four digits + `}}`; anything else is text.
pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut out = Vec::new();
    let (mut start, mut at) = (0, 0);
    while let Some(open) = text.get(at..).and_then(|rest| rest.find("{{")).map(|i| i + at) {
        let inner = text.get(open + 2..).unwrap_or("");
        match slot_length(inner) {
            Some(length) => {
                push_text(&mut out, text.get(start..open));
                out.push(Piece::Slot(inner.get(..length).unwrap_or("")));
                start = open + length + 4;
                at = start;
            }
            None => at = open + 1,
        }
    }
    push_text(&mut out, text.get(start..));
    out
}

fn push_text<'a>(out: &mut Vec<Piece<'a>>, text: Option<&'a str>) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        out.push(Piece::Text(text));
    }
}

/// The length of the id when `inner` (what follows `{{`) starts with an id and `}}`.
fn slot_length(inner: &str) -> Option<usize> {
    let digits = inner.strip_prefix('f')?.bytes().take_while(u8::is_ascii_digit).count();
    let closed = inner.get(1 + digits..)?.starts_with("}}");
    (closed && (1..=4).contains(&digits)).then_some(1 + digits)
}

/// The text with every slot of the draft filled. Slots that the draft does not know stay as they are.
pub fn render(draft: &Draft, text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for piece in pieces(text) {
        match piece {
            Piece::Text(words) => out.push_str(words),
            Piece::Slot(id) => match draft.facts.iter().find(|fact| fact.id == id) {
                Some(fact) => out.push_str(&fact.text),
                None => {
                    let _ = write!(out, "{{{{{id}}}}}");
                }
            },
        }
    }
    out
}

/// Why a draft is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SlotError {
    /// A fact has no slot in the text.
    #[error("fact {0} has no slot in the text")]
    Missing(String),
    /// A fact's slot stands more than once.
    #[error("the slot of fact {0} stands more than once")]
    Repeated(String),
    /// A slot without a fact.
    #[error("slot {0} has no fact")]
    Unknown(String),
    /// A fact without words.
    #[error("fact {0} has no text")]
    Empty(String),
    /// Two facts share an id.
    #[error("two facts have the id {0}")]
    SharedId(String),
    /// A brace that belongs to no slot.
    #[error("the text has a brace that belongs to no slot")]
    StrayBrace,
}

/// Checks that every fact has words and exactly one slot, and every slot a fact.
///
/// # Errors
/// The first mistake found.
pub fn validate(draft: &Draft) -> Result<(), SlotError> {
    let mut ids = HashSet::new();
    for fact in &draft.facts {
        if !ids.insert(fact.id.as_str()) {
            return Err(SlotError::SharedId(fact.id.clone()));
        }
        if fact.text.trim().is_empty() {
            return Err(SlotError::Empty(fact.id.clone()));
        }
    }
    let mut seen = HashSet::new();
    for piece in pieces(&draft.text) {
        match piece {
            Piece::Text(words) if words.contains(['{', '}']) => return Err(SlotError::StrayBrace),
            Piece::Text(_) => {}
            Piece::Slot(id) if !ids.contains(id) => return Err(SlotError::Unknown(id.to_owned())),
            Piece::Slot(id) if !seen.insert(id) => return Err(SlotError::Repeated(id.to_owned())),
            Piece::Slot(_) => {}
        }
    }
    match draft.facts.iter().find(|fact| !seen.contains(fact.id.as_str())) {
        Some(fact) => Err(SlotError::Missing(fact.id.clone())),
        None => Ok(()),
    }
}

/// The draft without the sentences that hold a fact for clinicians only, and without those facts.
///
/// A sentence goes as a whole, so a fact for everybody should not share one with a clinician's fact.
pub fn patient_view(draft: &Draft) -> Draft {
    let secret: HashSet<&str> = draft.facts.iter().filter(|f| f.clinician_only).map(|f| f.id.as_str()).collect();
    let keeps = |sentence: &str| !pieces(sentence).iter().any(|p| matches!(p, Piece::Slot(id) if secret.contains(id)));
    let text: String = split(&draft.text).into_iter().map(|s| s.text).filter(|s| keeps(s)).collect();
    let kept: HashSet<&str> = pieces(&text)
        .into_iter()
        .filter_map(|piece| match piece {
            Piece::Slot(id) => Some(id),
            Piece::Text(_) => None,
        })
        .collect();
    let facts = draft.facts.iter().filter(|f| kept.contains(f.id.as_str())).cloned().collect();
    Draft { locale: draft.locale, text: text.trim().to_owned(), facts }
}

/// Builds a draft whose slots are right by construction.
///
/// A fact's text should carry its own negation, so that a denial reads as a whole. Where the words
/// around a slot negate it, the guard holds every rewriting to the same negation.
#[derive(Debug, Clone)]
pub struct DraftBuilder {
    locale: Locale,
    text: String,
    facts: Vec<Fact>,
}

impl DraftBuilder {
    /// An empty draft in a language.
    pub fn new(locale: Locale) -> Self {
        Self { locale, text: String::new(), facts: Vec::new() }
    }

    /// Registers a fact and returns its slot, to be placed once in a text given to [`Self::push`].
    ///
    /// Braces in `text` become their full-width forms, so that no fact can look like a slot; control
    /// characters become spaces.
    pub fn fact(&mut self, kind: FactKind, text: &str, subject_id: &str, clinician_only: bool) -> String {
        let id = format!("f{}", self.facts.len() + 1);
        let slot = format!("{{{{{id}}}}}");
        let fact = Fact {
            id,
            kind: kind.into(),
            text: neutral(text.trim()),
            subject_id: subject_id.to_owned(),
            clinician_only,
        };
        self.facts.push(fact);
        slot
    }

    /// Appends text. Slots of registered facts stay slots; all other braces become full-width.
    pub fn push(&mut self, text: &str) -> &mut Self {
        for piece in pieces(text) {
            match piece {
                Piece::Slot(id) if self.facts.iter().any(|fact| fact.id == id) => {
                    let _ = write!(self.text, "{{{{{id}}}}}");
                }
                Piece::Slot(id) => {
                    let _ = write!(self.text, "｛｛{id}｝｝");
                }
                Piece::Text(words) => self.text.push_str(&words.replace('{', "｛").replace('}', "｝")),
            }
        }
        self
    }

    /// Starts a new line, unless the text is empty or already at one.
    pub fn line(&mut self) -> &mut Self {
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
        self
    }

    /// The draft.
    ///
    /// # Errors
    /// When a fact has no slot in the text, has several, or has no words.
    pub fn finish(self) -> Result<Draft, SlotError> {
        let draft = Draft { locale: self.locale.into(), text: self.text, facts: self.facts };
        validate(&draft).map(|()| draft)
    }
}

fn neutral(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '{' => '｛',
            '}' => '｝',
            c if c.is_control() => ' ',
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_slots_are_slots() {
        use Piece::{Slot, Text};
        assert_eq!(pieces("a{{f1}}b"), [Text("a"), Slot("f1"), Text("b")]);
        assert_eq!(pieces("{{{f12}}}"), [Text("{"), Slot("f12"), Text("}")]);
        for text in ["{{ f1 }}", "{{f}}", "{{f12345}}", "{f1}", "{{g1}}", "{{f1}", "{{f１}}", "{{{{"] {
            assert_eq!(pieces(text), [Text(text)], "{text}");
        }
        assert_eq!(pieces("{{{{f1}}}}"), [Text("{{"), Slot("f1"), Text("}}")]);
    }

    #[test]
    fn a_built_draft_is_valid_and_renders() {
        let mut b = DraftBuilder::new(Locale::En);
        let one = b.fact(FactKind::Condition, "x{{f2}}", "c", false);
        let two = b.fact(FactKind::Dose, "6 g", "h", true);
        b.push(&format!("It is {one}. {{{{f9}}}} ")).push(&format!("Take {two}."));
        let draft = b.finish().unwrap();
        assert_eq!(render(&draft, &draft.text), "It is x｛｛f2｝｝. ｛｛f9｝｝ Take 6 g.");
        let patient = patient_view(&draft);
        assert_eq!((patient.facts.len(), patient.text.as_str()), (1, "It is {{f1}}."));
        assert_eq!(validate(&patient), Ok(()));
    }

    #[test]
    fn a_draft_with_a_missing_or_repeated_slot_is_refused() {
        let mut b = DraftBuilder::new(Locale::Zh);
        let slot = b.fact(FactKind::Advice, "x", "", false);
        assert_eq!(b.clone().finish(), Err(SlotError::Missing("f1".into())));
        b.push(&slot).push(&slot);
        assert_eq!(b.finish(), Err(SlotError::Repeated("f1".into())));
        let mut b = DraftBuilder::new(Locale::Zh);
        let slot = b.fact(FactKind::Advice, " ", "", false);
        b.push(&slot);
        assert_eq!(b.finish(), Err(SlotError::Empty("f1".into())));
    }
}
