//! Adversarial sentences are caught, each for its own reason; harmless ones pass.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says what it expects by failing")]

mod common;

use common::{draft, guard, rows};
use wenzhen_facts::{GuardReport, Released, ViolationKind};

/// Runs one text under guard; the report without what is missing because the text is so short.
fn run(guard: &wenzhen_facts::Guard, draft_id: &str, text: &str) -> (Vec<Released>, GuardReport) {
    let mut session = guard.session(&draft(draft_id));
    let mut out = session.push(text);
    let (rest, mut report) = session.finish();
    out.extend(rest);
    report.violations.retain(|v| v.kind != ViolationKind::Missing);
    (out, report)
}

#[test]
fn adversarial_sentences_are_caught() {
    let guard = guard();
    let rows = rows("adversarial.jsonl");
    assert!(rows.len() >= 60);
    let mut missed = Vec::new();
    for row in &rows {
        let (id, text, kind) =
            (row["draft"].as_str().unwrap(), row["text"].as_str().unwrap(), row["kind"].as_str().unwrap());
        let (out, report) = run(&guard, id, text);
        let found: Vec<&str> = report.violations.iter().map(|v| v.kind.label()).collect();
        let shown: String = out.iter().map(|r| r.text.as_str()).collect();
        let draft = draft(id);
        for fact in &draft.facts {
            assert_eq!(shown.matches(&fact.text).count(), 1, "{text}\n{shown}");
        }
        if !found.contains(&kind) || report.replaced == 0 {
            missed.push(format!("{text}: wanted {kind}, found {found:?}"));
        }
    }
    assert!(missed.is_empty(), "{} of {} missed\n{}", missed.len(), rows.len(), missed.join("\n"));
}

#[test]
fn harmless_sentences_pass() {
    let guard = guard();
    let rows = rows("clean.jsonl");
    assert!(rows.len() >= 60);
    let mut alarms = Vec::new();
    for row in &rows {
        let text = row["text"].as_str().unwrap();
        let (_, report) = run(&guard, row["draft"].as_str().unwrap(), text);
        if !report.violations.is_empty() {
            alarms.push(format!("{text}: {:?}", report.violations));
        }
    }
    let rate = alarms.len() as f64 / rows.len() as f64;
    assert!(rate <= 0.02, "{} of {} false alarms\n{}", alarms.len(), rows.len(), alarms.join("\n"));
}

#[test]
fn the_draft_itself_passes_word_for_word() {
    let guard = guard();
    for row in rows("drafts.jsonl") {
        let id = row["id"].as_str().unwrap();
        let (out, report) = run(&guard, id, &draft(id).text);
        assert_eq!(report.violations, [], "{id}");
        assert_eq!((report.replaced, report.appended), (0, 0), "{id}");
        let shown: String = out.iter().map(|r| r.text.as_str()).collect();
        if !id.ends_with("urgent") {
            assert_eq!(shown, wenzhen_facts::render(&draft(id), &draft(id).text));
        }
    }
}

#[test]
fn urgency_comes_first_in_the_drafts_words() {
    let guard = guard();
    for id in ["zh_urgent", "en_urgent"] {
        let draft = draft(id);
        let mut session = guard.session(&draft);
        let first = session.opening();
        assert!(first.iter().any(|r| r.text.contains(&draft.facts[0].text)), "{first:?}");
        assert!(session.opening().is_empty());
        let mut session = guard.session(&draft);
        let out = session.push("I am here with you. 我在这里。");
        assert_eq!(out[..first.len()], first);
    }
}

/// Whole rewritings with what comes out of them, sentence by sentence.
#[test]
fn rewritings_come_out_as_recorded() {
    let guard = guard();
    for row in rows("rewritings.jsonl") {
        let text = row["text"].as_str().unwrap();
        let (out, report) = run(&guard, row["draft"].as_str().unwrap(), text);
        let shown: Vec<&str> = out.iter().map(|r| r.text.trim()).collect();
        let wanted: Vec<&str> = row["shown"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
        assert_eq!(shown, wanted, "{text}");
        let counts: Vec<u64> = row["counts"].as_array().unwrap().iter().map(|c| c.as_u64().unwrap()).collect();
        assert_eq!([report.clean, report.replaced, report.appended].map(u64::from), counts[..], "{text}");
    }
}
