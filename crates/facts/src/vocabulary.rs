//! The words of a pack that may stand in slots only.

use std::collections::{BTreeMap, BTreeSet};

use aho_corasick::{AhoCorasick, MatchKind};
use wenzhen_pack::{Kind, Locale, Pack};

use crate::fold::Folder;
use crate::guard::GuardError;
use crate::phrases::{NameData, View};

/// A term of at least so many letters is also found with its word boundaries moved.
const UNBOUNDED_LETTERS: usize = 8;

/// Terms and findings of a pack, compiled.
#[derive(Debug)]
pub struct Vocabulary {
    compact: AhoCorasick,
    words: AhoCorasick,
    /// Findings in the compact and the word view.
    findings: [FindingTable; 2],
}

/// A way to say a finding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mention {
    /// Id of the finding.
    pub id: String,
    /// By its name; else by a colloquial saying.
    pub name: bool,
}

#[derive(Debug)]
struct FindingTable {
    automaton: AhoCorasick,
    mentions: Vec<Vec<Mention>>,
}

impl Vocabulary {
    /// Collects and compiles the names in a pack, and `general` terms (Chinese, English).
    pub fn new(
        pack: &Pack,
        names: [&NameData; 2],
        general: [&[String]; 2],
        folder: &Folder,
    ) -> Result<Self, GuardError> {
        let mut terms = Terms { folder, names, compact: BTreeSet::new(), words: BTreeSet::new() };
        for condition in &pack.conditions {
            for text in [&condition.disease, &condition.pattern, &condition.formula] {
                text.iter().for_each(|(locale, name)| terms.add(locale, name));
            }
        }
        for (locale, name) in pack.herbs.iter().flat_map(|herb| herb.names.iter()) {
            terms.add(locale, name);
        }
        for (locale, list) in [Locale::Zh, Locale::En].into_iter().zip(general) {
            list.iter().for_each(|term| terms.add_one(locale, term));
        }
        Ok(Self {
            compact: AhoCorasick::new(&terms.compact)?,
            words: AhoCorasick::new(&terms.words)?,
            findings: [
                FindingTable::new(pack, Locale::Zh, names[0].shortest, folder)?,
                FindingTable::new(pack, Locale::En, names[1].shortest, folder)?,
            ],
        })
    }

    /// Whether either view of a text holds a term.
    pub fn has_term(&self, compact: &str, words: &str) -> bool {
        self.compact.is_match(compact) || self.words.is_match(words)
    }

    /// Mentions of findings in a view: what comes before, what comes after, what it may mean.
    pub fn findings<'a>(
        &'a self,
        view: View,
        text: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str, &'a [Mention])> + 'a {
        let [compact, words] = &self.findings;
        let table = match view {
            View::Compact => compact,
            View::Words => words,
        };
        table.automaton.find_iter(text).filter_map(move |hit| {
            let mentions = table.mentions.get(hit.pattern().as_usize())?;
            Some((text.get(..hit.start())?, text.get(hit.end()..)?, mentions.as_slice()))
        })
    }
}

struct Terms<'a> {
    folder: &'a Folder,
    names: [&'a NameData; 2],
    compact: BTreeSet<String>,
    words: BTreeSet<String>,
}

impl<'a> Terms<'a> {
    /// Adds a name, its parts and their stems.
    fn add(&mut self, locale: Locale, name: &str) {
        let data = self.data(locale);
        let mut parts = vec![name.to_owned()];
        let mut cut = name.to_lowercase();
        for separator in &data.split {
            let spaced = separator.chars().all(|c| c.is_ascii_alphabetic());
            cut = if spaced { cut.replace(&format!(" {separator} "), "\n") } else { cut.replace(separator, "\n") };
        }
        parts.extend(cut.lines().map(str::to_owned));
        for part in parts {
            let mut stem = part.trim();
            self.add_one(locale, stem);
            for suffix in &data.strip {
                stem = stem.strip_suffix(suffix.as_str()).unwrap_or(stem).trim_end();
            }
            self.add_one(locale, stem);
        }
    }

    fn add_one(&mut self, locale: Locale, term: &str) {
        let shortest = self.data(locale).shortest;
        let folded = self.folder.text(term);
        let compact = folded.compact.replace(crate::fold::CLAUSE, "");
        if compact.chars().count() < shortest.min(3) {
            return;
        }
        if compact.is_ascii() {
            let words = folded.words.replace(" , ", "");
            let several = words.split_whitespace().count() > 1;
            if compact.len() >= UNBOUNDED_LETTERS - usize::from(several) {
                self.compact.insert(compact.clone());
            }
            if compact.len() >= shortest || locale == Locale::En {
                self.words.insert(format!("{}s ", words.trim_end()));
                self.words.insert(words);
                self.words.insert(format!(" {compact} "));
            }
        } else {
            self.compact.insert(compact);
        }
    }

    const fn data(&self, locale: Locale) -> &'a NameData {
        let [zh, en] = self.names;
        match locale {
            Locale::Zh => zh,
            Locale::En => en,
        }
    }
}

impl FindingTable {
    fn new(pack: &Pack, locale: Locale, shortest: usize, folder: &Folder) -> Result<Self, GuardError> {
        let view = match locale {
            Locale::Zh => View::Compact,
            Locale::En => View::Words,
        };
        let mut table: BTreeMap<String, Vec<Mention>> = BTreeMap::new();
        for finding in &pack.findings {
            // What happened beforehand is named in everyday words; they count as sayings.
            let own_name = finding.kind != Kind::Exposure;
            let names = finding.names.iter().map(|(l, name)| (l, name, own_name));
            let sayings =
                finding.sayings.iter().flat_map(|(l, list)| list.iter().map(move |saying| (l, saying, false)));
            for (_, text, name) in names.chain(sayings).filter(|(l, ..)| *l == locale) {
                let folded = view.fold(folder, text);
                if folded.chars().filter(|c| *c != ' ').count() >= shortest {
                    table.entry(folded).or_default().push(Mention { id: finding.id.clone(), name });
                }
            }
        }
        let automaton = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(table.keys())?;
        Ok(Self { automaton, mentions: table.into_values().collect() })
    }
}
