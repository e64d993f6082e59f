//! The table of `tongue.toml`: that its findings are there and can be seen, and that its signs name what it defines.

use std::collections::{BTreeMap, BTreeSet};

use crate::raw::{RawClassMeaning, RawConstitution, RawTongue};
use crate::tongue::{ClassMeaning, ConstitutionRow, ConstitutionSign, TongueTable};
use crate::voice::Voice;
use crate::{Finding, FindingIx, Kind, Locale, Observer};

use super::check::{At, Check, TONGUE};

/// Largest weight of a sign or bias, in nats: more would be certainty.
const MOST_NATS: f64 = 10.0;

impl Check {
    pub fn tongue(&mut self, raw: RawTongue, findings: &[Finding]) -> TongueTable {
        let at = At::field_of(TONGUE);
        let gain = raw.ask.gain_bits;
        if !(gain > 0.0 && gain <= MOST_NATS) {
            self.fail(at, "ask.gain_bits", "bits above 0, at most 10", gain.to_string());
        }
        if raw.feature.is_empty() {
            self.fail(at, "feature", "at least one feature", "none");
        }
        let mut features = BTreeMap::new();
        for (feature, classes) in raw.feature {
            self.id_form(at, &format!("feature.{feature}"), &feature);
            if classes.len() < 2 {
                let found = classes.len().to_string();
                self.fail(at, &format!("feature.{feature}"), "two classes or more", found);
            }
            let mut known = BTreeMap::new();
            for (class, meaning) in classes {
                let field = format!("feature.{feature}.{class}");
                self.id_form(at, &field, &class);
                known.insert(class, self.meaning(&field, &meaning, findings));
            }
            features.insert(feature, known);
        }
        let mut seen = BTreeSet::new();
        let mut constitutions = Vec::new();
        for (i, row) in raw.constitution.into_iter().enumerate() {
            let field = format!("constitution[{i}]");
            if !seen.insert(row.id.clone()) {
                self.fail(
                    at,
                    &format!("{field}.id"),
                    "an id that stands only once",
                    format!("`{}` a second time", row.id),
                );
            }
            constitutions.push(self.constitution(&field, row, &features));
        }
        TongueTable { ask_gain_bits: gain, features, constitutions }
    }

    /// Who takes photographs must be able to speak of them.
    pub fn photo_words(&mut self, takes_photographs: bool, voices: &BTreeMap<Locale, Voice>) {
        for (locale, _) in voices.iter().filter(|(_, voice)| takes_photographs && voice.orchestrator.photo.is_none()) {
            let file = format!("voice/{locale}/orchestrator.toml");
            self.fail(At::field_of(&file), "photo", "a table [photo], as there is a tongue.toml", "nothing");
        }
    }

    fn meaning(&mut self, field: &str, raw: &RawClassMeaning, findings: &[Finding]) -> ClassMeaning {
        let at = At::field_of(TONGUE);
        let present = self.seen_on_a_picture(&format!("{field}.present"), &raw.present, findings);
        let denied = self.seen_on_a_picture(&format!("{field}.denied"), &raw.denied, findings);
        if let Some(both) = raw.denied.iter().find(|id| raw.present.contains(id)) {
            self.fail(at, &format!("{field}.denied"), "findings that are not in `present`", format!("`{both}`"));
        }
        ClassMeaning { present, denied }
    }

    fn seen_on_a_picture(&mut self, field: &str, ids: &[String], findings: &[Finding]) -> Vec<FindingIx> {
        let known = self.finding_refs(At::field_of(TONGUE), field, ids);
        for finding in known.iter().filter_map(|f| findings.get(f.at())) {
            if finding.kind != Kind::Tongue || !finding.observable.contains(&Observer::Image) {
                let expected = "findings of kind `tongue` that `image` can observe";
                self.fail(At::field_of(TONGUE), field, expected, format!("`{}`", finding.id));
            }
        }
        known
    }

    fn constitution(
        &mut self,
        field: &str,
        raw: RawConstitution,
        features: &BTreeMap<String, BTreeMap<String, ClassMeaning>>,
    ) -> ConstitutionRow {
        let at = At::field_of(TONGUE);
        self.id_form(at, &format!("{field}.id"), &raw.id);
        self.localised(at, &format!("{field}.names"), &raw.names);
        self.nats(&format!("{field}.bias"), raw.bias);
        let mut signs = Vec::new();
        for (i, sign) in raw.signs.into_iter().enumerate() {
            let field = format!("{field}.signs[{i}]");
            self.nats(&format!("{field}.weight"), sign.weight);
            if !features.get(&sign.feature).is_some_and(|classes| classes.contains_key(&sign.class)) {
                let found = format!("`{}.{}`", sign.feature, sign.class);
                self.fail(at, &field, "a class that [feature] defines", found);
            }
            signs.push(ConstitutionSign { feature: sign.feature, class: sign.class, weight: sign.weight });
        }
        ConstitutionRow { id: raw.id, names: raw.names, bias: raw.bias, signs }
    }

    fn nats(&mut self, field: &str, value: f64) {
        if !(value.is_finite() && value.abs() <= MOST_NATS) {
            self.fail(At::field_of(TONGUE), field, "nats from -10 to 10", value.to_string());
        }
    }
}
