//! The collector of mistakes, and the checks that several tables share.

use std::collections::HashMap;

use crate::load::RawPack;
use crate::{ConditionIx, FindingIx, Gate, HerbIx, Locale, Localized, PackError};

pub const FINDINGS: &str = "findings.jsonl";
pub const AMBIGUITIES: &str = "ambiguities.jsonl";
pub const CONDITIONS: &str = "conditions.jsonl";
pub const HERBS: &str = "herbs.jsonl";
pub const SUBSTANCES: &str = "substances.jsonl";
pub const TONGUE: &str = "tongue.toml";
pub const SAFETY: &str = "safety.toml";

/// Collects mistakes while tables are resolved, and knows the ids of all tables.
pub struct Check {
    pub locales: Vec<Locale>,
    pub findings: HashMap<String, FindingIx>,
    pub conditions: HashMap<String, ConditionIx>,
    pub herbs: HashMap<String, HerbIx>,
    pub errors: Vec<PackError>,
}

/// Where a mistake stands. Lines of TOML files are filled in at the end, from the field.
#[derive(Clone, Copy)]
pub struct At<'a> {
    pub file: &'a str,
    pub line: Option<usize>,
}

impl<'a> At<'a> {
    pub const fn line(file: &'a str, line: usize) -> Self {
        Self { file, line: Some(line) }
    }

    pub const fn field_of(file: &'a str) -> Self {
        Self { file, line: None }
    }
}

/// A text, or a list of texts, that says nothing.
pub trait Blank {
    fn is_blank(&self) -> bool;
}

impl Blank for String {
    fn is_blank(&self) -> bool {
        self.trim().is_empty()
    }
}

impl Blank for Vec<String> {
    fn is_blank(&self) -> bool {
        self.is_empty() || self.iter().any(Blank::is_blank)
    }
}

impl Check {
    pub fn new(raw: &RawPack) -> Self {
        let mut check = Self {
            locales: raw.manifest.locales.clone(),
            findings: HashMap::new(),
            conditions: HashMap::new(),
            herbs: HashMap::new(),
            errors: Vec::new(),
        };
        check.all_ids(raw);
        check
    }

    pub fn fail(&mut self, at: At<'_>, field: &str, expected: &str, found: impl Into<String>) {
        self.errors.push(PackError {
            file: at.file.into(),
            line: at.line,
            field: field.into(),
            expected: expected.into(),
            found: found.into(),
        });
    }

    /// Requires a text (or list) that is not blank in every locale of the pack.
    pub fn localised<T: Blank>(&mut self, at: At<'_>, field: &str, value: &Localized<T>) {
        for locale in self.locales.clone() {
            let field = format!("{field}.{locale}");
            match value.0.get(&locale) {
                None => self.fail(at, &field, "a value in every locale of the pack", "nothing"),
                Some(value) if value.is_blank() => self.fail(at, &field, "a text that is not empty", "an empty one"),
                Some(_) => {}
            }
        }
    }

    /// As [`Check::localised`] for a value that may be left out, but not in one locale only.
    pub fn localised_or_absent<T: Blank>(&mut self, at: At<'_>, field: &str, value: &Localized<T>) {
        if !value.0.is_empty() {
            self.localised(at, field, value);
        }
    }

    fn reference<I>(&mut self, at: At<'_>, field: &str, found: Result<I, &str>, table: &str) -> Option<I> {
        match found {
            Ok(index) => Some(index),
            Err(id) => {
                self.fail(at, field, &format!("an id that {table} defines"), format!("`{id}`"));
                None
            }
        }
    }

    pub fn finding_ref(&mut self, at: At<'_>, field: &str, id: &str) -> Option<FindingIx> {
        let found = self.findings.get(id).copied().ok_or(id);
        self.reference(at, field, found, FINDINGS)
    }

    pub fn finding_refs(&mut self, at: At<'_>, field: &str, ids: &[String]) -> Vec<FindingIx> {
        ids.iter().enumerate().filter_map(|(i, id)| self.finding_ref(at, &format!("{field}[{i}]"), id)).collect()
    }

    pub fn condition_ref(&mut self, at: At<'_>, field: &str, id: &str) -> Option<ConditionIx> {
        let found = self.conditions.get(id).copied().ok_or(id);
        self.reference(at, field, found, CONDITIONS)
    }

    pub fn herb_ref(&mut self, at: At<'_>, field: &str, id: &str) -> Option<HerbIx> {
        let found = self.herbs.get(id).copied().ok_or(id);
        self.reference(at, field, found, HERBS)
    }

    pub fn gate(&mut self, at: At<'_>, gate: Gate) -> Gate {
        if let (Some(min), Some(max)) = (gate.age_min, gate.age_max)
            && min > max
        {
            self.fail(at, "age_min", "an age not above age_max", format!("{min} > {max}"));
        }
        gate
    }

    pub fn probability(&mut self, at: At<'_>, field: &str, p: f64) {
        if !(p > 0.0 && p < 1.0) {
            self.fail(at, field, "a probability strictly between 0 and 1", p.to_string());
        }
    }

    /// Checks a dose range; `true` when it is one.
    pub fn dose(&mut self, at: At<'_>, field: &str, [from, to]: [f64; 2]) -> bool {
        let sound = from > 0.0 && from <= to && to.is_finite();
        if !sound {
            self.fail(at, field, "grams from and to, positive and in order", format!("[{from}, {to}]"));
        }
        sound
    }
}
