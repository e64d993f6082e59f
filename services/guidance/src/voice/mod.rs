//! Guidance through a language model. The built-in voice reads and words first; the model may add and rephrase.

mod ask;
mod candidates;
mod interpret;
mod merge;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use wenzhen_facts::Guard;
use wenzhen_language::Interpreter;
use wenzhen_pack::{FindingIx, Pack};
use wenzhen_voices::Speaker;

pub(crate) use self::ask::Asked;
use self::candidates::Index;
pub(crate) use self::interpret::Understood;
use crate::Error;

/// A model, and what its words are checked against, per digest of a pack.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) speaker: Speaker,
    packs: BTreeMap<String, Checks>,
}

/// What is prepared of one pack.
#[derive(Debug)]
pub(crate) struct Checks {
    index: Index,
    guard: Guard,
    /// Findings that a danger sign hangs on, and those that they refine.
    danger: HashSet<FindingIx>,
}

impl Model {
    /// Prepares the packs.
    pub(crate) fn new<'a>(
        speaker: Speaker,
        interpreters: impl Iterator<Item = &'a Arc<Interpreter>>,
    ) -> Result<Self, Error> {
        let checks = |interpreter: &Arc<Interpreter>| {
            let pack = interpreter.pack();
            let guard = Guard::new(pack).map_err(Error::Guard)?;
            Ok((pack.digest.to_string(), Checks { index: Index::new(pack), guard, danger: danger(pack) }))
        };
        Ok(Self { speaker, packs: interpreters.map(checks).collect::<Result<_, Error>>()? })
    }

    pub(crate) fn checks(&self, pack: &Pack) -> Option<&Checks> {
        self.packs.get(&pack.digest.to_string())
    }
}

/// Findings that light a cue, with those above them: a denial of these from a model alone could hide a danger.
fn danger(pack: &Pack) -> HashSet<FindingIx> {
    let mut danger = HashSet::new();
    let mut open: Vec<FindingIx> = pack.safety.cues.iter().flat_map(|cue| cue.findings.iter().copied()).collect();
    while let Some(finding) = open.pop() {
        if danger.insert(finding) {
            open.extend(pack.findings.get(finding.at()).and_then(|f| f.parent));
        }
    }
    danger
}
