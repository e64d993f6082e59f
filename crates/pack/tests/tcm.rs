//! The flagship pack: it loads, and it is rich enough to ask with.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot read its data has failed")]
#![allow(clippy::print_stdout, reason = "the report is for whoever runs the test")]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use wenzhen_pack::{Locale, Observer, Pack, PackFiles, PackReport, Profile, check_report};

fn files() -> PackFiles {
    PackFiles::from_dir(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs/tcm")).expect("packs/tcm")
}

/// The tables alone, so that a mistake in a voice does not hide what stands here.
static TABLES: LazyLock<Pack> = LazyLock::new(|| {
    let all = files();
    let tables: PackFiles = all.iter().filter(|(path, _)| !path.starts_with("voice/")).collect();
    Pack::load(&tables).unwrap_or_else(|errors| panic!("{errors}"))
});

static REPORT: LazyLock<PackReport> = LazyLock::new(|| check_report(&TABLES));

/// Fails with all offenders at once.
fn none(what: &str, offenders: impl IntoIterator<Item = String>) {
    let offenders: Vec<String> = offenders.into_iter().collect();
    assert!(offenders.is_empty(), "{what} ({}): {}", offenders.len(), offenders.join(", "));
}

#[test]
fn loads_with_all_voices() {
    let pack = Pack::load(&files()).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(pack.manifest.profile, Profile::Medical);
    assert!(pack.manifest.release.plan_needs_signature);
    assert_eq!(pack.voices.keys().copied().collect::<Vec<_>>(), Locale::ALL);
}

#[test]
fn is_large_enough() {
    let counts = REPORT.counts;
    assert!(counts.conditions >= 40 && counts.findings >= 150, "{counts:?}");
    assert!(counts.herbs >= 200 && counts.passages >= 80 && counts.ambiguities >= 20, "{counts:?}");
}

#[test]
fn has_red_flags_of_every_level_and_incompatible_pairs() {
    let safety = &TABLES.safety;
    assert!(safety.red_flags.len() >= 25, "{} red flags", safety.red_flags.len());
    let levels: BTreeSet<_> = safety.red_flags.iter().map(|flag| flag.level).collect();
    assert_eq!(levels.len(), 3, "{levels:?}");
    assert!(TABLES.incompatible.len() >= 80, "{} incompatible pairs", TABLES.incompatible.len());
    none("cues in no red flag", REPORT.unused_cues.iter().cloned());
}

#[test]
fn patients_findings_have_sayings_and_a_question() {
    let of_patients = || TABLES.findings.iter().filter(|f| f.observable.contains(&Observer::Patient));
    let few = of_patients().filter(|f| f.sayings.list(Locale::Zh).len() < 3 || f.sayings.list(Locale::En).len() < 2);
    none("fewer than three zh and two en sayings", few.map(|f| f.id.clone()));
    none("no question", of_patients().filter(|f| f.ask.is_none()).map(|f| f.id.clone()));
    let marks: [char; 8] = ['？', '?', '。', '.', '！', '!', '，', ','];
    let punctuated = TABLES
        .findings
        .iter()
        .filter(|f| f.ask.iter().flat_map(|ask| ask.0.values()).any(|clause| clause.ends_with(marks)));
    none("a question that ends in punctuation", punctuated.map(|f| f.id.clone()));
}

#[test]
fn conditions_can_be_asked_for() {
    let thin = TABLES.conditions.iter().filter_map(|c| {
        let askable = c.edges.iter().filter(|e| TABLES.findings[e.finding.at()].askable()).count();
        (c.edges.len() < 8 || askable < 4).then(|| format!("{} ({} findings, {askable} askable)", c.id, c.edges.len()))
    });
    none("fewer than eight findings, four of them askable", thin);
}

#[test]
fn every_condition_has_a_plan_and_advice() {
    let bare = TABLES.conditions.iter().filter(|c| {
        c.herbs.is_empty()
            || Locale::ALL.iter().any(|&l| {
                let sized = |list: &[String]| (2..=4).contains(&list.len());
                c.formula.text(l).is_empty()
                    || !sized(c.advice.list(l))
                    || !sized(c.diet.list(l))
                    || c.refer.text(l).is_empty()
            })
    });
    none("no herbs, formula, two to four pieces of advice and diet, or referral", bare.map(|c| c.id.clone()));
}

#[test]
fn texts_for_patients_name_no_herb_and_no_formula() {
    none("herb or formula names", REPORT.plan_in_patient_texts.iter().cloned());
}

#[test]
fn modified_plans_stay_free_of_incompatible_pairs() {
    let id = |h: wenzhen_pack::HerbIx| TABLES.herbs[h.at()].id.as_str();
    let mut clashes = Vec::new();
    for c in &TABLES.conditions {
        // All modifications at once is the worst case that a patient can bring about.
        let all =
            c.herbs.iter().map(|dose| dose.herb).chain(c.modifications.iter().flat_map(|m| m.add.iter().copied()));
        let all: BTreeSet<_> = all.collect();
        let pairs = TABLES.incompatible.iter().filter(|pair| all.contains(&pair.a) && all.contains(&pair.b));
        clashes.extend(pairs.map(|pair| format!("{}: {} with {}", c.id, id(pair.a), id(pair.b))));
    }
    none("incompatible", clashes);
}

#[test]
fn most_askable_findings_bear_on_something() {
    let report = &*REPORT;
    println!("{report}");
    let share = report.unused_askable.len() as f64 / report.counts.askable as f64;
    println!("askable findings that bear on nothing: {:.1} %", 100.0 * share);
    assert!(share < 0.25, "{share:.2}: {}", report.unused_askable.join(", "));
    none("alone on their axis", report.lonely_axis_values.iter().cloned());
    none("identical for a patient", report.identical.iter().map(|pair| format!("{} / {}", pair.a, pair.b)));
}
