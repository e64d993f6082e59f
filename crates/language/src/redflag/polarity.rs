//! What puts a cue out: a negator that governs it directly, or a mere supposition.
//!
//! The rule errs on the side of danger. From the cue one goes back over words that may stand
//! between a negator and what it denies (fillers, and other members of the same list); only a
//! negator met there counts. Everything else leaves the cue lit.

use aho_corasick::AhoCorasick;
use serde::Deserialize;

use super::ScreenError;
use super::matcher::{Item, MAX_PHRASE_BYTES};

const TABLE: &str = include_str!("../../data/screen.toml");

/// A marker farther away bears on nothing; bounds the work on text without punctuation.
const REACH_BYTES: usize = 240;
/// How far behind a list member its "or" may stand.
const OR_REACH_BYTES: usize = 40;

/// The function words of the screen; see the comments in the table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    boundary: String,
    negator: Vec<String>,
    not_negator: Vec<String>,
    question: Vec<String>,
    twice: Vec<String>,
    filler: Vec<String>,
    list: Vec<String>,
    comma: String,
    or: Vec<String>,
    topic: Vec<String>,
    after: Vec<String>,
    tail: Vec<String>,
    suppose: Vec<String>,
    indirect: Vec<String>,
    condition: Vec<String>,
    whether_before: Vec<String>,
    whether_after: Vec<String>,
    told: Vec<String>,
    long_ago: Vec<String>,
    inside: Vec<String>,
    inside_harmless: Vec<String>,
}

/// The reading of polarity, ready to use.
#[derive(Debug)]
pub struct Polarity {
    words: Words,
    markers: AhoCorasick,
    /// What each pattern of `markers` is.
    kinds: Vec<Marker>,
}

/// Words that are looked for in the whole text at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Marker {
    Denial,
    Supposition,
    Indirect,
    Told,
}

/// Where clauses end.
#[derive(Debug)]
pub struct Boundaries(Vec<usize>);

impl Boundaries {
    pub fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
        let ends = text.char_indices().filter(|(at, c)| match c {
            '.' => !(digit(at.checked_sub(1)) && digit(Some(at + 1))),
            ',' | '。' | '!' | '?' | ';' | ':' | '\n' | '(' | ')' => true,
            _ => false,
        });
        Self(ends.map(|(at, _)| at).collect())
    }

    /// Whether no clause ends between two places.
    pub fn same_clause(&self, from: usize, to: usize) -> bool {
        self.0.partition_point(|at| *at < from) == self.0.partition_point(|at| *at < to)
    }

    /// The clause around a stretch of the text.
    fn around(&self, start: usize, end: usize, len: usize) -> (usize, usize) {
        let from = self.0.partition_point(|at| *at < start).checked_sub(1).and_then(|i| self.0.get(i));
        let to = self.0.get(self.0.partition_point(|at| *at < end));
        (from.map_or(0, |at| at + 1), to.copied().unwrap_or(len))
    }
}

impl Polarity {
    pub fn load() -> Result<Self, ScreenError> {
        let mut words: Words =
            toml::from_str(TABLE).map_err(|e| ScreenError::Table { table: "screen.toml", reason: e.to_string() })?;
        for list in [&mut words.negator, &mut words.filler, &mut words.list, &mut words.topic, &mut words.after] {
            list.sort_by_key(|word| std::cmp::Reverse(word.len()));
        }
        let lists = [
            (Marker::Denial, &words.negator),
            (Marker::Denial, &words.question),
            (Marker::Denial, &words.after),
            (Marker::Supposition, &words.suppose),
            (Marker::Indirect, &words.indirect),
            (Marker::Told, &words.told),
        ];
        let all = lists.iter().flat_map(|(kind, list)| list.iter().map(|word| (*kind, word)));
        let (kinds, patterns): (Vec<Marker>, Vec<&String>) = all.unzip();
        let markers = AhoCorasick::new(patterns).map_err(|e| ScreenError::Automaton(e.to_string()))?;
        Ok(Self { words, markers, kinds })
    }

