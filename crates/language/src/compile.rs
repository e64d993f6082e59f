//! Patterns from the pack's names and sayings and from the tables of function words.

use std::collections::{HashMap, HashSet};

use wenzhen_pack::{FindingIx, Pack};

use crate::lexicon::{Automaton, Kind, MeasureUnit, Pattern};
use crate::locale::is_han;
use crate::units::{NUMBER, Vocabulary, WHETHER};
use crate::words::{Class, Convert, Table};
use crate::{LanguageError, normalise};

/// Collects patterns and what goes with them.
#[derive(Default)]
pub(crate) struct Builder {
    pub vocabulary: Vocabulary,
    pub kinds: HashMap<Pattern, Kind>,
    pub ordinals: Vec<Vec<i8>>,
    pub measures: Vec<MeasureUnit>,
    pub patterns: Vec<Vec<Pattern>>,
    pub weeks: HashMap<Pattern, f32>,
    pub converts: Vec<Convert>,
    pub allergic: [Vec<Pattern>; 2],
    pub perfect: Vec<char>,
    pub degrees: HashMap<Pattern, Class>,
    pub least: HashMap<Pattern, Vec<f64>>,
    /// Words that stay in a saying.
    pub bears: HashSet<Pattern>,
}

impl Builder {
    pub(crate) fn units(&mut self, phrase: &str) -> Pattern {
        let units = self.vocabulary.learn(&normalise(phrase).text);
        let row: Vec<char> = units.iter().map(|u| u.ch).collect();
        let trimmed = row.iter().rposition(|c| !matches!(c, ',' | '.' | '?')).map_or(0, |last| last + 1);
        let row: Pattern = row.into_iter().take(trimmed).collect();
        let numbers: Vec<f64> = units.iter().filter(|u| u.ch == NUMBER).map(|u| u.value).collect();
        if !numbers.is_empty() {
            self.at_least(&row, numbers);
        }
        row
    }

    fn at_least(&mut self, row: &Pattern, numbers: Vec<f64>) {
        let least = self.least.entry(row.clone()).or_insert_with(|| numbers.clone());
        for (least, number) in least.iter_mut().zip(numbers) {
            *least = least.min(number);
        }
    }

    fn add(&mut self, phrase: &str, kind: Kind) {
        let pattern = self.units(phrase);
        if !pattern.is_empty() {
            self.kinds.entry(pattern).or_insert(kind);
        }
    }

    pub(crate) fn pack(&mut self, pack: &Pack) {
        self.patterns = vec![Vec::new(); pack.findings.len()];
        for (i, finding) in pack.findings.iter().enumerate() {
            let kind = Kind::Finding(FindingIx::new(i));
            let sayings = finding.sayings.iter().flat_map(|(_, list)| list);
            for phrase in finding.names.iter().map(|(_, name)| name).chain(sayings) {
                let pattern = self.units(phrase);
                if pattern.is_empty() {
                    continue;
                }
                if let Some(list) = self.patterns.get_mut(i) {
                    list.push(pattern.clone());
                }
                self.kinds.entry(pattern).or_insert(kind);
            }
        }
        self.ambiguities(pack);
    }

    fn ambiguities(&mut self, pack: &Pack) {
        for (i, ambiguity) in pack.ambiguities.iter().enumerate() {
            for phrase in ambiguity.sayings.iter().flat_map(|(_, list)| list) {
                self.add(phrase, Kind::Ambiguity(i));
            }
        }
    }

