//! Adversarial sentences are caught, each for its own reason; harmless ones pass.

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
    let mut session = guard.session(&draft("zh_urgent"));
    let first = session.opening();
    assert_eq!(first[0].text, "请立即拨打急救电话，或马上去最近的急诊。");
    assert!(session.opening().is_empty());
    let mut session = guard.session(&draft("en_urgent"));
    let out = session.push("I know that this is frightening. ");
    assert!(out[0].text.starts_with("Call an ambulance now"), "{out:?}");
}

#[test]
fn what_is_missing_is_appended() {
    let guard = guard();
    let (out, report) = run(&guard, "zh", "首先考虑{{f1}}。平时{{f7}}。");
    let shown: Vec<&str> = out.iter().map(|r| r.text.trim()).collect();
    assert_eq!(shown, [
        "首先考虑感冒·风寒束表证。",
        "平时把自己裹暖和些，早点睡。",
        "支持的有恶寒，同时没有发热。",
        "治疗上宜辛温解表，宣肺散寒，方用荆防败毒散，其中荆芥6～10克。",
        "体温超过39度或三天不退，请去医院。",
    ]);
    assert_eq!((report.clean, report.replaced, report.appended), (2, 0, 3));
}

#[test]
fn a_half_said_sentence_is_completed_by_its_other_clauses() {
    let guard = guard();
    let (out, report) = run(&guard, "zh", "您提到了{{f2}}。您保证{{f3}}。");
    assert_eq!(out[1].text, "同时没有发热。");
    assert!(out[1].replaced && report.replaced == 1);
    let (out, _) = run(&guard, "en", "Take {{f4}} to heart. Stop {{f5}}. Then there is {{f6}}.");
    assert_eq!(out[1].text.trim(), "Jing Fang Bai Du San, including Jing Jie 6-10 g.");
}
