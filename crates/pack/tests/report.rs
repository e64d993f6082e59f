//! The report on a pack: what is allowed, but probably not meant.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot read its data has failed")]

mod tiny;

use tiny::changed;
use wenzhen_pack::{Pack, PackReport, check_report};

fn report(edits: &[(&str, &str, &str)]) -> PackReport {
    check_report(&Pack::load(&changed(edits)).unwrap_or_else(|errors| panic!("{errors}")))
}

#[test]
fn counts_the_tables() {
    let counts = report(&[]).counts;
    assert_eq!((counts.findings, counts.askable, counts.ambiguities), (11, 10, 1));
    assert_eq!((counts.conditions, counts.edges, counts.herbs, counts.incompatible), (3, 14, 4, 1));
    assert_eq!((counts.cues, counts.red_flags, counts.passages, counts.voices), (3, 2, 4, 0));
}

#[test]
fn a_pack_without_a_doubt_is_clean() {
    let report = report(&[]);
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.to_string().lines().count(), 4, "{report}");
}

#[test]
fn what_bears_on_nothing_is_listed() {
    let edits = [
        ("findings.jsonl", r#""implies":["beans_gone"]"#, r#""implies":[]"#),
        ("safety.toml", "when = [[\"smoke\"]]", "when = [[\"water_out\"]]"),
    ];
    let report = report(&edits);
    assert_eq!(report.unused_askable, ["beans_gone"], "{report}");
    assert_eq!(report.unused_cues, ["smoke"]);
    assert!(!report.is_clean() && report.to_string().contains("beans_gone"));
}

#[test]
fn a_misspelled_axis_is_alone() {
    let report = report(&[("findings.jsonl", r#""axis":"leak_place""#, r#""axis":"leek_place""#)]);
    assert_eq!(report.lonely_axis_values, ["leak_bottom", "leak_spout"]);
}

#[test]
fn a_child_more_frequent_than_its_parent_is_listed() {
    let report = report(&[(
        "conditions.jsonl",
        r#"{"finding":"leak_bottom","grade":"common"}"#,
        r#"{"finding":"leak_bottom","p":0.95}"#,
    )]);
    assert_eq!(report.child_above_parent, ["worn_seal: leak_bottom > leak"]);
}

#[test]
fn conditions_that_only_a_technician_tells_apart_are_listed() {
    // A twin of `worn_seal` that differs in what no patient can see.
    let twin = concat!(
        r#"{"id":"twin","disease":{"zh":"双胞胎","en":"twin"},"prior":1,"findings":[{"finding":"leak","grade":"chief"},"#,
        r#"{"finding":"leak_bottom","grade":"common"},{"finding":"old_hose","grade":"common"},"#,
        r#"{"finding":"noise","grade":"common","expect":"denied"},{"finding":"crust","grade":"chief"}]}"#,
        "\n",
    );
    let first = r#"{"id":"scaled","disease""#;
    let report_of = |row: &str| report(&[("conditions.jsonl", first, &format!("{row}{first}"))]);

    let report = report_of(twin);
    let ids: Vec<_> = report.identical.iter().map(|pair| (pair.a.as_str(), pair.b.as_str())).collect();
    assert_eq!(ids, [("twin", "worn_seal")], "{report}");

    let report =
        report_of(&twin.replace(r#"{"finding":"crust","grade":"chief"}"#, r#"{"finding":"too_hot","grade":"common"}"#));
    assert!(report.identical.is_empty());
    let pair = report.hard_to_tell.iter().find(|pair| pair.a == "twin").expect("one answer is not enough");
    assert_eq!((pair.b.as_str(), pair.separated_by.as_slice()), ("worn_seal", &["too_hot".to_owned()][..]));

    // Machines of different ages need no answers to be told apart.
    let young = twin
        .replace(r#""prior":1"#, r#""prior":1,"age_max":1"#)
        .replace(r#"{"finding":"old_hose","grade":"common"},"#, "");
    assert!(report_of(&young).identical.is_empty());
}

#[test]
fn herb_and_formula_names_in_advice_are_listed() {
    for (from, to, found) in [
        ("冲洗两遍。", "用柠檬酸冲洗。", "scaled: advice.zh: 柠檬酸"),
        ("冲洗两遍。", "用檬酸液冲洗。", "scaled: advice.zh: 檬酸液"),
        ("Rinse twice.", "Use White  Vinegar.", "scaled: advice.en: white vinegar"),
        ("Have it repaired", "Try the citric solution", "scaled: refer.en: citric solution"),
    ] {
        assert_eq!(report(&[("conditions.jsonl", from, to)]).plan_in_patient_texts, [found]);
    }
    // A part of a word is no name.
    assert!(report(&[("conditions.jsonl", "Rinse twice.", "No bleached cloths.")]).plan_in_patient_texts.is_empty());
}

#[test]
fn a_medical_pack_needs_red_flags() {
    let medical = ("pack.toml", "\"support\"", "\"medical\"");
    assert!(!report(&[medical]).no_red_flags);
    let mut files = changed(&[medical]);
    assert!(files.remove("safety.toml"));
    assert!(check_report(&Pack::load(&files).expect("no cues, no mistakes")).no_red_flags);
}
