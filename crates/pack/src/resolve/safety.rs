//! Cues and red flags of `safety.toml`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::raw::{RawCue, RawRedFlag, RawSafety};
use crate::{Cue, CueRef, Locale, Localized, RedFlag, Safety};

use super::check::{At, Blank as _, Check, SAFETY};

/// Cue ids to positions.
type Positions = HashMap<String, usize>;

impl Check {
    pub fn safety(&mut self, raw: RawSafety) -> Safety {
        let positions: Positions = raw.cue.keys().enumerate().map(|(i, id)| (id.clone(), i)).collect();
        let cues = raw.cue.into_iter().map(|(id, cue)| self.cue(id, cue)).collect();
        let mut seen = BTreeSet::new();
        let mut red_flags = Vec::new();
        for (i, flag) in raw.red_flag.into_iter().enumerate() {
            let field = format!("red_flag[{i}]");
            if !seen.insert(flag.id.clone()) {
                let found = format!("`{}` a second time", flag.id);
                self.fail(At::field_of(SAFETY), &format!("{field}.id"), "an id that stands only once", found);
            }
            red_flags.push(self.red_flag(&field, flag, &positions));
        }
        Safety { cues, red_flags }
    }

    fn cue(&mut self, id: String, raw: RawCue) -> Cue {
        let (at, field) = (At::field_of(SAFETY), format!("cue.{id}"));
        self.id_form(at, &field, &id);
        let phrases = Localized(BTreeMap::from([(Locale::Zh, raw.zh), (Locale::En, raw.en)]));
        if raw.findings.is_empty() {
            self.heard_in_every_locale(at, &field, &phrases);
        }
        for (locale, list) in phrases.iter() {
            if list.iter().any(|phrase| phrase.replace('…', "").is_blank()) {
                self.fail(at, &format!("{field}.{locale}"), "phrases with words in them", "an empty one");
            }
        }
        if !raw.except.is_empty() && raw.except.is_blank() {
            self.fail(at, &format!("{field}.except"), "phrases with words in them", "an empty one");
        }
        let findings = self.finding_refs(at, &format!("{field}.findings"), &raw.findings);
        Cue { id, phrases, findings, past: raw.past, except: raw.except }
    }

    /// A cue that no finding lights must have words in every language, or it is deaf in one.
    fn heard_in_every_locale(&mut self, at: At<'_>, field: &str, phrases: &Localized<Vec<String>>) {
        let deaf: Vec<Locale> = self
            .locales
            .iter()
            .copied()
            .filter(|locale| phrases.0.get(locale).is_none_or(|list| list.is_empty()))
            .collect();
        if deaf.len() == self.locales.len() {
            self.fail(at, field, "phrases or findings", "neither");
            return;
        }
        for locale in deaf {
            self.fail(at, &format!("{field}.{locale}"), "phrases in every locale of the pack, or findings", "none");
        }
    }

    fn red_flag(&mut self, field: &str, raw: RawRedFlag, positions: &Positions) -> RedFlag {
        let at = At::field_of(SAFETY);
        self.id_form(at, &format!("{field}.id"), &raw.id);
        self.localised(at, &format!("{field}.message"), &raw.message);
        if raw.when.is_empty() {
            self.fail(at, &format!("{field}.when"), "at least one row of cues", "an empty list");
        }
        let when = raw.when.iter().enumerate().map(|(i, row)| self.row(&format!("{field}.when[{i}]"), row, positions));
        RedFlag { when: when.collect(), id: raw.id, level: raw.level, message: raw.message }
    }

    fn row(&mut self, field: &str, row: &[String], positions: &Positions) -> Vec<CueRef> {
        let at = At::field_of(SAFETY);
        if row.is_empty() {
            // An empty row would hold for everybody at any time.
            self.fail(at, field, "at least one cue", "an empty row");
        }
        let mut cues = Vec::new();
        for (i, name) in row.iter().enumerate() {
            match CueRef::context(name).or_else(|| positions.get(name).copied().map(CueRef::Cue)) {
                Some(cue) => cues.push(cue),
                None if name.starts_with('@') => {
                    let expected = format!("one of {}", CueRef::CONTEXT.map(|(name, _)| name).join(", "));
                    self.fail(at, &format!("{field}[{i}]"), &expected, format!("`{name}`"));
                }
                None => {
                    let expected = "a cue that safety.toml defines as [cue.NAME]";
                    self.fail(at, &format!("{field}[{i}]"), expected, format!("`{name}`"));
                }
            }
        }
        cues
    }
}
