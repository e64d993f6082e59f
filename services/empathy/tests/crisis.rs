//! The assessment sends nobody to a crisis line for ordinary fear, and still hears the crisis.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says what it expects by failing")]

mod common;

use common::{pack_dir, rows, voice};
use wenzhen_empathy::Assessor;
use wenzhen_pack::Locale;

/// Whether the assessor of either language hears a crisis: people mix languages.
struct Either([Assessor; 2]);

impl Either {
    fn new() -> Self {
        Self([Locale::Zh, Locale::En].map(|locale| Assessor::new(&voice(locale)).unwrap()))
    }

    fn hears(&self, text: &str) -> bool {
        self.0.iter().any(|assessor| assessor.assess(text, None).crisis)
    }
}

#[test]
fn no_ordinary_utterance_is_a_crisis() {
    let either = Either::new();
    let rows = rows(&pack_dir().join("tests/ordinary.jsonl"));
    let texts = rows.iter().map(|row| row["text"].as_str().unwrap());
    let alarms: Vec<&str> = texts.filter(|text| either.hears(text)).collect();
    assert!(rows.len() >= 900 && alarms.is_empty(), "{} of {}: {alarms:#?}", alarms.len(), rows.len());
}

/// The cues only back up the red-flag screen, which is held to much more.
#[test]
fn the_plainest_crises_are_heard() {
    let either = Either::new();
    let rows = rows(&pack_dir().join("tests/red_flags.jsonl"));
    let of_level = |level: &str| rows.iter().filter(|row| row["level"] == level).collect::<Vec<_>>();
    let heard = |row: &&&serde_json::Value| either.hears(row["text"].as_str().unwrap());
    let crises: Vec<_> = of_level("crisis").into_iter().filter(|row| row["flag"] == "suicidal").collect();
    let found = crises.iter().filter(heard).count();
    println!("crises heard by the assessment alone: {found} of {}", crises.len());
    for level in ["emergency", "today"] {
        let rows = of_level(level);
        let alarms: Vec<_> = rows.iter().filter(heard).collect();
        println!("heard as a crisis among {} of level {level}: {alarms:#?}", rows.len());
    }
}
