//! Sayings: one meaning each.

use std::collections::HashMap;

use crate::load::Lined;
use crate::raw::{RawAmbiguity, RawFinding};

use super::check::{AMBIGUITIES, At, Check, FINDINGS};

/// File, line, owner's id and text of one saying.
type Spoken<'a> = (&'static str, usize, &'a str, &'a str);

impl Check {
    /// A saying belongs to one finding or one ambiguity; otherwise text would be recorded by
    /// chance of order. Upper and lower case do not tell sayings apart.
    pub fn unique_sayings(&mut self, findings: &[Lined<RawFinding>], ambiguities: &[Lined<RawAmbiguity>]) {
        let mut owners: HashMap<String, &str> = HashMap::new();
        let spoken =
            findings.iter().flat_map(spoken_of_finding).chain(ambiguities.iter().flat_map(spoken_of_ambiguity));
        for (file, line, id, saying) in spoken {
            let at = At::line(file, line);
            let key = saying.trim().to_lowercase();
            if key.is_empty() {
                self.fail(at, "sayings", "a text that is not empty", "an empty one");
                continue;
            }
            if let Some(owner) = owners.insert(key, id).filter(|owner| *owner != id) {
                self.fail(at, "sayings", "a saying of one finding only", format!("`{saying}`, also of `{owner}`"));
            }
        }
    }
}

fn spoken_of_finding((line, f): &Lined<RawFinding>) -> impl Iterator<Item = Spoken<'_>> {
    // An empty name is reported as a name.
    let names = f.names.0.values().map(String::as_str).filter(|name| !name.trim().is_empty());
    let sayings = f.sayings.0.values().flatten().map(String::as_str);
    names.chain(sayings).map(move |saying| (FINDINGS, *line, f.id.as_str(), saying))
}

fn spoken_of_ambiguity((line, a): &Lined<RawAmbiguity>) -> impl Iterator<Item = Spoken<'_>> {
    let sayings = a.sayings.0.values().flatten();
    sayings.map(move |saying| (AMBIGUITIES, *line, a.id.as_str(), saying.as_str()))
}