    pub(crate) fn table(&mut self, table: &Table) {
        self.converts.extend(table.convert.iter().cloned());
        for word in &table.derive.bears {
            let pattern = self.units(word);
            self.bears.insert(pattern);
        }
        for (name, months) in &table.ages {
            self.add(name, Kind::AgeUnit(*months));
        }
        for (name, days) in &table.times {
            self.add(name, Kind::Time(*days));
        }
        for subject in &table.subject {
            let kind = Kind::Subject { who: subject.who, sex: subject.sex, relative: subject.relative };
            for word in &subject.words {
                self.add(word, kind);
                for prefix in &subject.prefixes {
                    let joined = if word.is_ascii() { format!("{prefix} {word}") } else { format!("{prefix}{word}") };
                    self.add(&joined, kind);
                }
            }
        }
        for (name, which) in &table.ordinals {
            let at = self.ordinals.len();
            self.ordinals.push(which.clone());
            self.add(name, Kind::Ordinal(at));
        }
        for sex in &table.sex {
            for word in &sex.words {
                self.add(word, Kind::Sex(sex.sex));
            }
        }
        self.words(table);
        for (name, days) in &table.units {
            self.add(name, Kind::TimeUnit(*days));
        }
        for (name, count) in &table.numbers {
            self.add(name, Kind::Count(*count));
        }
        for (kind, words) in [
            (Kind::Frequency, &table.frequency.words),
            (Kind::Every, &table.frequency.before),
            (Kind::Half, &table.frequency.half),
            (Kind::Aged, &table.frequency.ages),
        ] {
            for word in words {
                self.add(word, kind);
            }
        }
        for (name, weeks) in &table.weeks {
            let pattern = self.units(name);
            self.weeks.insert(pattern, *weeks);
        }
        self.kinds.insert(Box::new([WHETHER]), Kind::Word(Class::Whether));
        self.kinds.insert(Box::new([NUMBER]), Kind::Number);
    }

    /// Other ways to say what a thing is like, where a saying ends so.
    pub(crate) fn likenesses(&mut self, pack: &Pack, tables: &[Table]) {
        for derive in tables.iter().map(|t| &t.derive).filter(|d| !d.like.is_empty()) {
            for (i, finding) in pack.findings.iter().enumerate() {
                for saying in finding.sayings.iter().flat_map(|(_, list)| list) {
                    let Some((thing, likened)) = saying.split_once(derive.like.as_str()) else { continue };
                    if thing.is_empty() || likened.is_empty() {
                        continue;
                    }
                    for likeness in &derive.likenesses {
                        let phrase = format!("{thing}{}", likeness.replace("{}", likened));
                        self.add(&phrase, Kind::Finding(FindingIx::new(i)));
                    }
                }
            }
        }
    }

    fn words(&mut self, table: &Table) {
        for (class, words) in &table.words {
            for word in words {
                if !class.of_substances() {
                    self.add(word, Kind::Word(*class));
                }
                let pattern = self.units(word);
                let [before, behind] = &mut self.allergic;
                match (class, pattern.as_ref()) {
                    (Class::AllergicBefore, _) => before.push(pattern),
                    (Class::AllergicAfter, _) => behind.push(pattern),
                    (Class::Perfect, [only]) => self.perfect.push(*only),
                    _ => {}
                }
            }
        }
    }

    /// What the pack knows to be taken or not tolerated, with the words around it.
    pub(crate) fn substances(&mut self, pack: &Pack, tables: &[Table]) -> Result<Automaton, LanguageError> {
        let mut patterns: HashMap<Pattern, Kind> = HashMap::new();
        for (i, substance) in pack.substances.iter().enumerate() {
            let sayings = substance.sayings.iter().flat_map(|(_, list)| list);
            for name in substance.names.iter().map(|(_, name)| name).chain(sayings) {
                patterns.entry(self.units(name)).or_insert(Kind::Substance(i));
            }
        }
        for (class, words) in tables.iter().flat_map(|t| &t.words).filter(|(class, _)| class.of_substances()) {
            for word in words {
                patterns.entry(self.units(word)).or_insert(Kind::Word(*class));
            }
        }
        patterns.retain(|pattern, _| !pattern.is_empty());
        Automaton::new(&patterns, |_| true)
    }

    /// Words of a consultation that name no finding.
    pub(crate) fn dialogue(&mut self, tables: &[Table]) -> Result<Automaton, LanguageError> {
        let words = tables.iter().flat_map(|t| &t.dialogue.words);
        let patterns = words.map(|word| (self.units(word), Kind::Word(Class::Filler))).collect();
        Automaton::new(&patterns, |_| true)
    }

