//! Retrieval over the pack's passages by BM25.
//!
//! The weights of words come from the `bm25` crate's embedder. Its scorer walks every passage
//! for every word and returns ties in the order of a random hash; here each word keeps a list
//! of the passages that hold it with its weight ready multiplied, which is the same sum at a
//! fraction of the time and in one fixed order. The words of every finding and condition are
//! cut once, so that a query is a handful of list walks.

use std::collections::{BTreeMap, HashMap};

use bm25::{Embedder, EmbedderBuilder, Tokenizer};
use wenzhen_pack::{ConditionIx, FindingIx, Locale, Pack, State};
use wenzhen_proto::clinical::v1::Citation;

use crate::case::{Case, DIFFERENTIALS};
use crate::tokens::Words;

/// Citations of one answer, at most.
const MOST_CITATIONS: usize = 3;
/// How much more a passage counts that concerns the first, second, third condition.
const BOOST: [f32; DIFFERENTIALS] = [2.0, 1.4, 1.2];

/// The index of a pack's passages in all its languages.
#[derive(Debug)]
pub struct Index {
    locales: BTreeMap<Locale, LocaleIndex>,
}

#[derive(Debug)]
struct LocaleIndex {
    /// Positions in [`Pack::passages`].
    passages: Vec<usize>,
    /// Word to (position in `passages`, its part of the score).
    postings: HashMap<u32, Vec<(usize, f32)>>,
    findings: Vec<Vec<u32>>,
    conditions: Vec<Vec<u32>>,
}

impl Index {
    /// Indexes a pack.
    pub fn new(pack: &Pack) -> Self {
        let locales = pack.manifest.locales.iter().map(|locale| (*locale, LocaleIndex::new(pack, *locale))).collect();
        Self { locales }
    }

    /// Passages that support the diagnosis, best first, at most three.
    pub fn cite(&self, case: &Case<'_>) -> Vec<Citation> {
        let pack = case.knowledge.pack();
        let Some(index) = self.locales.get(&case.locale) else { return Vec::new() };
        let found = index.search(case);
        found.into_iter().filter_map(|(at, score)| pack.passages.get(at).map(|p| (p, score))).map(citation).collect()
    }
}

fn citation((passage, score): (&wenzhen_pack::Passage, f32)) -> Citation {
    Citation { passage_id: passage.id.clone(), source: passage.source.clone(), text: passage.text.clone(), score }
}

impl LocaleIndex {
    fn new(pack: &Pack, locale: Locale) -> Self {
        let of_locale = pack.passages.iter().enumerate().filter(|(_, p)| p.locale == locale);
        let passages: Vec<usize> = of_locale.map(|(at, _)| at).collect();
        let texts: Vec<&str> =
            passages.iter().filter_map(|at| pack.passages.get(*at)).map(|p| p.text.as_str()).collect();
        let embedder: Embedder<u32, Words> = EmbedderBuilder::with_tokenizer_and_fit_to_corpus(Words, &texts).build();
        let words = |text: &str| {
            let mut words: Vec<u32> = embedder.embed(text).iter().map(|token| token.index).collect();
            words.sort_unstable();
            words.dedup();
            words
        };
        Self {
            postings: postings(&embedder, &texts),
            findings: pack.findings.iter().map(|f| words(f.names.text(locale))).collect(),
            conditions: pack.conditions.iter().map(|c| words(&c.name(locale))).collect(),
            passages,
        }
    }

    fn search(&self, case: &Case<'_>) -> Vec<(usize, f32)> {
        let mut scores = vec![0.0_f32; self.passages.len()];
        for word in self.query(case) {
            for (at, part) in self.postings.get(&word).into_iter().flatten() {
                if let Some(score) = scores.get_mut(*at) {
                    *score += part;
                }
            }
        }
        let boosted = self.passages.iter().zip(scores).map(|(at, score)| (*at, score * boost(case, *at)));
        let mut found: Vec<(usize, f32)> = boosted.filter(|(_, score)| *score > 0.0).collect();
        found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        found.truncate(MOST_CITATIONS);
        found
    }

    /// The words of the best condition and of all present findings, each once.
    fn query(&self, case: &Case<'_>) -> Vec<u32> {
        let present = case.closed.iter().enumerate().filter(|(_, c)| c.is_some_and(|c| c.state == State::Present));
        let of_findings = present.filter_map(|(i, _)| self.findings.get(FindingIx::new(i).at()));
        let of_condition = case.ranked.first().and_then(|r| self.conditions.get(r.condition.at()));
        let mut words: Vec<u32> = of_condition.into_iter().chain(of_findings).flatten().copied().collect();
        words.sort_unstable();
        words.dedup();
        words
    }
}

/// How much more a passage counts because of what it concerns.
fn boost(case: &Case<'_>, passage: usize) -> f32 {
    let concerns: &[ConditionIx] = case.knowledge.pack().passages.get(passage).map_or(&[], |p| &p.conditions);
    let ranked = case.ranked.iter().zip(BOOST).find(|(r, _)| concerns.contains(&r.condition));
    ranked.map_or(1.0, |(_, boost)| boost)
}

/// Every word's passages with `idf · value`, the summand of BM25 (Robertson and Zaragoza 2009, equation 3.15).
fn postings(embedder: &Embedder<u32, Words>, texts: &[&str]) -> HashMap<u32, Vec<(usize, f32)>>
where
    Words: Tokenizer,
{
    let mut postings: HashMap<u32, Vec<(usize, f32)>> = HashMap::new();
    for (at, text) in texts.iter().enumerate() {
        for token in embedder.embed(text).iter() {
            let list = postings.entry(token.index).or_default();
            // The embedder repeats a word with the same value as often as it stands in the text.
            if list.last().is_none_or(|(last, _)| *last != at) {
                list.push((at, token.value));
            }
        }
    }
    let total = texts.len() as f32;
    for list in postings.values_mut() {
        let holding = list.len() as f32;
        let idf = (1.0 + (total - holding + 0.5) / (holding + 0.5)).ln();
        for (_, value) in list {
            *value *= idf;
        }
    }
    postings
}
