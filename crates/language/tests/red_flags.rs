//! The red-flag screen on the flagship pack: sensitivity per level, false alarms, spans, speed.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot read its data has failed")]
#![allow(clippy::print_stdout, reason = "the figures are for whoever runs the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Instant;

use proptest::prelude::{ProptestConfig, any, proptest};
use serde_json::Value;
use wenzhen_language::redflag::{RedFlagScreen, ScreenContext};
use wenzhen_pack::{Level, Pack, PackFiles};

const PACK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../packs/tcm");

/// The tables alone, so that a mistake in a voice does not hide what stands here.
static LOADED: LazyLock<Pack> = LazyLock::new(|| {
    let all = PackFiles::from_dir(Path::new(PACK)).expect("packs/tcm");
    let tables: PackFiles = all.iter().filter(|(path, _)| !path.starts_with("voice/")).collect();
    Pack::load(&tables).unwrap_or_else(|errors| panic!("{errors}"))
});
static SCREEN: LazyLock<RedFlagScreen> = LazyLock::new(|| RedFlagScreen::new(&LOADED).expect("screen"));

fn rows(file: &str) -> Vec<Value> {
    let text = fs::read_to_string(Path::new(PACK).join("tests").join(file)).expect(file);
    text.lines().map(|line| serde_json::from_str(line).expect("a row")).collect()
}

fn text(row: &Value) -> &str {
    row["text"].as_str().expect("text")
}

/// What the row says is known beforehand.
fn given(row: &Value) -> ScreenContext {
    let number = |key: &str| row["context"][key].as_u64().and_then(|n| u32::try_from(n).ok());
    ScreenContext {
        age_months: number("age_months"),
        sex: None,
        pregnant: row["context"]["pregnant"].as_bool(),
        pregnancy_weeks: number("pregnancy_weeks"),
    }
}

/// Ids and levels of the flags that some utterances raise together.
fn raised<'a>(said: impl IntoIterator<Item = &'a str>, known: ScreenContext) -> Vec<(&'static str, Level)> {
    let (mut lit, mut context) = (BTreeSet::new(), known);
    for words in said {
        lit.extend(SCREEN.cues(words).iter().map(|hit| hit.cue));
        context = context.updated(SCREEN.context(words));
    }
    let flags = SCREEN.evaluate(&lit, &[], &context);
    flags.iter().map(|f| (LOADED.safety.red_flags[f.flag].id.as_str(), f.level)).collect()
}

#[test]
fn finds_what_must_not_be_missed() {
    let mut tally: BTreeMap<String, (f64, f64, f64)> = BTreeMap::new();
    let mut per_flag: BTreeMap<String, usize> = BTreeMap::new();
    let mut missed = Vec::new();
    for row in rows("red_flags.jsonl") {
        let (level, flag) = (row["level"].as_str().expect("level"), row["flag"].as_str().expect("flag"));
        let flags = raised([text(&row)], given(&row));
        let top = flags.first().map(|(_, level)| *level);
        // Both upper levels mean now; too urgent is no miss there, but "today" must stay today.
        let found = match level {
            "today" => top == Some(Level::Today),
            "crisis" => top.is_some_and(|top| top >= Level::Crisis),
            _ => top == Some(Level::Emergency),
        };
        let entry = tally.entry(level.to_owned()).or_default();
        entry.0 += 1.0;
        entry.1 += f64::from(u8::from(found));
        entry.2 += f64::from(u8::from(flags.iter().any(|(id, _)| *id == flag)));
        *per_flag.entry(flag.to_owned()).or_default() += 1;
        if !found {
            missed.push(format!("{flag}: {}", text(&row)));
        }
    }
    println!("missed: {missed:#?}");
    for (level, (all, found, right)) in &tally {
        println!("{level}: sensitivity {:.3} ({found} of {all}), right flag {:.3}", found / all, right / all);
    }
    for flag in &LOADED.safety.red_flags {
        assert!(per_flag.get(&flag.id).is_some_and(|n| *n >= 5), "fewer than five examples of {}", flag.id);
    }
    for (level, least) in [("emergency", 0.97), ("crisis", 0.97), ("today", 0.90)] {
        let (all, found, _) = tally[level];
        assert!(found / all >= least, "{level}: {:.3}", found / all);
    }
}

/// Denied, supposed and long past mentions light nothing; belittled ones do.
#[test]
fn polarity_of_cues() {
    let mut wrong = Vec::new();
    for row in rows("cues.jsonl") {
        let (cue, expected) = (row["cue"].as_str().expect("cue"), row["lit"].as_bool().expect("lit"));
        let lit = SCREEN.cues(text(&row)).iter().any(|hit| LOADED.safety.cues[hit.cue].id == cue);
        if lit != expected {
            wrong.push(format!("{}: {cue} should be {}", text(&row), if expected { "lit" } else { "out" }));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn ordinary_talk_raises_nothing() {
    let rows = rows("ordinary.jsonl");
    let alarms: Vec<_> = rows
        .iter()
        .map(|row| (text(row), raised([text(row)], ScreenContext::default())))
        .filter(|(_, flags)| !flags.is_empty())
        .collect();
    let rate = alarms.len() as f64 / rows.len() as f64;
    println!("false alarms {:.4} ({} of {}): {alarms:#?}", rate, alarms.len(), rows.len());
    assert!(rows.len() >= 420 && rate <= 0.02, "{rate:.4} of {}", rows.len());
}

/// Six ordinary utterances of different people in one consultation: cues must not add up.
#[test]
fn ordinary_talk_does_not_add_up() {
    let rows = rows("ordinary.jsonl");
    // A fixed stride walks through the list in another order each time.
    let mixed = |start: usize| (0..6).map(move |i| start * 7 + i * 97);
    let total = 200;
    let consultations =
        (0..total).map(|start| -> Vec<&str> { mixed(start).map(|i| text(&rows[i % rows.len()])).collect() });
    let alarms: Vec<_> = consultations
        .map(|said| (raised(said.clone(), ScreenContext::default()), said))
        .filter(|(flags, _)| !flags.is_empty())
        .collect();
    let rate = alarms.len() as f64 / total as f64;
    println!("false alarms in mixed consultations of six utterances {rate:.4}: {alarms:#?}");
    assert!(rate <= 0.05, "{rate:.4}");
}

#[test]
fn speed_of_the_screen() {
    let ordinary = rows("ordinary.jsonl");
    let said: Vec<String> = ordinary.chunks(5).map(|c| c.iter().map(text).collect::<Vec<_>>().join("，")).collect();
    SCREEN.cues("");
    let started = Instant::now();
    let hits: usize = said.iter().map(|words| SCREEN.cues(words).len()).sum();
    let took = started.elapsed();
    let chars: usize = said.iter().map(|words| words.chars().count()).sum();
    println!("{hits} cues, {:.2} µs for 50 characters", took.as_secs_f64() * 1e6 * 50.0 / chars as f64);
}

#[test]
fn spans_lie_on_characters_of_the_original() {
    for row in rows("red_flags.jsonl") {
        for hit in SCREEN.cues(text(&row)) {
            assert!(text(&row).get(hit.span.clone()).is_some_and(|words| !words.is_empty()), "{}", text(&row));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics_on_any_text(words in any::<String>()) {
        for hit in SCREEN.cues(&words) {
            assert!(words.get(hit.span).is_some());
        }
        SCREEN.context(&words);
    }
}
