//! The words that show feelings, compiled from an empathy voice.

use aho_corasick::{AhoCorasick, BuildError, MatchKind};
use wenzhen_language::normalise;
use wenzhen_pack::voice::{EmpathyVoice, EmpathyWeights, Feeling};

/// A lexicon of one locale.
#[derive(Debug)]
pub struct Lexicon {
    cues: AhoCorasick,
    meanings: Vec<(Feeling, f32)>,
    masks: AhoCorasick,
    crisis: AhoCorasick,
    intensifiers: Vec<String>,
    trailing: Vec<String>,
    diminishers: Vec<String>,
    negators: Vec<String>,
    reach: usize,
    weights: EmpathyWeights,
}

/// A feeling shown somewhere in a normalised text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// What it shows.
    pub feeling: Feeling,
    /// How strongly, modifiers included; above 0.
    pub score: f32,
    /// First byte of the cue in the normalised text.
    pub start: usize,
    /// One past its last byte.
    pub end: usize,
}

impl Lexicon {
    /// Compiles the cues of a voice.
    ///
    /// # Errors
    /// When there are too many to compile.
    pub fn new(voice: &EmpathyVoice) -> Result<Self, BuildError> {
        let weights = voice.weights;
        let (mut patterns, mut meanings) = (Vec::new(), Vec::new());
        let mut add = |list: &[String], feeling: Feeling, weight: f32| {
            for cue in folded(list) {
                patterns.push(cue);
                meanings.push((feeling, weight));
            }
        };
        for (feeling, cues) in &voice.lexicon {
            add(&cues.strong, *feeling, weights.strong);
            add(&cues.clear, *feeling, weights.clear);
            add(&cues.faint, *feeling, weights.faint);
        }
        add(&voice.modifiers.rhetorical, Feeling::Anger, weights.clear + weights.intensifier);
        let leftmost =
            |patterns: Vec<String>| AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(patterns);
        Ok(Self {
            cues: leftmost(patterns)?,
            meanings,
            masks: leftmost(folded(&voice.modifiers.masks))?,
            crisis: leftmost(folded(&voice.modifiers.crisis))?,
            intensifiers: folded(&voice.modifiers.intensifiers),
            trailing: folded(&voice.modifiers.trailing),
            diminishers: folded(&voice.modifiers.diminishers),
            negators: folded(&voice.modifiers.negators),
            reach: voice.modifiers.reach,
            weights,
        })
    }

    /// Where a normalised text shows danger to life, if it does. What a mask covers is denied or
    /// somebody else's story.
    pub fn crisis(&self, text: &str) -> Option<(usize, usize)> {
        let masked = self.mask(text);
        let read = masked.as_deref().unwrap_or(text);
        self.crisis
            .find_iter(read)
            .find(|hit| bounded(read, hit.start(), hit.end()))
            .map(|hit| (hit.start(), hit.end()))
    }

    /// Every feeling that a normalised text shows, in order.
    pub fn hits(&self, text: &str) -> Vec<Hit> {
        let masked = self.mask(text);
        let read = masked.as_deref().unwrap_or(text);
        let mut hits = Vec::new();
        for cue in self.cues.find_iter(read) {
            let Some(&(feeling, weight)) = self.meanings.get(cue.pattern().as_usize()) else { continue };
            if !bounded(read, cue.start(), cue.end()) {
                continue;
            }
            let before = window(read, cue.start(), self.reach);
            if self.negated(before) {
                continue;
            }
            let score = weight + self.change(before, read.get(cue.end()..).unwrap_or(""));
            hits.push(Hit { feeling, score: score.max(0.5), start: cue.start(), end: cue.end() });
        }
        hits
    }

    /// The text with fixed phrases that show no feeling blotted out, byte for byte.
    fn mask(&self, text: &str) -> Option<String> {
        let mut masked: Option<String> = None;
        for hit in self.masks.find_iter(text).filter(|hit| bounded(text, hit.start(), hit.end())) {
            let blot = "\0".repeat(hit.len());
            masked.get_or_insert_with(|| text.to_owned()).replace_range(hit.range(), &blot);
        }
        masked
    }

    /// Whether a negator stands right before the cue, or has only a degree or one short word between.
    fn negated(&self, before: &str) -> bool {
        self.negators.iter().any(|negator| {
            let Some(at) = before.rfind(negator.as_str()) else { return false };
            let end = at + negator.len();
            let gap = before.get(end..).unwrap_or("").trim();
            let degree = || self.intensifiers.iter().any(|word| word == gap);
            let short = gap.chars().count() <= 1 || (gap.is_ascii() && gap.len() <= 6 && !gap.contains(' '));
            bounded(before, at, end) && (short || degree())
        })
    }

    /// What the words around a cue add to its weight.
    fn change(&self, before: &str, after: &str) -> f32 {
        let has = |list: &[String]| {
            list.iter().any(|word| before.rfind(word.as_str()).is_some_and(|at| bounded(before, at, at + word.len())))
        };
        let after = after.trim_start();
        let trailing = self.trailing.iter().any(|word| after.starts_with(word.as_str()));
        let before = match (has(&self.diminishers), has(&self.intensifiers)) {
            (true, _) => -self.weights.diminisher,
            (false, true) => self.weights.intensifier,
            (false, false) => 0.0,
        };
        before + if trailing { self.weights.intensifier } else { 0.0 }
    }

    /// How cues add up.
    pub const fn weights(&self) -> &EmpathyWeights {
        &self.weights
    }
}

/// Cues in the form in which messages are read. Spaces at the ends go.
fn folded(list: &[String]) -> Vec<String> {
    list.iter().map(|cue| normalise(cue).text.trim().to_owned()).filter(|cue| !cue.is_empty()).collect()
}

/// Whether a match neither begins nor ends inside a Latin word.
fn bounded(text: &str, start: usize, end: usize) -> bool {
    let bytes = text.as_bytes();
    let latin = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_alphanumeric);
    let torn_before = latin(start.checked_sub(1)) && latin(Some(start));
    let torn_after = latin(end.checked_sub(1)) && latin(Some(end));
    !torn_before && !torn_after
}

/// What stands before `start` in its clause, at most `reach` characters.
fn window(text: &str, start: usize, reach: usize) -> &str {
    let before = text.get(..start).unwrap_or("");
    let clause = before.rsplit(['，', ',', '。', '.', '！', '!', '？', '?', ';', ':', '\n', '\0']).next().unwrap_or("");
    let from = clause.char_indices().rev().nth(reach.saturating_sub(1)).map_or(0, |(at, _)| at);
    clause.get(from..).unwrap_or(clause)
}