    /// Whether the words in the gap of a phrase deny it (`胸口不闷` is no `胸口…闷`).
    pub fn negates_inside(&self, gap: &str) -> bool {
        let w = &self.words;
        if !w.inside.iter().any(|word| gap.contains(word.as_str())) {
            return false;
        }
        let mut rest = gap.to_owned();
        for harmless in &w.inside_harmless {
            rest = rest.replace(harmless.as_str(), " ");
        }
        w.inside.iter().any(|word| rest.contains(word.as_str()))
    }

    /// Reads a folded text in which `items` may be members of a list.
    pub fn read<'a>(&'a self, text: &'a str, items: &'a [Item]) -> Reading<'a> {
        let found = self.markers.find_overlapping_iter(text);
        let whole = found.filter(|m| is_whole_word(text, m.start(), m.end()));
        let markers = whole.filter_map(|m| Some((*self.kinds.get(m.pattern().as_usize())?, m.start()))).collect();
        Reading { words: &self.words, text, items, bounds: Boundaries::of(text), markers }
    }
}

/// One text under this reading.
#[derive(Debug)]
pub struct Reading<'a> {
    words: &'a Words,
    text: &'a str,
    items: &'a [Item],
    bounds: Boundaries,
    /// Which markers stand where.
    markers: Vec<(Marker, usize)>,
}

impl Reading<'_> {
    /// Whether what stands at these bytes is denied or only supposed.
    pub fn puts_out(&self, start: usize, end: usize) -> bool {
        let (from, to) = self.clause(start, end);
        // 没甲乙 denies 乙 too: what contains the cue may be what is denied.
        let around = self.items_near(start).filter(|i| i.tight && i.start <= start && end <= i.end);
        let denied = |start, end| self.denied_before(start, end) || self.denied_after(end);
        let may_deny = self.markers.iter().any(|(kind, _)| *kind == Marker::Denial);
        self.supposed(from, start, end, to)
            || (may_deny && (denied(start, end) || around.into_iter().any(|i| denied(i.start, i.end))))
    }

    /// Whether the clause places it in an earlier part of life.
    pub fn long_ago(&self, start: usize, end: usize) -> bool {
        let (from, to) = self.clause(start, end);
        let clause = self.text.get(from..to).unwrap_or("");
        self.words.long_ago.iter().any(|word| clause.contains(word.as_str()))
    }

    /// The clause around a stretch, as far as a marker in it can bear on the stretch.
    fn clause(&self, start: usize, end: usize) -> (usize, usize) {
        let (from, to) = self.bounds.around(start, end, self.text.len());
        let from = from.max(boundary(self.text, start.saturating_sub(REACH_BYTES)));
        (from, to.min(boundary(self.text, end + REACH_BYTES)))
    }

    /// The items that begin shortly before `at`, or there.
    fn items_near(&self, at: usize) -> impl Iterator<Item = &Item> {
        let from = self.items.partition_point(|i| i.start + MAX_PHRASE_BYTES < at);
        self.items.get(from..).unwrap_or_default().iter().take_while(move |i| i.start <= at)
    }

    fn denied_before(&self, start: usize, end: usize) -> bool {
        let w = self.words;
        let mut at = start;
        for _ in 0..12 {
            let left = self.text.get(..at).unwrap_or("");
            let left = trim_latin_space(left);
            at = left.len();
            if ends_with_any(left, &w.question).is_some() {
                return true;
            }
            if ends_with_any(left, &w.not_negator).is_some() {
                return false;
            }
            if let Some(len) = ends_with_any(left, &w.negator) {
                let before = left.get(..left.len() - len).unwrap_or("").trim_end();
                return ends_with_any(before, &w.twice).is_none();
            }
            let step = ends_with_any(left, &w.filler)
                .or_else(|| ends_with_any(left, &w.list))
                .or_else(|| self.items_near(at).filter(|i| i.end == at).map(|i| i.end - i.start).max())
                .or_else(|| (left.ends_with(w.comma.as_str()) && self.or_follows(at, end)).then_some(w.comma.len()));
            match step {
                Some(len) if len > 0 => at -= len,
                _ => return false,
            }
        }
        false
    }

    /// Whether the list that has a comma at `from` goes on with an "or" before the sentence ends.
    fn or_follows(&self, from: usize, end: usize) -> bool {
        let to = boundary(self.text, end + OR_REACH_BYTES);
        let rest = self.text.get(from..to).unwrap_or("");
        let sentence = rest.split(['.', '!', '?', ';', '\n']).next().unwrap_or("");
        self.words.or.iter().any(|or| sentence.contains(or.as_str()))
    }

    fn denied_after(&self, end: usize) -> bool {
        let w = self.words;
        let mut at = end;
        for _ in 0..12 {
            let right = self.text.get(at..).unwrap_or("");
            if let Some(len) = starts_with_any(right, &w.after) {
                let rest = right.get(len..).unwrap_or("");
                let rest = starts_with_any(rest, &w.tail).and_then(|len| rest.get(len..)).unwrap_or(rest);
                return rest.chars().next().is_none_or(|c| w.boundary.contains(c));
            }
            let item = self.items_near(at).filter(|i| i.start == at).map(|i| i.end - i.start).max();
            let step = starts_with_any(right, &w.topic).or_else(|| starts_with_any(right, &w.list)).or(item);
            match step {
                Some(len) if len > 0 => at += len,
                _ => return false,
            }
        }
        false
    }

    fn supposed(&self, from: usize, start: usize, end: usize, to: usize) -> bool {
        let w = self.words;
        let marked = |kind| self.markers.iter().any(|(k, at)| *k == kind && (from..start).contains(at));
        let (before, after) = (self.text.get(from..start).unwrap_or(""), self.text.get(end..to).unwrap_or(""));
        (marked(Marker::Supposition) && !marked(Marker::Indirect))
            || marked(Marker::Told)
            || (ends_with_any(before, &w.whether_before).is_some() && ends_with_any(after, &w.whether_after).is_some())
            || starts_with_any(after.trim_start(), &w.condition).is_some()
    }
}

