//! Ids: their form, and that each stands once.

use std::collections::HashMap;

use crate::load::RawPack;
use crate::{ConditionIx, FindingIx, HerbIx, PackError};

use super::check::{AMBIGUITIES, At, CONDITIONS, Check, FINDINGS, HERBS};

impl Check {
    /// Learns the ids of every table.
    pub fn all_ids(&mut self, raw: &RawPack) {
        self.findings = self.ids(FINDINGS, raw.findings.iter().map(|(l, f)| (*l, &f.id)), FindingIx::new);
        self.conditions = self.ids(CONDITIONS, raw.conditions.iter().map(|(l, c)| (*l, &c.id)), ConditionIx::new);
        self.herbs = self.ids(HERBS, raw.herbs.iter().map(|(l, h)| (*l, &h.id)), HerbIx::new);
        self.ids(AMBIGUITIES, raw.ambiguities.iter().map(|(l, a)| (*l, &a.id)), |i| i);
        for (line, ambiguity) in &raw.ambiguities {
            if self.findings.contains_key(&ambiguity.id) {
                let found = format!("`{}`, also a finding", ambiguity.id);
                self.fail(At::line(AMBIGUITIES, *line), "id", "an id that no other table of sayings uses", found);
            }
        }
        for file in [FINDINGS, CONDITIONS] {
            let empty = if file == FINDINGS { self.findings.is_empty() } else { self.conditions.is_empty() };
            if empty {
                self.errors.push(PackError::whole(file, "at least one row", "none"));
            }
        }
    }

    fn ids<'s, I>(
        &mut self,
        file: &str,
        rows: impl Iterator<Item = (usize, &'s String)>,
        index: impl Fn(usize) -> I,
    ) -> HashMap<String, I> {
        let mut ids = HashMap::new();
        for (i, (line, id)) in rows.enumerate() {
            let at = At::line(file, line);
            self.id_form(at, "id", id);
            if ids.insert(id.clone(), index(i)).is_some() {
                self.fail(at, "id", "an id that stands only once", format!("`{id}` a second time"));
            }
        }
        ids
    }

    pub fn id_form(&mut self, at: At<'_>, field: &str, id: &str) {
        if !is_id(id) {
            self.fail(at, field, "an id of the form [a-z][a-z0-9_]*", format!("`{id}`"));
        }
    }
}

/// Whether `id` has the form `[a-z][a-z0-9_]*`.
pub fn is_id(id: &str) -> bool {
    id.starts_with(|c: char| c.is_ascii_lowercase())
        && id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}
