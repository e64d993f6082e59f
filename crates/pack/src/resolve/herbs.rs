//! `herbs.jsonl` and the incompatible pairs.

use std::collections::BTreeSet;

use crate::raw::{RawHerb, RawIncompatible};
use crate::{Herb, Incompatible};

use super::check::{At, Check, HERBS, SAFETY};

impl Check {
    pub fn herb(&mut self, line: usize, raw: RawHerb) -> Herb {
        let at = At::line(HERBS, line);
        self.localised(at, "names", &raw.names);
        self.dose(at, "dose_g", raw.dose_g);
        if let Some(cautions) = &raw.cautions {
            self.localised(at, "cautions", cautions);
        }
        Herb {
            id: raw.id,
            names: raw.names,
            dose_g: raw.dose_g,
            toxicity: raw.toxicity,
            pregnancy: raw.pregnancy,
            cautions: raw.cautions,
        }
    }

    pub fn incompatible(&mut self, rows: &[RawIncompatible]) -> Vec<Incompatible> {
        let at = At::field_of(SAFETY);
        let mut pairs = Vec::new();
        let mut seen = BTreeSet::new();
        for (i, pair) in rows.iter().enumerate() {
            let field = format!("incompatible[{i}]");
            let a = self.herb_ref(at, &format!("{field}.a"), &pair.a);
            let b = self.herb_ref(at, &format!("{field}.b"), &pair.b);
            let (Some(a), Some(b)) = (a, b) else { continue };
            if a == b || !seen.insert((a.min(b), a.max(b))) {
                let found = format!("`{}` with `{}`", pair.a, pair.b);
                self.fail(at, &field, "two different herbs, each pair once", found);
            }
            if pair.source.trim().is_empty() {
                self.fail(at, &format!("{field}.source"), "where that is stated", "an empty text");
            }
            pairs.push(Incompatible { a, b, source: pair.source.clone() });
        }
        pairs
    }
}
