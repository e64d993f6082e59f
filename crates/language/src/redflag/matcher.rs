//! Finds the phrases of all cues in one pass: an automaton over the parts of all phrases, whose
//! hits are chained over the gaps.

use std::collections::HashMap;

use aho_corasick::AhoCorasick;
use wenzhen_pack::Pack;

use super::ScreenError;
use super::phrase;
use super::polarity::{Boundaries, Polarity};
use crate::locale::is_han;

/// The widest gap in a Chinese phrase, in characters.
const GAP_CHARS: usize = 8;
/// The widest gap in an English phrase, in words.
const GAP_WORDS: usize = 4;
/// No gap is wider than this; bounds the work on text without punctuation.
const MAX_GAP_BYTES: usize = 96;
/// No phrase is longer than this in a text.
pub const MAX_PHRASE_BYTES: usize = 256;
/// Beginnings followed up for one end.
const MAX_BEGINNINGS: usize = 4;
/// What may follow a Latin part inside its word.
const INFLECTIONS: [&str; 9] = ["", "s", "es", "ed", "d", "ing", "ly", "y", "'s"];

/// A phrase found, in bytes of the folded text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    pub cue: usize,
    pub start: usize,
    pub end: usize,
}

/// What was found in a text.
#[derive(Debug, Default)]
pub struct Found {
    /// Cues with none of their exceptions around them.
    pub cues: Vec<Hit>,
    /// Everything that could be denied: cues, and findings by name; in the order of their starts.
    pub items: Vec<Item>,
}

/// Something that a negator may deny, alone or in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    pub start: usize,
    pub end: usize,
    /// Nothing stands in its gaps.
    pub tight: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Cue(usize),
    Except(usize),
    Item,
}

#[derive(Debug, Clone, Copy)]
struct Phrase {
    role: Role,
    parts: u8,
    han: bool,
}

/// A phrase begun: its parts up to `part` have been seen.
#[derive(Debug, Clone, Copy)]
struct Chain {
    /// The chain of the same phrase that was begun before this one.
    before: Option<u32>,
    part: u8,
    start: usize,
    end: usize,
    tight: bool,
}

/// A whole phrase found.
#[derive(Debug, Clone, Copy)]
struct Whole {
    role: Role,
    item: Item,
}

/// The phrases begun in one text.
struct Chains {
    /// Per phrase: its latest chain.
    latest: Vec<Option<u32>>,
    all: Vec<Chain>,
}

impl Chains {
    fn push(&mut self, phrase: u32, mut chain: Chain) {
        if let Some(latest) = self.latest.get_mut(phrase as usize) {
            chain.before = latest.replace(self.all.len() as u32);
            self.all.push(chain);
        }
    }

    /// Every place where a phrase may have begun, and whether it is tight so far: those whose
    /// part before `part` ends at a place that `fits`.
    fn continued(
        &self,
        (phrase, part): (u32, u8),
        start: usize,
        fits: impl Fn(usize) -> bool,
    ) -> impl Iterator<Item = (usize, bool)> {
        let at = |i: Option<u32>| self.all.get(i? as usize);
        let first = at(self.latest.get(phrase as usize).copied().flatten());
        // Chains come in the order of their ends.
        let near =
            std::iter::successors(first, move |c| at(c.before)).take_while(move |c| c.end + MAX_GAP_BYTES >= start);
        let before = near.filter(move |c| c.part + 1 == part && c.end <= start && fits(c.end));
        before.map(move |c| (c.start, c.tight && c.end == start)).take(MAX_BEGINNINGS)
    }
}

#[derive(Debug)]
pub struct Matcher {
    automaton: AhoCorasick,
    /// Per part text: the phrases in which it stands, and as which part.
    uses: Vec<Vec<(u32, u8)>>,
    phrases: Vec<Phrase>,
}

impl Matcher {
    pub fn new(pack: &Pack) -> Result<Self, ScreenError> {
        let mut build = Builder::default();
        for (i, cue) in pack.safety.cues.iter().enumerate() {
            for text in cue.phrases.iter().flat_map(|(_, phrases)| phrases) {
                build.add(Role::Cue(i), text)?;
            }
            for text in &cue.except {
                build.add(Role::Except(i), text)?;
            }
        }
        for finding in &pack.findings {
            let sayings = finding.sayings.iter().flat_map(|(_, sayings)| sayings);
            for text in sayings.chain(finding.names.iter().map(|(_, name)| name)) {
                build.add_literal(text);
            }
        }
        let automaton = AhoCorasick::new(&build.texts).map_err(|e| ScreenError::Automaton(e.to_string()))?;
        Ok(Self { automaton, uses: build.uses, phrases: build.phrases })
    }

