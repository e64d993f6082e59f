//! Packs for the tests: a made-up one whose numbers can be checked by hand, and the knowledge of the flagship pack.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::panic, reason = "a pack of the tests that does not load is a failed test")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use wenzhen_kg::model::Model;
use wenzhen_kg::strategy::{Person, Query};
use wenzhen_pack::{Dialogue, Evidence, FindingIx, Observer, Pack, PackFiles, State};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The knowledge of a pack folder, without its voices.
fn knowledge(dir: &Path) -> Arc<Pack> {
    let names = ["pack.toml", "findings.jsonl", "conditions.jsonl", "herbs.jsonl"];
    let files: PackFiles =
        names.iter().filter_map(|name| Some(((*name).to_owned(), std::fs::read(dir.join(name)).ok()?))).collect();
    Arc::new(Pack::load(&files).unwrap_or_else(|errors| panic!("{errors}")))
}

/// A small machine with six faults.
pub fn tiny() -> Model {
    Model::new(knowledge(&root().join("tests/data/tiny")))
}

/// A fan whose faults show in pairs of equal worth.
pub fn kin() -> Model {
    Model::new(knowledge(&root().join("tests/data/kin")))
}

/// The flagship pack.
pub fn tcm() -> Model {
    Model::new(knowledge(&root().join("../../packs/tcm")))
}

pub fn finding(model: &Model, id: &str) -> FindingIx {
    model.pack().finding(id).unwrap_or_else(|| panic!("no finding {id}"))
}

pub fn condition(model: &Model, id: &str) -> wenzhen_pack::ConditionIx {
    model.pack().condition(id).unwrap_or_else(|| panic!("no condition {id}"))
}

pub fn seen(finding: FindingIx, state: State) -> Evidence {
    Evidence { finding, state, probability: 1.0 }
}

/// A query with nothing special.
pub fn query<'a>(evidence: &'a [Evidence], dialogue: &'a Dialogue) -> Query<'a> {
    let person = Person::default();
    Query { evidence, asked: &[], round: 0, seed: 1, person, limit: 5, observer: Observer::Patient, dialogue }
}
