//! Empathy through a language model: what a message shows, and words around facts. The built-in voice stands ready.

mod assess;
mod check;
mod modulate;

use std::collections::HashMap;
use std::sync::Arc;

use wenzhen_facts::Guard;
use wenzhen_pack::Pack;
use wenzhen_voices::Speaker;

use crate::Error;

pub(crate) use self::assess::Felt;
pub(crate) use self::modulate::{Around, Rewriting};

/// A model, and the guards that its words pass, per digest of a pack.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) speaker: Speaker,
    guards: HashMap<String, Guard>,
}

impl Model {
    /// Prepares the packs.
    pub(crate) fn new<'a>(speaker: Speaker, packs: impl Iterator<Item = &'a Arc<Pack>>) -> Result<Self, Error> {
        let guard = |pack: &Arc<Pack>| Ok((pack.digest.to_string(), Guard::new(pack)?));
        Ok(Self { speaker, guards: packs.map(guard).collect::<Result<_, Error>>()? })
    }

    fn guard(&self, pack: &Pack) -> Option<&Guard> {
        self.guards.get(&pack.digest.to_string())
    }
}