    /// Words for worse and better.
    pub(crate) fn course(&mut self, tables: &[Table]) -> Result<Automaton, LanguageError> {
        let all = tables.iter().flat_map(|t| {
            let worse = t.course.worse.iter().map(|word| (word, Class::SevereAfter));
            worse.chain(t.course.better.iter().map(|word| (word, Class::MildAfter)))
        });
        let patterns = all.map(|(word, class)| (self.units(word), Kind::Word(class))).collect();
        Automaton::new(&patterns, |_| true)
    }

    /// Per finding, of what a short answer about it speaks: the things that the pack names for it or
    /// what is above it, else the names of what is above all; and those things alone.
    pub(crate) fn topics(&mut self, pack: &Pack) -> (Vec<Vec<Pattern>>, Vec<Vec<Pattern>>) {
        let (mut topics, mut things) = (Vec::new(), Vec::new());
        for i in 0..pack.findings.len() {
            let finding = |ix: FindingIx| pack.findings.get(ix.at());
            let above = std::iter::successors(Some(FindingIx::new(i)), |ix| finding(*ix)?.parent);
            let chain: Vec<FindingIx> = above.take(pack.findings.len()).collect();
            let named = chain.iter().filter_map(|ix| finding(*ix)).find(|f| f.about.iter().next().is_some());
            let named: Vec<String> =
                named.into_iter().flat_map(|f| f.about.iter()).flat_map(|(_, l)| l).cloned().collect();
            let top = chain.last().and_then(|ix| finding(*ix));
            let names: Vec<String> = top.into_iter().flat_map(|f| f.names.iter()).map(|(_, n)| n.clone()).collect();
            let things_of: Vec<Pattern> = named.iter().map(|phrase| self.units(phrase)).collect();
            let own: Vec<Pattern> = names.iter().map(|phrase| self.units(phrase)).collect();
            topics.push(if things_of.is_empty() { own } else { things_of.clone() });
            things.push(things_of);
        }
        (topics, things)
    }

    /// What depends on several tables: units of measures, and the ends of findings.
    pub(crate) fn endings(&mut self, pack: &Pack, tables: &[Table]) {
        for (i, finding) in pack.findings.iter().enumerate() {
            let finding_ix = FindingIx::new(i);
            if let Some(measure) = &finding.measure {
                let units: Vec<String> = measure.units.iter().map(|u| normalise(u).text).collect();
                for unit in &units {
                    self.measure(unit, finding_ix, vec![[1.0, 0.0]]);
                }
                for convert in self.converts.clone().iter().filter(|c| units.contains(&normalise(&c.like).text)) {
                    let readings = std::iter::once([convert.scale, convert.offset]).chain(convert.or).collect();
                    for word in &convert.words {
                        self.measure(word, finding_ix, Vec::clone(&readings));
                    }
                }
            }
            for table in tables {
                for name in finding.names.iter().map(|(_, n)| n).chain(finding.sayings.iter().flat_map(|(_, s)| s)) {
                    let mut chars = name.chars();
                    let (verb, object) = (chars.next(), chars.as_str());
                    if verb.is_some_and(|v| table.derive.light_verbs.contains(&v)) && object.chars().count() == 1 {
                        for end in &table.derive.ends {
                            self.add(&format!("{end}{object}"), Kind::Ended(finding_ix));
                        }
                    }
                }
            }
        }
    }

    fn measure(&mut self, word: &str, finding: FindingIx, readings: Vec<[f64; 2]>) {
        let at = self.measures.len();
        self.measures.push(MeasureUnit { finding, readings });
        self.add(word, Kind::Measure(at));
    }

    /// Whether a word stays in a saying.
    fn bears(&self, word: Option<&str>) -> bool {
        word.is_none_or(|word| self.bears.contains(&word.chars().collect::<Pattern>()))
    }

