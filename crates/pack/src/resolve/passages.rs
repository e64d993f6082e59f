//! Passages of `knowledge/*.md`: unique, in every locale, about known conditions.

use std::collections::{BTreeMap, BTreeSet};

use crate::raw::RawPassage;
use crate::{Locale, Passage};

use super::check::{At, Check};
use super::ids::is_id;

/// Where a passage stands first, and the locales that it has.
type Siblings<'a> = BTreeMap<&'a str, (At<'a>, BTreeSet<Locale>)>;

impl Check {
    pub fn passages(&mut self, rows: Vec<(String, RawPassage)>) -> Vec<Passage> {
        self.passage_in_every_locale(&rows);
        let mut seen = BTreeSet::new();
        let mut passages = Vec::new();
        for (file, row) in rows {
            let at = At::line(&file, row.line);
            if !seen.insert(row.id.clone()) {
                self.fail(at, "id", "an id that stands only once", format!("`{}` a second time", row.id));
            }
            if row.text.is_empty() {
                self.fail(at, "text", "a text below the heading", "none");
            }
            let conditions = row.conditions.iter().filter_map(|id| self.condition_ref(at, "conditions", id)).collect();
            let Some(locale) = row.locale else { continue };
            passages.push(Passage { id: row.id, locale, conditions, source: row.source, text: row.text });
        }
        passages
    }

    fn passage_in_every_locale(&mut self, rows: &[(String, RawPassage)]) {
        let mut siblings: Siblings<'_> = BTreeMap::new();
        for (file, row) in rows {
            let at = At::line(file, row.line);
            match (row.id.rsplit_once('.'), row.locale) {
                (Some((stem, _)), Some(locale)) if is_id(stem) && self.locales.contains(&locale) => {
                    siblings.entry(stem).or_insert_with(|| (at, BTreeSet::new())).1.insert(locale);
                }
                _ => {
                    let locales = self.locales.iter().map(|locale| format!("name.{locale}")).collect::<Vec<_>>();
                    let expected = format!("an id of the form {}", locales.join(" or "));
                    self.fail(at, "id", &expected, format!("`{}`", row.id));
                }
            }
        }
        for (stem, (at, have)) in siblings {
            for locale in self.locales.clone().into_iter().filter(|locale| !have.contains(locale)) {
                self.fail(at, "id", "the passage in every locale of the pack", format!("no `{stem}.{locale}`"));
            }
        }
    }
}
