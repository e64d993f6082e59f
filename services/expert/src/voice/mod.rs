//! The expert through a language model. What is found, planned and learned comes from the built-in parts; the model words
//! the draft around its slots, and may weaken what a consultation is to teach.

mod diagnose;
mod review;

use std::collections::HashMap;

use wenzhen_facts::Guard;
use wenzhen_pack::Pack;
use wenzhen_voices::Speaker;

use crate::Error;

/// A model, and the guards that its words pass, per digest of a pack.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) speaker: Speaker,
    guards: HashMap<String, Guard>,
}

impl Model {
    /// Prepares the packs.
    pub(crate) fn new<'a>(speaker: Speaker, packs: impl Iterator<Item = &'a Pack>) -> Result<Self, Error> {
        let guard = |pack: &Pack| Ok((pack.digest.to_string(), Guard::new(pack)?));
        Ok(Self { speaker, guards: packs.map(guard).collect::<Result<_, Error>>()? })
    }

    fn guard(&self, pack: &Pack) -> Option<&Guard> {
        self.guards.get(&pack.digest.to_string())
    }
}

/// What a finding or a condition is called, with the id where the pack does not have it.
fn finding_name<'p>(pack: &'p Pack, id: &'p str, locale: wenzhen_pack::Locale) -> &'p str {
    pack.finding(id).and_then(|f| pack.findings.get(f.at())).map_or(id, |finding| finding.names.text(locale))
}

fn condition_name(pack: &Pack, id: &str, locale: wenzhen_pack::Locale) -> String {
    let condition = pack.condition(id).and_then(|c| pack.conditions.get(c.at()));
    condition.map_or_else(|| id.to_owned(), |condition| condition.name(locale))
}
