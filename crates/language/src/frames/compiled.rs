//! The clauses and labels of a pack in one locale, taken apart once.

use std::collections::HashMap;

use wenzhen_pack::voice::{Grammar, GuidanceVoice};
use wenzhen_pack::{Finding, FindingIx, Locale, Pack};

use super::{head, marker};

/// One finding's clause.
#[derive(Debug)]
pub struct Clause {
    /// The whole clause.
    pub text: String,
    /// Equal for values that exclude each other under one parent.
    pub axis: Option<u32>,
    /// Its parts, by the grammar of the locale.
    pub parts: Parts,
}

impl Clause {
    /// The clause without the word that makes it a question.
    pub fn core(&self) -> [&str; 2] {
        match &self.parts {
            Parts::Marker(parts) => parts.around(),
            Parts::Head(openings) => {
                let opening = openings.first().copied().unwrap_or(0);
                [self.text.get(opening..).unwrap_or(&self.text).trim_start(), ""]
            }
        }
    }
}

/// The parts of a clause.
#[derive(Debug)]
pub enum Parts {
    /// Topic and statement around a marker.
    Marker(marker::Parts),
    /// Lengths in bytes of the openings that may be shared, the longest first.
    Head(Vec<usize>),
}

/// Everything that asking in one locale needs, addressed by finding.
#[derive(Debug)]
pub struct Compiled {
    /// The locale.
    pub locale: Locale,
    clauses: Vec<Option<Clause>>,
    labels: Vec<String>,
}

impl Compiled {
    /// Takes a pack's clauses apart.
    pub fn new(pack: &Pack, locale: Locale, voice: &GuidanceVoice) -> Self {
        let mut axes: HashMap<(FindingIx, &str), u32> = HashMap::new();
        let clauses = pack.findings.iter().map(|finding| {
            let text = finding.ask.as_ref().filter(|_| finding.askable())?.text(locale).trim();
            let next = axes.len() as u32;
            let axis = finding.parent.zip(finding.axis.as_deref()).map(|key| *axes.entry(key).or_insert(next));
            let parts = match &voice.grammar {
                Grammar::Marker(grammar) => Parts::Marker(marker::Parts::of(grammar, text)),
                Grammar::Head(grammar) => Parts::Head(head::openings(grammar, text)),
            };
            Some(Clause { text: text.to_owned(), axis, parts })
        });
        let clauses = clauses.collect();
        let labels = pack.findings.iter().map(|finding| label(voice, locale, finding).to_owned()).collect();
        Self { locale, clauses, labels }
    }

    /// The clause that asks a patient for a finding.
    pub fn clause(&self, finding: FindingIx) -> Option<&Clause> {
        self.clauses.get(finding.at())?.as_ref()
    }

    /// The short word for a finding; empty for an unknown one.
    pub fn label(&self, finding: FindingIx) -> &str {
        self.labels.get(finding.at()).map_or("", String::as_str)
    }
}

/// What people say comes before the field's term: best is what the question itself says.
fn label<'a>(voice: &'a GuidanceVoice, locale: Locale, finding: &'a Finding) -> &'a str {
    if let Some(label) = voice.labels.get(&finding.id) {
        return label;
    }
    let name = finding.names.text(locale);
    if voice.label_by_name {
        return name;
    }
    let ask = finding.ask.as_ref().map_or("", |ask| ask.text(locale));
    let sayings = finding.sayings.list(locale);
    let said = sayings.iter().map(String::as_str).chain([name]).filter(|s| s.chars().count() > 1 && ask.contains(s));
    said.max_by_key(|s| s.len()).or_else(|| sayings.first().map(String::as_str)).unwrap_or(name)
}
