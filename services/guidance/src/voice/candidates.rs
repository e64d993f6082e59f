//! Which findings a model is offered: a prompt with all of them would be read for seconds.

use std::collections::HashSet;

use wenzhen_language::normalise;
use wenzhen_pack::{FindingIx, Observer, Pack};

/// Findings in a prompt, at most; a pack with no more is offered whole.
const MOST: usize = 48;
/// Share of a phrase that must stand in the text for its finding to be offered.
const LIKE: f64 = 0.34;
/// Letters of a Latin word that count: endings change.
const STEM: usize = 5;
/// Shorter Latin words say nothing.
const SHORTEST: usize = 3;

/// The phrases of a pack's findings as parts: pairs of Han characters, beginnings of Latin words.
#[derive(Debug)]
pub(super) struct Index {
    findings: Vec<Phrases>,
}

#[derive(Debug, Default)]
struct Phrases {
    /// A patient can know it.
    offered: bool,
    phrases: Vec<Vec<String>>,
}

impl Index {
    pub(super) fn new(pack: &Pack) -> Self {
        let phrases = |finding: &wenzhen_pack::Finding| {
            let names = finding.names.iter().map(|(_, name)| name);
            let sayings = finding.sayings.iter().flat_map(|(_, list)| list);
            let phrases = names.chain(sayings).map(|phrase| parts(phrase)).filter(|parts| !parts.is_empty()).collect();
            Phrases { offered: finding.observable.contains(&Observer::Patient), phrases }
        };
        Self { findings: pack.findings.iter().map(phrases).collect() }
    }

    /// The findings to offer for a text: those that are sure to matter, those that refine them, then the most alike;
    /// empty when the text is like none.
    pub(super) fn offer(&self, pack: &Pack, text: &str, sure: &[FindingIx]) -> Vec<FindingIx> {
        let all = || (0..self.findings.len()).map(FindingIx::new).filter(|f| self.offered(*f));
        if all().count() <= MOST {
            return all().collect();
        }
        let mut offered: Vec<FindingIx> = Vec::new();
        let mut seen = HashSet::new();
        let refined =
            |f: &FindingIx| pack.findings.get(f.at()).and_then(|f| f.parent).is_some_and(|p| sure.contains(&p));
        let said: HashSet<String> = parts(text).into_iter().collect();
        let mut alike: Vec<(FindingIx, f64)> =
            all().map(|f| (f, self.alike(f, &said))).filter(|(_, a)| *a >= LIKE).collect();
        alike.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let likely = alike.into_iter().map(|(finding, _)| finding);
        for finding in sure.iter().copied().chain(all().filter(refined)).chain(likely) {
            if offered.len() < MOST && self.offered(finding) && seen.insert(finding) {
                offered.push(finding);
            }
        }
        offered
    }

    fn offered(&self, finding: FindingIx) -> bool {
        self.findings.get(finding.at()).is_some_and(|f| f.offered)
    }

    /// The largest share of a phrase of the finding that was said.
    fn alike(&self, finding: FindingIx, said: &HashSet<String>) -> f64 {
        let Some(phrases) = self.findings.get(finding.at()) else { return 0.0 };
        let share =
            |parts: &Vec<String>| parts.iter().filter(|p| said.contains(*p)).count() as f64 / parts.len() as f64;
        phrases.phrases.iter().map(share).fold(0.0, f64::max)
    }
}

fn parts(text: &str) -> Vec<String> {
    let text = normalise(text).text;
    let mut parts = Vec::new();
    let mut before = None;
    for c in text.chars() {
        let han = !c.is_ascii() && c.is_alphabetic();
        if han {
            parts.extend(before.map(|b: char| [b, c].iter().collect::<String>()));
        }
        before = han.then_some(c);
    }
    let words = text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| word.len() >= SHORTEST);
    parts.extend(words.map(|word| word.chars().take(STEM).collect::<String>()));
    parts
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn han_goes_by_pairs_and_latin_by_beginnings() {
        assert_eq!(parts("甲乙丙，丁戊"), ["甲乙", "乙丙", "丁戊"]);
        assert_eq!(parts("My Machines are humming"), ["machi", "are", "hummi"]);
        assert!(parts("甲 a!").is_empty());
    }
}
