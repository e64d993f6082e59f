//! The pack and the drafts that the tests share.
#![allow(dead_code, reason = "each test file uses a part")]

use std::path::Path;

use serde_json::Value;
use wenzhen_facts::Guard;
use wenzhen_pack::{Pack, PackFiles};
use wenzhen_proto::clinical::v1::{Draft, Fact, FactKind, Locale};

pub fn pack() -> Pack {
    let files = PackFiles::from_dir(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs/tcm")).unwrap();
    // Voices are not what is tested here.
    let files: PackFiles = files.iter().filter(|(path, _)| !path.starts_with("voice/")).collect();
    Pack::load(&files).unwrap_or_else(|e| panic!("{e}"))
}

pub fn guard() -> Guard {
    Guard::new(&pack()).unwrap()
}

pub fn rows(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(file);
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub fn draft(id: &str) -> Draft {
    let row = rows("drafts.jsonl").into_iter().find(|row| row["id"] == id).unwrap();
    let kind = |name: &str| FactKind::from_str_name(&format!("FACT_KIND_{}", name.to_uppercase())).unwrap();
    let facts = row["facts"].as_array().unwrap().iter().enumerate().map(|(i, fact)| Fact {
        id: format!("f{}", i + 1),
        kind: kind(fact[0].as_str().unwrap()).into(),
        text: fact[1].as_str().unwrap().to_owned(),
        subject_id: fact[2].as_str().unwrap().to_owned(),
        clinician_only: false,
    });
    let locale = if row["locale"] == "en" { Locale::En } else { Locale::Zh };
    Draft { locale: locale.into(), text: row["text"].as_str().unwrap().to_owned(), facts: facts.collect() }
}
