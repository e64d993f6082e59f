//! Everything that can be recognised, as one automaton over units.

use std::collections::{HashMap, HashSet};

use aho_corasick::{AhoCorasick, MatchKind};
use wenzhen_pack::{FindingIx, Locale, Pack, Sex};

use crate::units::{NUMBER, Unit, Vocabulary, WHETHER};
use crate::words::{Class, Convert, Table};
use crate::{LanguageError, Subject, normalise};

/// What a match means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Finding(FindingIx),
    /// The end of a finding (`退烧`).
    Ended(FindingIx),
    Ambiguity(usize),
    Word(Class),
    /// Position in [`Lexicon::ordinals`].
    Ordinal(usize),
    Subject {
        who: Subject,
        sex: Option<Sex>,
        relative: bool,
    },
    Sex(Sex),
    /// A stretch of time in days; zero where only the time of day is named.
    Time(f32),
    /// Days per unit.
    TimeUnit(f32),
    /// Months per unit.
    AgeUnit(f32),
    Count(f32),
    /// Position in [`Lexicon::measures`].
    Measure(usize),
    Frequency,
    Every,
    Half,
    Number,
}

impl Kind {
    pub(crate) const fn is_medical(self) -> bool {
        matches!(self, Self::Finding(_) | Self::Ended(_) | Self::Ambiguity(_))
    }

    pub(crate) fn is(self, class: Class) -> bool {
        self == Self::Word(class)
    }
}

/// A unit of a measure: value * scale + offset in the measure's first unit.
#[derive(Debug, Clone)]
pub(crate) struct MeasureUnit {
    pub finding: FindingIx,
    pub readings: Vec<[f64; 2]>,
}

/// A row of units that means something.
pub(crate) type Pattern = Box<[char]>;

/// All patterns of the pack and of the language, compiled.
#[derive(Debug)]
pub(crate) struct Lexicon {
    pub(crate) vocabulary: Vocabulary,
    pub(crate) ordinals: Vec<Vec<i8>>,
    pub(crate) measures: Vec<MeasureUnit>,
    /// Per finding, its patterns, for what a short answer may leave out.
    pub(crate) patterns: Vec<Vec<Pattern>>,
    /// Units of time after a word for pregnancy, in weeks.
    pub(crate) weeks: HashMap<Pattern, f32>,
    /// Sayings that name a degree themselves (`有点稀`).
    pub(crate) degrees: HashMap<Pattern, Class>,
    /// Findings with a measure.
    pub(crate) measured: Vec<FindingIx>,
    /// What says that somebody is allergic, before and behind the substance.
    pub(crate) allergic: [Vec<Pattern>; 2],
    /// Words of one unit for what is done.
    pub(crate) perfect: Vec<char>,
    /// The finding that a row of units names.
    pub(crate) named: HashMap<Pattern, FindingIx>,
    /// The family history of a finding, where the pack has one.
    pub(crate) family: HashMap<FindingIx, FindingIx>,
    pub(crate) all: Automaton,
    pub(crate) medical: Automaton,
}

/// An automaton over strings of units with the meaning of each pattern.
#[derive(Debug)]
pub(crate) struct Automaton {
    ac: AhoCorasick,
    kinds: Vec<Kind>,
}

impl Automaton {
    fn new(patterns: &HashMap<Pattern, Kind>, keep: impl Fn(Kind) -> bool) -> Result<Self, LanguageError> {
        let mut rows: Vec<(String, Kind)> =
            patterns.iter().filter(|(_, kind)| keep(**kind)).map(|(p, kind)| (p.iter().collect(), *kind)).collect();
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        let ac = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(rows.iter().map(|(p, _)| p))
            .map_err(|e| LanguageError::Sayings(e.to_string()))?;
        Ok(Self { ac, kinds: rows.into_iter().map(|(_, kind)| kind).collect() })
    }

    /// Matches from left to right, the longest at each place, without overlap, as bytes of `text`.
    pub(crate) fn matches<'a>(&'a self, text: &'a str) -> impl Iterator<Item = (Kind, usize, usize)> + 'a {
        self.ac
            .find_iter(text)
            .filter_map(|m| self.kinds.get(m.pattern().as_usize()).map(|kind| (*kind, m.start(), m.end())))
    }
}

impl Lexicon {
    pub(crate) fn new(pack: &Pack) -> Result<Self, LanguageError> {
        let tables = [Table::load(Locale::Zh)?, Table::load(Locale::En)?];
        let whether = tables.iter().flat_map(|t| t.whether.infix.clone()).collect();
        let mut builder = Builder { vocabulary: Vocabulary::new(whether), ..Builder::default() };
        // What stands first wins where two patterns are equal: the pack before the language.
        builder.pack(pack);
        for table in &tables {
            builder.table(table);
        }
        builder.endings(pack, &tables);
        builder.shorten()?;
        let family = family(pack, &tables);
        let measured = (0..pack.findings.len()).map(FindingIx::new);
        let measured = measured.filter(|f| pack.findings.get(f.at()).is_some_and(|f| f.measure.is_some())).collect();
        let Builder { vocabulary, kinds, ordinals, measures, patterns, weeks, allergic, perfect, degrees, .. } = builder;
        let named = kinds.iter().filter_map(|(p, kind)| match kind {
            Kind::Finding(finding) => Some((p.clone(), *finding)),
            _ => None,
        });
        let named = named.collect();
        let all = Automaton::new(&kinds, |_| true)?;
        let medical = Automaton::new(&kinds, Kind::is_medical)?;
        Ok(Self {
            vocabulary,
            ordinals,
            measures,
            patterns,
            weeks,
            degrees,
            measured,
            allergic,
            perfect,
            named,
            family,
            all,
            medical,
        })
    }
}

