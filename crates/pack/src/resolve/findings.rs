//! `findings.jsonl` and `ambiguities.jsonl`.

use std::collections::BTreeSet;

use crate::load::Lined;
use crate::raw::{RawAmbiguity, RawFinding};
use crate::{Ambiguity, Finding, Gate, Localized, Measure};

use super::check::{AMBIGUITIES, At, Check, FINDINGS};
use super::relations::exclude_both_ways;

impl Check {
    pub fn findings(&mut self, rows: &[Lined<RawFinding>]) -> Vec<Finding> {
        let mut findings: Vec<Finding> =
            rows.iter().map(|(line, row)| self.finding(At::line(FINDINGS, *line), row)).collect();
        self.relations(rows, &findings);
        exclude_both_ways(&mut findings);
        findings
    }

    fn finding(&mut self, at: At<'_>, row: &RawFinding) -> Finding {
        self.localised(at, "names", &row.names);
        self.said_in_every_locale(at, &row.sayings);
        if let Some(ask) = &row.ask {
            self.localised(at, "ask", ask);
        }
        if let Some(explain) = &row.explain {
            self.localised(at, "explain", explain);
        }
        self.localised_or_absent(at, "about", &row.about);
        self.probability(at, "base_rate", row.base_rate);
        if row.observable.is_empty() {
            self.fail(at, "observable", "at least one of patient, clinician, image", "none");
        }
        if row.axis.is_some() && row.parent.is_none() {
            self.fail(at, "axis", "a parent beside the axis", "no parent");
        }
        if let Some(measure) = &row.measure {
            self.measure(at, measure);
        }
        Finding {
            id: row.id.clone(),
            kind: row.kind,
            names: row.names.clone(),
            sayings: row.sayings.clone(),
            ask: row.ask.clone(),
            explain: row.explain.clone(),
            about: row.about.clone(),
            observable: row.observable.clone(),
            base_rate: row.base_rate,
            parent: row.parent.as_ref().and_then(|id| self.finding_ref(at, "parent", id)),
            axis: row.axis.clone(),
            implies: self.finding_refs(at, "implies", &row.implies),
            excludes: self.finding_refs(at, "excludes", &row.excludes),
            measure: row.measure.clone(),
            gate: self.gate(at, Gate { sex: row.sex, age_min: row.age_min, age_max: row.age_max }),
        }
    }

    /// Sayings may be empty lists (what only a clinician sees), but a forgotten locale is a mistake.
    pub fn said_in_every_locale(&mut self, at: At<'_>, sayings: &Localized<Vec<String>>) {
        if sayings.0.is_empty() {
            return;
        }
        for locale in self.locales.clone() {
            if !sayings.0.contains_key(&locale) {
                self.fail(at, &format!("sayings.{locale}"), "a list in every locale of the pack", "nothing");
            }
        }
    }

    fn measure(&mut self, at: At<'_>, measure: &Measure) {
        let Measure { units, present_from, plausible: [from, to], .. } = measure;
        if units.is_empty() || units.iter().any(|unit| unit.trim().is_empty()) {
            self.fail(at, "measure.units", "at least one unit, none of them empty", format!("[{}]", units.join(", ")));
        }
        if from >= to {
            self.fail(at, "measure.plausible", "two numbers in order", format!("[{from}, {to}]"));
        } else if !(from..=to).contains(&present_from) {
            let expected = format!("a number between {from} and {to}, which are plausible");
            self.fail(at, "measure.present_from", &expected, present_from.to_string());
        }
    }

    pub fn ambiguity(&mut self, line: usize, raw: RawAmbiguity) -> Ambiguity {
        let at = At::line(AMBIGUITIES, line);
        self.localised(at, "sayings", &raw.sayings);
        self.localised(at, "ask", &raw.ask);
        let candidates = self.finding_refs(at, "candidates", &raw.candidates);
        let distinct = raw.candidates.iter().collect::<BTreeSet<_>>().len();
        if !(2..=4).contains(&distinct) || distinct < raw.candidates.len() {
            let found = if distinct < raw.candidates.len() { "one of them twice".into() } else { distinct.to_string() };
            self.fail(at, "candidates", "two to four different findings", found);
        }
        let RawAmbiguity { id, sayings, ask, illness, qualifies, .. } = raw;
        Ambiguity { id, sayings, candidates, ask, illness, qualifies }
    }
}