    /// All cues in a folded text.
    pub fn find(&self, text: &str, polarity: &Polarity) -> Found {
        let bounds = Boundaries::of(text);
        let mut chains = Chains { latest: vec![None; self.phrases.len()], all: Vec::new() };
        let (mut whole, mut begun) = (Vec::<Whole>::new(), Vec::new());
        for hit in self.automaton.find_overlapping_iter(text) {
            let (start, end) = (hit.start(), hit.end());
            let Some(uses) = self.uses.get(hit.pattern().as_usize()) else { continue };
            if !stands_alone(text, start, end) {
                continue;
            }
            for &(phrase, part) in uses {
                let Some(info) = self.phrases.get(phrase as usize) else { continue };
                begun.clear();
                if part == 0 {
                    begun.push((start, true));
                } else {
                    let fits =
                        |from| bounds.same_clause(from, start) && gap_fits(text.get(from..start), *info, polarity);
                    begun.extend(chains.continued((phrase, part), start, fits));
                }
                for (start, tight) in begun.iter().copied() {
                    if part + 1 == info.parts {
                        whole.push(Whole { role: info.role, item: Item { start, end, tight } });
                    } else {
                        chains.push(phrase, Chain { before: None, part, start, end, tight });
                    }
                }
            }
        }
        sort_out(whole)
    }
}

fn gap_fits(gap: Option<&str>, phrase: Phrase, polarity: &Polarity) -> bool {
    let Some(gap) = gap else { return false };
    let width = if phrase.han { gap.chars().count() <= GAP_CHARS } else { gap.split_whitespace().count() <= GAP_WORDS };
    width && (matches!(phrase.role, Role::Except(_)) || !polarity.negates_inside(gap))
}

/// Latin words and numbers count whole (but for endings); Chinese has no words to cut.
fn stands_alone(text: &str, start: usize, end: usize) -> bool {
    let (before, rest) = (text.get(..start).unwrap_or(""), text.get(end..).unwrap_or(""));
    let part = text.get(start..end).unwrap_or("");
    let (last_before, next) = (before.chars().next_back(), rest.chars().next());
    let opens = match part.chars().next() {
        Some(c) if c.is_ascii_digit() => !last_before.is_some_and(|b| b.is_ascii_digit() || b == '.'),
        Some(c) if c.is_ascii_alphabetic() => !last_before.is_some_and(|b| b.is_ascii_alphabetic()),
        _ => true,
    };
    let closes = match part.chars().next_back() {
        Some(c) if c.is_ascii_digit() => !next.is_some_and(|n| n.is_ascii_digit()),
        Some(c) if c.is_ascii_alphabetic() => {
            let word = rest.split(|c: char| !(c.is_ascii_alphabetic() || c == '\'')).next().unwrap_or("");
            INFLECTIONS.contains(&word)
        }
        _ => true,
    };
    opens && closes
}

fn sort_out(mut whole: Vec<Whole>) -> Found {
    whole.sort_by_key(|w| (w.item.start, w.item.end));
    let excepts: Vec<Whole> = whole.iter().filter(|w| matches!(w.role, Role::Except(_))).copied().collect();
    let excepted = |cue: usize, at: Item| {
        let from = excepts.partition_point(|w| w.item.start + MAX_PHRASE_BYTES < at.start);
        let near = excepts.get(from..).unwrap_or_default().iter().take_while(|w| w.item.start < at.end);
        near.into_iter().any(|w| w.role == Role::Except(cue) && at.start < w.item.end)
    };
    let mut found = Found::default();
    for Whole { role, item } in whole.iter().copied() {
        match role {
            Role::Cue(cue) => {
                found.items.push(item);
                if !excepted(cue, item) {
                    found.cues.push(Hit { cue, start: item.start, end: item.end });
                }
            }
            Role::Item => found.items.push(item),
            Role::Except(_) => {}
        }
    }
    found.items.dedup();
    found
}

#[derive(Default)]
struct Builder {
    texts: Vec<String>,
    ids: HashMap<String, usize>,
    uses: Vec<Vec<(u32, u8)>>,
    phrases: Vec<Phrase>,
}

impl Builder {
    fn add(&mut self, role: Role, text: &str) -> Result<(), ScreenError> {
        let parts = phrase::parts(text).map_err(|reason| ScreenError::Phrase { phrase: text.to_owned(), reason })?;
        self.push(role, text.chars().any(is_han), parts);
        Ok(())
    }

    /// The name or a saying of a finding: no notation in it.
    fn add_literal(&mut self, text: &str) {
        let folded = crate::normalise::normalise(text).text;
        if folded.chars().nth(1).is_some() {
            self.push(Role::Item, folded.chars().any(is_han), vec![vec![folded]]);
        }
    }

    fn push(&mut self, role: Role, han: bool, parts: Vec<Vec<String>>) {
        let phrase = self.phrases.len() as u32;
        self.phrases.push(Phrase { role, parts: parts.len().min(usize::from(u8::MAX)) as u8, han });
        for (part, variants) in parts.into_iter().enumerate() {
            for variant in variants {
                let id = *self.ids.entry(variant).or_insert_with_key(|variant| {
                    self.texts.push(variant.clone());
                    self.uses.push(Vec::new());
                    self.texts.len() - 1
                });
                if let Some(uses) = self.uses.get_mut(id) {
                    uses.push((phrase, part.min(usize::from(u8::MAX)) as u8));
                }
            }
        }
    }
}
