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

/// The cues only back up the red-flag screen, which is held to much more; what they hear they
/// must go on hearing, and no bodily emergency is taken for a crisis.
#[test]
fn the_plainest_crises_are_heard() {
    let either = Either::new();
    let rows = rows(&pack_dir().join("tests/red_flags.jsonl"));
    let (mut crises, mut heard, mut alarms) = (0, 0, Vec::new());
    for row in &rows {
        let (text, hears) = (row["text"].as_str().unwrap(), either.hears(row["text"].as_str().unwrap()));
        if row["level"] == "crisis" {
            crises += 1;
            heard += usize::from(hears);
        } else if hears {
            alarms.push(text);
        }
    }
    println!("crises heard by the assessment alone: {heard} of {crises}");
    assert!(heard >= 26, "{heard} of {crises}");
    assert!(alarms.is_empty(), "{alarms:#?}");
    for plain in ["我不想活了", "I want to die", "I can't go on like this, everyone would be better off without me"]
    {
        assert!(either.hears(plain), "{plain}");
    }
}