/// The last character boundary of a text at or before `at`.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

fn is_latin(c: Option<char>) -> bool {
    c.is_some_and(|c| c.is_ascii_alphabetic())
}

/// A space in English joins words; in Chinese it parts clauses and stays.
fn trim_latin_space(text: &str) -> &str {
    let trimmed = text.trim_end_matches(' ');
    if trimmed.chars().next_back().is_some_and(|c| c.is_ascii()) { trimmed } else { text }
}

fn ends_with_any(text: &str, words: &[String]) -> Option<usize> {
    let whole = |word: &str| {
        let before = text.get(..text.len() - word.len()).and_then(|t| t.chars().next_back());
        !(is_latin(word.chars().next()) && is_latin(before))
    };
    words.iter().find(|word| text.ends_with(word.as_str()) && whole(word)).map(String::len)
}

fn starts_with_any(text: &str, words: &[String]) -> Option<usize> {
    let whole = |word: &str| {
        let next = text.get(word.len()..).and_then(|t| t.chars().next());
        !(is_latin(word.chars().next_back()) && is_latin(next))
    };
    words.iter().find(|word| text.starts_with(word.as_str()) && whole(word)).map(String::len)
}

/// Whether no Latin word is cut at either end; Chinese has no words to cut.
fn is_whole_word(text: &str, start: usize, end: usize) -> bool {
    let ends = |at: usize| {
        let (before, after) = (text.get(..at).unwrap_or(""), text.get(at..).unwrap_or(""));
        !(is_latin(before.chars().next_back()) && is_latin(after.chars().next()))
    };
    ends(start) && ends(end)
}
