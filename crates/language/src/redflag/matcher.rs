//! Finds the phrases of all cues in one pass: an automaton over the parts of all phrases, whose
//! hits are chained over the gaps.

use std::collections::HashMap;

use aho_corasick::AhoCorasick;
use wenzhen_pack::Pack;

use super::phrase;
use super::polarity::{Boundaries, Polarity};
use super::ScreenError;
use crate::locale::is_han;

/// The widest gap in a Chinese phrase, in characters.
const GAP_CHARS: usize = 8;
/// The widest gap in an English phrase, in words.
const GAP_WORDS: usize = 4;
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
    /// Where anything stands that could be a member of a list: cues, and findings by name.
    pub items: Vec<(usize, usize)>,
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
    phrase: u32,
    part: u8,
    start: usize,
    end: usize,
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
        let (mut chains, mut whole) = (Vec::<Chain>::new(), Vec::<(Role, usize, usize)>::new());
        for hit in self.automaton.find_overlapping_iter(text) {
            let (start, end) = (hit.start(), hit.end());
            let Some(uses) = self.uses.get(hit.pattern().as_usize()) else { continue };
            if !stands_alone(text, start, end) {
                continue;
            }
            for &(phrase, part) in uses {
                let Some(info) = self.phrases.get(phrase as usize) else { continue };
                let begun = if part == 0 { Some(start) } else { continues(&chains, (phrase, part), start, |from| {
                    bounds.same_clause(from, start) && gap_fits(text.get(from..start), *info, polarity)
                }) };
                let Some(begun) = begun else { continue };
                if part + 1 == info.parts {
                    whole.push((info.role, begun, end));
                } else {
                    chains.push(Chain { phrase, part, start: begun, end });
                }
            }
        }
        sort_out(&whole)
    }
}

/// Where the phrase began, when its part before `part` ends at a place that `fits`. The nearest
/// such place counts.
fn continues(chains: &[Chain], (phrase, part): (u32, u8), start: usize, fits: impl Fn(usize) -> bool) -> Option<usize> {
    let before = chains.iter().rev().filter(|c| c.phrase == phrase && c.part + 1 == part && c.end <= start);
    before.into_iter().find(|c| fits(c.end)).map(|c| c.start)
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

fn sort_out(whole: &[(Role, usize, usize)]) -> Found {
    let excepted = |cue: usize, start: usize, end: usize| {
        whole.iter().any(|(role, s, e)| *role == Role::Except(cue) && *s < end && start < *e)
    };
    let mut found = Found::default();
    for &(role, start, end) in whole {
        match role {
            Role::Cue(cue) => {
                found.items.push((start, end));
                if !excepted(cue, start, end) {
                    found.cues.push(Hit { cue, start, end });
                }
            }
            Role::Item => found.items.push((start, end)),
            Role::Except(_) => {}
        }
    }
    found.cues.sort_by_key(|hit| (hit.start, hit.end, hit.cue));
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
        let parts =
            phrase::parts(text).map_err(|reason| ScreenError::Phrase { phrase: text.to_owned(), reason })?;
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
