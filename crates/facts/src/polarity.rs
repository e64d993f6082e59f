//! Whether the words around something turn it round.

use aho_corasick::{AhoCorasick, MatchKind};

use crate::fold::{BLANK, CLAUSE, Folder};
use crate::guard::GuardError;
use crate::phrases::{ClauseData, SlotData, View};

/// Negators of one view, and the words that only look like them.
#[derive(Debug)]
pub struct Polarity {
    /// Phrases to take out, then those that end a clause.
    neutral: AhoCorasick,
    replacements: Vec<String>,
    before: AhoCorasick,
    after: AhoCorasick,
    /// How far behind a slot a negator still concerns it, in bytes of the view.
    after_reach: usize,
}

impl Polarity {
    /// Compiles the lists of a language for its view.
    pub fn new(slots: &SlotData, clauses: &ClauseData, view: View, folder: &Folder) -> Result<Self, GuardError> {
        // An empty pattern would match everywhere.
        let fold = |list: &[String]| {
            let folded = list.iter().map(|phrase| view.fold(folder, phrase)).collect::<Vec<_>>();
            if folded.iter().any(String::is_empty) { Err(GuardError::EmptyPhrase) } else { Ok(folded) }
        };
        let (harmless, cut) = (fold(&clauses.harmless)?, fold(&clauses.cut)?);
        let mark = |c: char| match view {
            View::Compact => c.to_string(),
            View::Words => format!(" {c} "),
        };
        let replacements = std::iter::repeat_n(mark(BLANK), harmless.len())
            .chain(std::iter::repeat_n(mark(CLAUSE), cut.len()))
            .collect::<Vec<_>>();
        Ok(Self {
            neutral: AhoCorasick::builder()
                .match_kind(MatchKind::LeftmostLongest)
                .build(harmless.iter().chain(&cut))?,
            replacements,
            before: AhoCorasick::new(fold(&slots.before)?)?,
            after: AhoCorasick::new(fold(&slots.after)?)?,
            after_reach: match view {
                View::Compact => 6,
                View::Words => 8,
            },
        })
    }

    /// The view without harmless phrases, and with clause ends where another thought begins.
    pub fn neutral(&self, view: &str) -> String {
        self.neutral.replace_all(view, &self.replacements)
    }

    /// Whether `before` and `after` turn round what stands between them.
    pub fn flips(&self, before: &str, after: &str) -> bool {
        let before = before.rsplit(CLAUSE).next().unwrap_or("");
        self.negates(before) || {
            let after = self.neutral(after.split(CLAUSE).next().unwrap_or(""));
            self.after.find(after.split(CLAUSE).next().unwrap_or("")).is_some_and(|hit| hit.start() <= self.after_reach)
        }
    }

    /// Whether the last clause in `text` negates what follows it.
    pub fn negates(&self, text: &str) -> bool {
        let text = self.neutral(text);
        self.before.is_match(text.rsplit(CLAUSE).next().unwrap_or(""))
    }

    /// For each `mark` in a view, whether it is turned round; other marks are no words.
    pub fn marks<'a>(&'a self, view: &'a str, mark: char) -> impl Iterator<Item = bool> + 'a {
        view.match_indices(mark).map(move |(at, found)| {
            self.flips(view.get(..at).unwrap_or(""), view.get(at + found.len()..).unwrap_or(""))
        })
    }
}
