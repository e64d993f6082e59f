//! `substances.jsonl`.

use std::collections::BTreeSet;

use crate::Substance;
use crate::load::Lined;
use crate::raw::RawSubstance;

use super::check::{At, Check, SUBSTANCES};
use super::is_id;

impl Check {
    /// Each id and each name once: a name that stands for two things would be recorded by chance.
    pub fn substances(&mut self, rows: Vec<Lined<RawSubstance>>) -> Vec<Substance> {
        let (mut ids, mut names) = (BTreeSet::new(), BTreeSet::new());
        let mut substances = Vec::new();
        for (line, raw) in rows {
            let at = At::line(SUBSTANCES, line);
            if !is_id(&raw.id) || !ids.insert(raw.id.clone()) {
                self.fail(at, "id", "an id that no other row has", format!("`{}`", raw.id));
            }
            self.localised(at, "names", &raw.names);
            self.said_in_every_locale(at, &raw.sayings);
            let own: BTreeSet<String> = raw.names.0.values().chain(raw.sayings.0.values().flatten()).cloned().collect();
            for name in own {
                if name.trim().is_empty() {
                    self.fail(at, "sayings", "a text that is not empty", "an empty one");
                } else if !names.insert(name.to_lowercase()) {
                    self.fail(at, "sayings", "a name of one substance only", format!("`{name}`"));
                }
            }
            substances.push(Substance { id: raw.id, kind: raw.kind, names: raw.names, sayings: raw.sayings });
        }
        substances
    }
}
