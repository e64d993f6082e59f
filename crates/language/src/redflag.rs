//! The red-flag screen: danger signs in the words, before and beside everything else.
//!
//! It has its own small, conservative reading of polarity, apart from the interpreter's: a cue
//! goes out only when a negator governs it directly (`没有甲`, `no x or y`), when it is merely
//! supposed (`要是甲`, `what if x`), or when one of its own exceptions covers it. That it is
//! called small, old or over puts nothing out. The phrases and the rows of cues are the pack's
//! (`safety.toml`), the function words are in `data/screen.toml`; a cue stays lit for the whole
//! consultation because the caller keeps what [`RedFlagScreen::cues`] found.

mod context;
mod matcher;
mod phrase;
mod polarity;
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use wenzhen_pack::{CueRef, FindingIx, Level, Pack, Sex};

use crate::normalise::normalise;
use context::ContextPatterns;
use matcher::Matcher;
use polarity::Polarity;

/// A cue lit by an utterance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CueHit {
    /// Position in `pack.safety.cues`.
    pub cue: usize,
    /// Bytes of the original text that lit it, on character boundaries.
    pub span: Range<usize>,
}

/// A red flag that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flagged {
    /// Position in `pack.safety.red_flags`.
    pub flag: usize,
    /// Its urgency.
    pub level: Level,
}

/// What the rules need to know of the patient; `None` is unknown and fills no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScreenContext {
    /// Age in completed months.
    pub age_months: Option<u32>,
    /// Sex.
    pub sex: Option<Sex>,
    /// Whether she is pregnant.
    pub pregnant: Option<bool>,
    /// Completed weeks of the pregnancy.
    pub pregnancy_weeks: Option<u32>,
}

impl ScreenContext {
    /// This context with what `later` knows better.
    #[must_use]
    pub fn updated(self, later: Self) -> Self {
        Self {
            age_months: later.age_months.or(self.age_months),
            sex: later.sex.or(self.sex),
            pregnant: later.pregnant.or(self.pregnant),
            pregnancy_weeks: later.pregnancy_weeks.or(self.pregnancy_weeks),
        }
    }
}

/// Why a screen could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ScreenError {
    /// A phrase of the pack is not well formed.
    #[error("safety.toml: phrase `{phrase}`: {reason}")]
    Phrase {
        /// The phrase as written.
        phrase: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A built-in table cannot be read.
    #[error("table {table}: {reason}")]
    Table {
        /// The file under `data/`.
        table: &'static str,
        /// What the parser said.
        reason: String,
    },
    /// The phrases could not be compiled into one automaton.
    #[error("the phrases could not be compiled: {0}")]
    Automaton(String),
}

/// The compiled cues and red flags of one pack.
#[derive(Debug)]
pub struct RedFlagScreen {
    matcher: Matcher,
    polarity: Polarity,
    patterns: ContextPatterns,
    /// Per cue: whether it is lit by what lies in an earlier part of life.
    past: Vec<bool>,
    by_finding: BTreeMap<FindingIx, Vec<usize>>,
    flags: Vec<(Level, Vec<Vec<CueRef>>)>,
}

impl RedFlagScreen {
    /// Compiles the safety rules of a pack.
    ///
    /// # Errors
    /// When a phrase is malformed or a built-in table cannot be read.
    pub fn new(pack: &Pack) -> Result<Self, ScreenError> {
        let mut by_finding: BTreeMap<FindingIx, Vec<usize>> = BTreeMap::new();
        for (i, cue) in pack.safety.cues.iter().enumerate() {
            for finding in &cue.findings {
                by_finding.entry(*finding).or_default().push(i);
            }
        }
        Ok(Self {
            matcher: Matcher::new(pack)?,
            polarity: Polarity::load()?,
            patterns: ContextPatterns::load()?,
            past: pack.safety.cues.iter().map(|cue| cue.past).collect(),
            by_finding,
            flags: pack.safety.red_flags.iter().map(|flag| (flag.level, flag.when.clone())).collect(),
        })
    }

    /// The cues that an utterance lights, each once, in the order of the text.
    pub fn cues(&self, text: &str) -> Vec<CueHit> {
        let folded = normalise(text);
        let found = self.matcher.find(&folded.text, &self.polarity);
        let reading = self.polarity.read(&folded.text, &found.items);
        // Hits on the same words come one after another.
        let (mut seen, mut last) = (BTreeSet::new(), None);
        let mut puts_out = |start: usize, end: usize| match last {
            Some((s, e, out)) if (s, e) == (start, end) => out,
            _ => {
                let out = reading.puts_out(start, end);
                last = Some((start, end, out));
                out
            }
        };
        let lit = found.cues.iter().filter(|hit| {
            !seen.contains(&hit.cue)
                && !puts_out(hit.start, hit.end)
                && (self.past.get(hit.cue).copied().unwrap_or(true) || !reading.long_ago(hit.start, hit.end))
                && seen.insert(hit.cue)
        });
        lit.map(|hit| CueHit { cue: hit.cue, span: folded.span(hit.start..hit.end) }).collect()
    }

    /// Age, sex and pregnancy as far as the utterance tells them in plain form.
    pub fn context(&self, text: &str) -> ScreenContext {
        self.patterns.read(&normalise(text).text)
    }

    /// The red flags that hold, the most urgent first and then in the order of the pack.
    ///
    /// `lit` are the positions of all cues lit so far in the consultation, `present` the
    /// findings recorded as present.
    pub fn evaluate(&self, lit: &BTreeSet<usize>, present: &[FindingIx], context: &ScreenContext) -> Vec<Flagged> {
        let mut all = lit.clone();
        all.extend(present.iter().filter_map(|finding| self.by_finding.get(finding)).flatten());
        rules::evaluate(&self.flags, &all, context)
    }
}
