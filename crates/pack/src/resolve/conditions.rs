//! `conditions.jsonl`: texts, gates and the plan.

use std::collections::BTreeSet;

use crate::raw::RawCondition;
use crate::{Condition, Finding, Gate, Grades, Herb, HerbDose, HerbIx, Incompatible, Modification};

use super::check::{At, CONDITIONS, Check};

/// The tables that a condition is checked against.
pub struct Known<'a> {
    pub findings: &'a [Finding],
    pub herbs: &'a [Herb],
    pub incompatible: &'a [Incompatible],
    pub grades: Grades,
}

impl Check {
    pub fn condition(&mut self, line: usize, raw: RawCondition, known: &Known<'_>) -> Condition {
        let at = At::line(CONDITIONS, line);
        self.condition_texts(at, &raw);
        if !(raw.prior > 0.0 && raw.prior.is_finite()) {
            self.fail(at, "prior", "a positive number", raw.prior.to_string());
        }
        let gate = self.gate(at, Gate { sex: raw.sex, age_min: raw.age_min, age_max: raw.age_max });
        let edges = self.edges(at, &raw.findings, gate, known);
        let herbs = self.herb_doses(at, &raw, known);
        self.nothing_incompatible(at, &herbs, known);
        let modifications = self.modifications(at, &raw, &herbs);
        Condition {
            edges,
            herbs,
            modifications,
            gate,
            id: raw.id,
            disease: raw.disease,
            pattern: raw.pattern,
            codes: raw.codes,
            prior: raw.prior,
            mechanism: raw.mechanism,
            principle: raw.principle,
            formula: raw.formula,
            advice: raw.advice,
            diet: raw.diet,
            refer: raw.refer,
        }
    }

    fn condition_texts(&mut self, at: At<'_>, raw: &RawCondition) {
        self.localised(at, "disease", &raw.disease);
        for (field, text) in [
            ("pattern", &raw.pattern),
            ("mechanism", &raw.mechanism),
            ("principle", &raw.principle),
            ("formula", &raw.formula),
            ("refer", &raw.refer),
        ] {
            self.localised_or_absent(at, field, text);
        }
        self.localised_or_absent(at, "advice", &raw.advice);
        self.localised_or_absent(at, "diet", &raw.diet);
    }

    fn herb_doses(&mut self, at: At<'_>, raw: &RawCondition, known: &Known<'_>) -> Vec<HerbDose> {
        let mut doses: Vec<HerbDose> = Vec::new();
        for (i, dose) in raw.herbs.iter().enumerate() {
            let field = format!("herbs[{i}].dose_g");
            let sound = self.dose(at, &field, dose.dose_g);
            let Some(herb) = self.herb_ref(at, &format!("herbs[{i}].herb"), &dose.herb) else { continue };
            if doses.iter().any(|other| other.herb == herb) {
                let found = format!("`{}` a second time", dose.herb);
                self.fail(at, &format!("herbs[{i}].herb"), "each herb once", found);
            }
            if let Some([low, high]) = known.herbs.get(herb.at()).map(|h| h.dose_g)
                && sound
                && low <= high
                && (dose.dose_g[0] < low || dose.dose_g[1] > high)
            {
                let [from, to] = dose.dose_g;
                let expected = format!("grams within [{low}, {high}], the herb's own range");
                self.fail(at, &field, &expected, format!("[{from}, {to}] of `{}`", dose.herb));
            }
            doses.push(HerbDose { herb, dose_g: dose.dose_g });
        }
        doses
    }

    fn nothing_incompatible(&mut self, at: At<'_>, doses: &[HerbDose], known: &Known<'_>) {
        let used: BTreeSet<HerbIx> = doses.iter().map(|dose| dose.herb).collect();
        let id = |herb: HerbIx| known.herbs.get(herb.at()).map_or("", |h| h.id.as_str());
        for pair in known.incompatible.iter().filter(|pair| used.contains(&pair.a) && used.contains(&pair.b)) {
            let found = format!("`{}` with `{}`", id(pair.a), id(pair.b));
            self.fail(at, "herbs", "no two herbs that safety.toml calls incompatible", found);
        }
    }

    fn modifications(&mut self, at: At<'_>, raw: &RawCondition, doses: &[HerbDose]) -> Vec<Modification> {
        let mut modifications = Vec::new();
        for (i, m) in raw.modifications.iter().enumerate() {
            let field = format!("modifications[{i}]");
            let mut herbs = |name: &str, ids: &[String]| -> Vec<HerbIx> {
                ids.iter().filter_map(|id| self.herb_ref(at, &format!("{field}.{name}"), id)).collect()
            };
            let (add, remove) = (herbs("add", &m.add), herbs("remove", &m.remove));
            if remove.iter().any(|herb| doses.iter().all(|dose| dose.herb != *herb)) {
                let found = m.remove.join(", ");
                self.fail(at, &format!("{field}.remove"), "herbs of this condition's formula", format!("`{found}`"));
            }
            if let Some(when) = self.finding_ref(at, &format!("{field}.when"), &m.when) {
                modifications.push(Modification { when, add, remove });
            }
        }
        modifications
    }
}