    /// Adds every saying without the words that may slip into it, and two English words the
    /// other way round (`bad mood`, `mood is bad`), unless that means something else.
    pub(crate) fn shorten(&mut self) -> Result<(), LanguageError> {
        let words = Automaton::new(&self.kinds, |kind| !kind.is_medical())?;
        let mut shorter: HashMap<Pattern, Option<Kind>> = HashMap::new();
        let mut numbered: Vec<(Pattern, Vec<f64>)> = Vec::new();
        for (pattern, kind) in self.kinds.iter().filter(|(_, kind)| kind.is_medical()) {
            let text: String = pattern.iter().collect();
            let mut kept: Vec<char> = Vec::new();
            let mut at = 0;
            let tail = words
                .matches(&text)
                .find(|(kind, _, end)| *end == text.len() && matches!(kind, Kind::Word(class) if class.trails()));
            let body = tail.map_or(text.len(), |(_, start, _)| start);
            for (word, start, end) in words.matches(&text) {
                let Kind::Word(class) = word else { continue };
                if matches!(class, Class::Mild | Class::Moderate | Class::Severe | Class::SevereAfter) {
                    self.degrees.insert(pattern.clone(), class);
                }
                // What stands first or last makes the saying what it is, but for articles and particles.
                let english = text.chars().next().is_some_and(|c| !is_han(c));
                let may_go = match (start == 0, end == text.len()) {
                    // Before a particle stands what is said.
                    (false, false) => class.slips_in() && end < body,
                    (true, false) => english && class == Class::Filler,
                    (_, true) => class.trails(),
                };
                if may_go && !self.bears(text.get(start..end)) {
                    kept.extend(text.get(at..start).unwrap_or("").chars());
                    at = end;
                }
            }
            kept.extend(text.get(at..).unwrap_or("").chars());
            let mut variants = vec![];
            let english = |c: &char| !is_han(*c);
            if kept.len() == 2 && kept.iter().all(english) {
                variants.push(kept.iter().rev().copied().collect::<Pattern>());
            }
            if let (true, Some(numbers)) = (kept.contains(&NUMBER), self.least.get(pattern).cloned()) {
                let row: Pattern = kept.clone().into();
                numbered.push((row, numbers));
            }
            variants.push(kept.into());
            for variant in variants.into_iter().filter(|v| v.len() >= 2 && !self.kinds.contains_key(v)) {
                shorter.entry(variant).and_modify(|k| *k = k.filter(|k| k == kind)).or_insert(Some(*kind));
            }
        }
        for (row, numbers) in numbered {
            self.at_least(&row, numbers);
        }
        for (pattern, kind) in shorter {
            let Some(kind) = kind else { continue };
            if let Kind::Finding(finding) = kind
                && let Some(list) = self.patterns.get_mut(finding.at())
            {
                list.push(pattern.clone());
            }
            self.kinds.entry(pattern).or_insert(kind);
        }
        // The lists come from a hash map: a fixed order makes interpretation repeatable.
        for list in &mut self.patterns {
            let mut seen = HashSet::new();
            list.sort();
            list.retain(|p| seen.insert(p.clone()));
        }
        Ok(())
    }
}

/// Findings whose name is another finding's name with the affix of a family history.
pub(crate) fn family(pack: &Pack, tables: &[Table]) -> HashMap<FindingIx, FindingIx> {
    let mut names: HashMap<String, FindingIx> = HashMap::new();
    for (i, finding) in pack.findings.iter().enumerate() {
        for (_, name) in finding.names.iter() {
            names.insert(normalise(name).text, FindingIx::new(i));
        }
    }
    let mut family = HashMap::new();
    for (name, history) in &names {
        for affixes in tables.iter().map(|t| &t.family) {
            let by_suffix = affixes.suffixes.iter().filter_map(|s| name.strip_suffix(s.as_str()));
            let by_prefix = affixes.prefixes.iter().filter_map(|p| name.strip_prefix(p.as_str()));
            for base in by_suffix.chain(by_prefix) {
                if let Some(base) = names.get(base.trim()) {
                    family.insert(*base, *history);
                }
            }
        }
    }
    family
}
