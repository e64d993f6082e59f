//! Everything that can be recognised, as one automaton over units.

use std::collections::HashMap;

use aho_corasick::{AhoCorasick, MatchKind};
use wenzhen_pack::{FindingIx, Locale, Pack, Sex};

use crate::compile::{Builder, family};
use crate::units::{Unit, Vocabulary};
use crate::words::{Brief, Class, PickWords, Table};
use crate::{LanguageError, Subject, normal};

/// What a match means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Finding(FindingIx),
    /// The end of a finding, said with a part of its name.
    Ended(FindingIx),
    Ambiguity(usize),
    /// Something that is taken or not tolerated; position in `pack.substances`.
    Substance(usize),
    /// A thing that may be in order or not; position in [`Lexicon::things`].
    Thing(usize),
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
    /// Years of age follow.
    Aged,
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
    /// The least numbers of a saying that has some (`三天没…`).
    pub(crate) least: HashMap<Pattern, Vec<f64>>,
    /// Sayings that name a degree themselves (`有点甲`).
    pub(crate) degrees: HashMap<Pattern, Class>,
    /// Findings with a measure.
    pub(crate) measured: Vec<FindingIx>,
    /// What says that somebody is allergic, before and behind the substance.
    pub(crate) allergic: [Vec<Pattern>; 2],
    /// Verbs that stand for what was named before.
    pub(crate) stands_for: Vec<Pattern>,
    /// Words of a message that tells only age and sex.
    pub(crate) brief: Vec<Brief>,
    /// Words beside a number that picks.
    pub(crate) pick: Vec<PickWords>,
    /// Words of one unit for what is done.
    pub(crate) perfect: Vec<char>,
    /// What a row of units means.
    pub(crate) exact: HashMap<Pattern, Kind>,
    /// The family history of a finding, where the pack has one.
    pub(crate) family: HashMap<FindingIx, FindingIx>,
    /// Per finding, of what a short answer to a question for it speaks.
    pub(crate) topics: Vec<Vec<Pattern>>,
    /// Per finding, the things whose qualities its family tells.
    pub(crate) things_of: Vec<Vec<Pattern>>,
    /// Per thing, the findings that are denied when it is in order.
    pub(crate) things: Vec<Vec<FindingIx>>,
    /// Things, and words for in order and out of order.
    pub(crate) normal: Automaton,
    /// What is taken or not tolerated, and the words around it.
    pub(crate) substances: Automaton,
    /// Words of a consultation that name no finding.
    pub(crate) dialogue: Automaton,
    /// Words for worse and better.
    pub(crate) course: Automaton,
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
    pub(crate) fn new(patterns: &HashMap<Pattern, Kind>, keep: impl Fn(Kind) -> bool) -> Result<Self, LanguageError> {
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
        builder.likenesses(pack, &tables);
        builder.endings(pack, &tables);
        builder.shorten()?;
        let family = family(pack, &tables);
        let (things, normal) = normal::things(&mut builder, pack, &tables)?;
        let (topics, things_of) = builder.topics(pack);
        let verbs = tables.iter().flat_map(|t| &t.stands_for.verbs);
        let stands_for = verbs.map(|verb| builder.units(verb)).collect();
        let dialogue = builder.dialogue(&tables)?;
        let course = builder.course(&tables)?;
        let substances = builder.substances(pack, &tables)?;
        let measured = (0..pack.findings.len()).map(FindingIx::new);
        let measured = measured.filter(|f| pack.findings.get(f.at()).is_some_and(|f| f.measure.is_some())).collect();
        let Builder {
            vocabulary, kinds, ordinals, measures, patterns, weeks, allergic, perfect, degrees, least, ..
        } = builder;
        let all = Automaton::new(&kinds, |_| true)?;
        let medical = Automaton::new(&kinds, Kind::is_medical)?;
        Ok(Self {
            vocabulary,
            ordinals,
            measures,
            patterns,
            weeks,
            least,
            degrees,
            measured,
            allergic,
            stands_for,
            brief: tables.iter().map(|t| t.brief.clone()).collect(),
            pick: tables.iter().map(|t| t.pick.clone()).collect(),
            perfect,
            exact: kinds,
            family,
            topics,
            things_of,
            things,
            normal,
            substances,
            dialogue,
            course,
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
