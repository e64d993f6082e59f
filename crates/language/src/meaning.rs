//! What the patient wants to have explained: `甲是什么意思`, `what does x mean`, and without a word
//! of the pack the question before.

use wenzhen_pack::ConditionIx;

use crate::lexicon::Kind;
use crate::locale::is_han;
use crate::reader::Reader;
use crate::scan::Token;
use crate::units::Unit;
use crate::words::Class;
use crate::{Meaning, Normalised};

/// Most things explained at once.
const MOST: usize = 3;
/// Most conditions that one word may stand in.
const MOST_CONDITIONS: usize = 12;
/// The longest word that is looked for, in bytes.
const LONGEST: usize = 48;

impl Reader<'_> {
    /// What is to be explained, in the order of the text.
    pub(crate) fn meanings(&self, normalised: &Normalised, units: &[Unit]) -> Vec<Meaning> {
        let mut found: Vec<Meaning> = Vec::new();
        for clause in self.clauses.iter().map(|read| &read.clause) {
            let own = self.tokens.get(clause.tokens.clone()).unwrap_or(&[]);
            // `what is a y`, where y stands in the question.
            let near = !clause.mood.medical && own.iter().any(|t| t.kind.is(Class::MeaningNear));
            if !clause.mood.meaning && !near {
                continue;
            }
            let mut named: Vec<Meaning> = own
                .iter()
                .filter_map(|t| match t.kind {
                    Kind::Finding(finding) => Some(Meaning::Finding(finding)),
                    _ => None,
                })
                .collect();
            if named.is_empty() {
                let words = uncovered(units, own, clause.units.clone());
                let text = |(from, to): &(usize, usize)| text_of(normalised, units, *from, *to);
                let words: Vec<&str> = words.iter().filter_map(text).collect();
                named = if words.is_empty() && !near {
                    self.asked.iter().copied().map(Meaning::Finding).collect()
                } else {
                    self.holding(&words)
                };
            }
            for meaning in named {
                if !found.contains(&meaning) {
                    found.push(meaning);
                }
            }
        }
        let (mut findings, mut conditions) = (0, 0);
        found.retain(|meaning| {
            let (count, most) = match meaning {
                Meaning::Finding(_) => (&mut findings, MOST),
                Meaning::Condition(_) => (&mut conditions, MOST_CONDITIONS),
            };
            *count += 1;
            *count <= most
        });
        found
    }

    /// What was asked in words that hold one of these; else the conditions whose names hold them all.
    fn holding(&self, words: &[&str]) -> Vec<Meaning> {
        let holds = |text: &str, word: &str| text.to_lowercase().contains(word);
        let asked = self.asked.iter().copied().filter(|f| {
            self.pack.findings.get(f.at()).is_some_and(|finding| {
                let texts = || finding.names.iter().chain(finding.ask.iter().flat_map(|ask| ask.iter()));
                words.iter().any(|word| texts().any(|(_, text)| holds(text, word)))
            })
        });
        let asked: Vec<Meaning> = asked.map(Meaning::Finding).collect();
        let long = |word: &&str| if word.chars().all(is_han) { word.chars().count() > 1 } else { word.len() > 3 };
        if !asked.is_empty() || words.is_empty() || !words.iter().all(long) {
            return asked;
        }
        let named = self.pack.conditions.iter().enumerate().filter(|(_, c)| {
            let mut names = c.disease.iter().chain(c.pattern.iter());
            names.any(|(_, name)| words.iter().all(|word| holds(name, word)))
        });
        named.map(|(i, _)| Meaning::Condition(ConditionIx::new(i))).collect()
    }
}

/// Stretches of words that no token covers.
fn uncovered(units: &[Unit], tokens: &[Token], range: std::ops::Range<usize>) -> Vec<(usize, usize)> {
    let mut out: Vec<(usize, usize)> = Vec::new();
    let covering = |i: usize| {
        let token = tokens.get(tokens.partition_point(|t| t.end <= i)).filter(|t| t.start <= i);
        token.is_some_and(|t| !matches!(t.kind, Kind::Ambiguity(_)))
    };
    for i in range {
        if covering(i) || !units.get(i).is_some_and(|u| u.is_content()) {
            continue;
        }
        match out.last_mut().filter(|last| last.1 == i) {
            Some(last) => last.1 = i + 1,
            None => out.push((i, i + 1)),
        }
    }
    out
}

fn text_of<'t>(normalised: &'t Normalised, units: &[Unit], from: usize, to: usize) -> Option<&'t str> {
    let (first, last) = (units.get(from)?, units.get(to.checked_sub(1)?)?);
    let text = normalised.text.get(first.start as usize..last.end as usize)?;
    (!text.is_empty() && text.len() <= LONGEST).then_some(text)
}
