//! Golden utterances over the TCM pack: exact sets of what is recorded.

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;
use wenzhen_language::{Interpretation, Interpreter, Observation, Severity, Utterance};
use wenzhen_pack::{FindingIx, Pack, State};

/// A row of `packs/tcm/tests/utterances.jsonl`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    text: String,
    #[serde(default)]
    asked: Vec<String>,
    clarifying: Option<String>,
    #[serde(default)]
    quick_answers: Vec<String>,
    /// It was settled before that the speaker is the patient.
    #[serde(default)]
    of_self: bool,
    #[serde(default)]
    expect: Expect,
    intent: Option<String>,
    #[serde(default)]
    ambiguous: BTreeSet<String>,
    #[serde(default)]
    withdrawn: BTreeSet<String>,
    #[serde(default)]
    context: Context,
}

#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
struct Expect {
    present: BTreeSet<String>,
    denied: BTreeSet<String>,
    unsure: BTreeSet<String>,
    past: BTreeSet<String>,
    mild: Option<BTreeSet<String>>,
    severe: Option<BTreeSet<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Context {
    age_months: Option<u32>,
    sex: Option<String>,
    pregnant: Option<bool>,
    pregnancy_weeks: Option<u32>,
    speaks_for: Option<String>,
    allergies: Vec<String>,
    medicines: Vec<String>,
    value: Option<f64>,
    duration_days: Option<f32>,
    refused: bool,
}

fn ids<'a>(pack: &'a Pack, found: &'a [Observation], keep: impl Fn(&Observation) -> bool) -> BTreeSet<String> {
    let id = |f: FindingIx| pack.findings.get(f.at()).map_or_else(String::new, |f| f.id.clone());
    found.iter().filter(|o| keep(o)).map(|o| id(o.finding)).collect()
}

/// What a row gets wrong; empty when it is right.
fn check(interpreter: &Interpreter, row: &Row) -> Vec<String> {
    let pack = interpreter.pack();
    let asked: Vec<FindingIx> = row.asked.iter().filter_map(|id| pack.finding(id)).collect();
    let clarifying = row.clarifying.as_ref().and_then(|id| pack.ambiguities.iter().position(|a| a.id == *id));
    let mut wrong = Vec::new();
    if asked.len() != row.asked.len() || clarifying.is_some() != row.clarifying.is_some() {
        wrong.push("asks what the pack does not have".to_owned());
    }
    let u = Utterance {
        text: &row.text,
        asked: &asked,
        clarifying,
        quick_answers: &row.quick_answers,
        locale: None,
        of_self: row.of_self,
    };
    let found = interpreter.interpret(&u);
    let said = &found.observations;
    let severity = |want: Severity| ids(pack, said, |o| o.severity == Some(want));
    let got = Expect {
        present: ids(pack, said, |o| o.state == State::Present && !o.past),
        denied: ids(pack, said, |o| o.state == State::Denied),
        unsure: ids(pack, said, |o| o.state == State::Unsure),
        past: ids(pack, said, |o| o.past),
        mild: row.expect.mild.as_ref().map(|_| severity(Severity::Mild)),
        severe: row.expect.severe.as_ref().map(|_| severity(Severity::Severe)),
    };
    if got != row.expect {
        wrong.push(format!("recorded {got:?}, expected {:?}", row.expect));
    }
    let ambiguous: BTreeSet<String> =
        found.ambiguous.iter().filter_map(|a| pack.ambiguities.get(a.ambiguity)).map(|a| a.id.clone()).collect();
    if ambiguous != row.ambiguous {
        wrong.push(format!("ambiguous {ambiguous:?}, expected {:?}", row.ambiguous));
    }
    let withdrawn: BTreeSet<String> =
        found.withdrawn.iter().filter_map(|f| pack.findings.get(f.at())).map(|f| f.id.clone()).collect();
    if withdrawn != row.withdrawn {
        wrong.push(format!("withdrawn {withdrawn:?}, expected {:?}", row.withdrawn));
    }
    let intent = snake(&format!("{:?}", found.intent));
    if row.intent.as_ref().is_some_and(|want| *want != intent) {
        wrong.push(format!("intent {intent}, expected {:?}", row.intent));
    }
    wrong.extend(check_context(&row.context, &found));
    for o in said {
        assert!(row.text.get(o.span.clone()).is_some(), "a span off the text: {row:?}");
    }
    wrong
}

fn check_context(want: &Context, found: &Interpretation) -> Vec<String> {
    let facts = &found.context;
    let sex = facts.sex.map(|s| snake(&format!("{s:?}")));
    let speaks_for = Some(facts.speaks_for.map_or_else(|| "nobody".to_owned(), |s| snake(&format!("{s:?}"))));
    let value = found.observations.iter().find_map(|o| o.value);
    let days = found.observations.iter().find_map(|o| o.duration_days);
    let close = |a: f64, b: f64| (a - b).abs() < 0.06;
    let mut wrong = Vec::new();
    let mut differs = |what: &str, ok: bool, got: String| {
        if !ok {
            wrong.push(format!("{what}: {got}"));
        }
    };
    differs("age", want.age_months.is_none_or(|m| facts.age_months == Some(m)), format!("{:?}", facts.age_months));
    differs("sex", want.sex.is_none() || want.sex == sex, format!("{sex:?}"));
    differs("pregnant", want.pregnant.is_none() || want.pregnant == facts.pregnant, format!("{:?}", facts.pregnant));
    let weeks = want.pregnancy_weeks.is_none() || want.pregnancy_weeks == facts.pregnancy_weeks;
    differs("weeks", weeks, format!("{:?}", facts.pregnancy_weeks));
    differs("speaks_for", want.speaks_for.is_none() || want.speaks_for == speaks_for, format!("{speaks_for:?}"));
    differs("allergies", want.allergies == facts.allergies, format!("{:?}", facts.allergies));
    differs("medicines", want.medicines == facts.medicines, format!("{:?}", facts.medicines));
    differs("value", want.value.is_none_or(|w| value.is_some_and(|v| close(v, w))), format!("{value:?}"));
    let same_days = want.duration_days.is_none_or(|w| days.is_some_and(|d| close(f64::from(d), f64::from(w))));
    differs("days", same_days, format!("{days:?}"));
    differs("refused", want.refused == found.refused, format!("{}", found.refused));
    wrong
}

fn snake(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

#[test]
fn every_golden_utterance_is_read_exactly() {
    let pack = common::pack();
    let interpreter = Interpreter::new(Arc::clone(&pack)).expect("an interpreter");
    let rows = include_str!("../../../packs/tcm/tests/utterances.jsonl");
    let mut failures = Vec::new();
    let mut count = 0;
    for (i, line) in rows.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let row: Row = serde_json::from_str(line).unwrap_or_else(|e| panic!("row {}: {e}", i + 1));
        let wrong = check(&interpreter, &row);
        if !wrong.is_empty() {
            failures.push(format!("{}: {} {:?}\n    {}", i + 1, row.text, row.asked, wrong.join("\n    ")));
        }
        count += 1;
    }
    assert!(count >= 90, "only {count} rows");
    assert!(failures.is_empty(), "{} of {count} wrong\n{}", failures.len(), failures.join("\n"));
}