impl Lexicon {
    /// The finding whose family history this is.
    pub(crate) fn family_of(&self, history: FindingIx) -> Option<FindingIx> {
        self.family.iter().find(|(_, h)| **h == history).map(|(base, _)| *base)
    }
}

#[derive(Default)]
struct Builder {
    vocabulary: Vocabulary,
    kinds: HashMap<Pattern, Kind>,
    ordinals: Vec<Vec<i8>>,
    measures: Vec<MeasureUnit>,
    patterns: Vec<Vec<Pattern>>,
    weeks: HashMap<Pattern, f32>,
    converts: Vec<Convert>,
    allergic: [Vec<Pattern>; 2],
    perfect: Vec<char>,
    degrees: HashMap<Pattern, Class>,
}

impl Builder {
    fn units(&mut self, phrase: &str) -> Pattern {
        let units = self.vocabulary.learn(&normalise(phrase).text);
        let row: Vec<char> = units.into_iter().map(|u| u.ch).collect();
        let trimmed = row.iter().rposition(|c| !matches!(c, ',' | '.' | '?')).map_or(0, |last| last + 1);
        row.into_iter().take(trimmed).collect()
    }

    fn add(&mut self, phrase: &str, kind: Kind) {
        let pattern = self.units(phrase);
        if !pattern.is_empty() {
            self.kinds.entry(pattern).or_insert(kind);
        }
    }

    fn pack(&mut self, pack: &Pack) {
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
        for (i, ambiguity) in pack.ambiguities.iter().enumerate() {
            for phrase in ambiguity.sayings.iter().flat_map(|(_, list)| list) {
                self.add(phrase, Kind::Ambiguity(i));
            }
        }
    }

    fn table(&mut self, table: &Table) {
        self.converts.extend(table.convert.iter().cloned());
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
        for (class, words) in &table.words {
            for word in words {
                self.add(word, Kind::Word(*class));
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

    /// What depends on several tables: units of measures, and the ends of findings.
    fn endings(&mut self, pack: &Pack, tables: &[Table]) {
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

    /// Adds every saying without the words that may slip into it, and two English words the
    /// other way round (`blocked nose`, `nose is blocked`), unless that means something else.
    fn shorten(&mut self) -> Result<(), LanguageError> {
        let words = Automaton::new(&self.kinds, |kind| !kind.is_medical())?;
        let mut shorter: HashMap<Pattern, Option<Kind>> = HashMap::new();
        for (pattern, kind) in self.kinds.iter().filter(|(_, kind)| kind.is_medical()) {
            let text: String = pattern.iter().collect();
            let mut kept: Vec<char> = Vec::new();
            let mut at = 0;
            for (word, start, end) in words.matches(&text) {
                if let Kind::Word(class @ (Class::Mild | Class::Moderate | Class::Severe)) = word {
                    self.degrees.insert(pattern.clone(), class);
                }
                if matches!(word, Kind::Word(class) if class.slips_in()) {
                    kept.extend(text.get(at..start).unwrap_or("").chars());
                    at = end;
                }
            }
            kept.extend(text.get(at..).unwrap_or("").chars());
            let mut variants = vec![];
            let english = |c: &char| !crate::locale::is_han(*c);
            if kept.len() == 2 && kept.iter().all(english) {
                variants.push(kept.iter().rev().copied().collect::<Pattern>());
            }
            variants.push(kept.into());
            for variant in variants.into_iter().filter(|v| v.len() >= 2 && !self.kinds.contains_key(v)) {
                shorter.entry(variant).and_modify(|k| *k = k.filter(|k| k == kind)).or_insert(Some(*kind));
            }
        }
        for (pattern, kind) in shorter {
            let Some(kind) = kind else { continue };
            if let Kind::Finding(finding) = kind {
                if let Some(list) = self.patterns.get_mut(finding.at()) {
                    list.push(pattern.clone());
                }
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
fn family(pack: &Pack, tables: &[Table]) -> HashMap<FindingIx, FindingIx> {
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

/// The units as a string, with the byte at which each unit begins.
pub(crate) fn row(units: impl Iterator<Item = Unit>) -> (String, Vec<u32>) {
    let mut text = String::new();
    let mut starts = Vec::new();
    for unit in units {
        starts.push(text.len() as u32);
        text.push(unit.ch);
    }
    starts.push(text.len() as u32);
    (text, starts)
}
