//! Questions bear on the complaint, and the two of one question on each other.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use support::{condition, finding, kin, query, seen, tcm, tiny};
use wenzhen_kg::model::Model;
use wenzhen_kg::strategy::bayes::{UNEXPLAINED, posterior};
use wenzhen_kg::strategy::{Candidate, Person, Query, Reason, advance};
use wenzhen_kg::terms::Known;
use wenzhen_pack::{Dialogue, Evidence, FindingIx, Kind, State};

fn ln(model: &Model, evidence: &[Evidence], asked: &[FindingIx], id: &str) -> f64 {
    posterior(model, &Known::new(model, evidence, asked), Person::default())[condition(model, id).at()].ln()
}

fn all(model: &Model, evidence: &[Evidence], asked: &[FindingIx]) -> Vec<Candidate> {
    let dialogue = &model.pack().manifest.dialogue;
    advance(model, &Query { asked, limit: 500, ..query(evidence, dialogue) }).worth_asking
}

fn value(list: &[Candidate], f: FindingIx) -> f64 {
    list.iter().find(|c| c.finding == f).map_or(0.0, |c| c.value)
}

#[test]
fn who_explains_no_complaint_loses_the_same_whatever_the_number_of_complaints() {
    let model = tiny();
    let [power, leak] = ["no_power", "leak"].map(|id| seen(finding(&model, id), State::Present));
    // Neither foamer_blocked nor heater_dead explains either; the priors alone stand between them.
    let gap = |e: &[Evidence]| ln(&model, e, &[], "heater_dead") - ln(&model, e, &[], "foamer_blocked");
    assert!((gap(&[power]) - gap(&[leak, power])).abs() < 1e-9);
    // seal_broken does not explain the power, but the leak.
    let asked = [leak.finding];
    let told =
        |e: &[Evidence], asked: &[FindingIx]| ln(&model, e, asked, "seal_broken") - ln(&model, e, asked, "heater_dead");
    let by_asking = told(&[power, leak], &asked) - told(&[power], &[]);
    let by_itself = told(&[power, leak], &[]) - told(&[power], &[]);
    assert!(by_itself - by_asking >= UNEXPLAINED, "{by_itself} {by_asking}");
}

#[test]
fn history_and_doubt_are_no_complaint() {
    let model = tiny();
    let history = [seen(finding(&model, "descaled_never"), State::Present)];
    let gap = |e: &[Evidence]| ln(&model, e, &[], "fuse_blown") - ln(&model, e, &[], "foamer_blocked");
    assert!((gap(&history) - gap(&[])).abs() < 1e-9);
    let leak = finding(&model, "leak");
    let doubt = |probability| [Evidence { finding: leak, state: State::Present, probability }];
    let away = |p| ln(&model, &doubt(p), &[], "seal_broken") - ln(&model, &doubt(p), &[], "fuse_blown");
    assert!(away(0.01) < away(0.5) && away(0.5) < away(1.0));
}

#[test]
fn an_answer_about_a_complaint_does_not_replace_it() {
    let model = tiny();
    let noise = seen(finding(&model, "noise"), State::Present);
    let rattling = seen(finding(&model, "noise_rattling"), State::Present);
    let gap = |asked: &[FindingIx]| {
        let of = |id| ln(&model, &[noise, rattling], asked, id);
        of("old_age") - of("fuse_blown")
    };
    // The noise was brought up and stays the complaint when its kind was asked for.
    assert!(gap(&[rattling.finding]) >= gap(&[noise.finding, rattling.finding]) + UNEXPLAINED);
}

#[test]
fn what_no_plausible_condition_shows_comes_last() {
    let model = tiny();
    let list = all(&model, &[seen(finding(&model, "no_power"), State::Present)], &[]);
    let (smell, foam) = (finding(&model, "smell"), finding(&model, "milk_foam_flat"));
    assert!(value(&list, smell) > 5.0 * value(&list, foam));
    assert_eq!(list[0].finding, smell);
}

#[test]
fn filler_is_not_asked() {
    let model = tiny();
    let power = [seen(finding(&model, "no_power"), State::Present)];
    let dialogue = Dialogue { stop_posterior: 1.0, min_gain_bits: 0.03, ..model.pack().manifest.dialogue.clone() };
    let asked = ["smell", "smoke"].map(|id| finding(&model, id));
    let scored = advance(&model, &Query { asked: &asked, ..query(&power, &dialogue) });
    assert_eq!(scored.recommendation.reason, Reason::GainVanished);
}

/// Every finding that a patient can come with and that some condition has at its heart.
fn complaints(model: &Model) -> Vec<FindingIx> {
    let pack = model.pack();
    let chief = |f: &FindingIx| {
        let at_heart = |e: &&wenzhen_pack::Edge| e.finding == *f && e.present >= pack.manifest.grades.chief;
        pack.conditions.iter().flat_map(|c| &c.edges).any(|e| !e.expects_denial && at_heart(&e))
    };
    let symptom = |f: &FindingIx| pack.findings[f.at()].askable() && pack.findings[f.at()].kind == Kind::Symptom;
    (0..pack.findings.len()).map(FindingIx::new).filter(|f| symptom(f) && chief(f)).collect()
}

#[test]
fn the_first_question_bears_on_every_complaint_of_the_flagship_pack() {
    let model = tcm();
    let pack = model.pack();
    for complaint in complaints(&model) {
        let known = [seen(complaint, State::Present)];
        let line: Vec<FindingIx> = model.graph().line_of_parents(complaint);
        let lines = |a: FindingIx, b: FindingIx| a == b || model.graph().line_of_parents(a).contains(&b);
        let shows = |c: &&wenzhen_pack::Condition, f: FindingIx| {
            c.edges.iter().any(|e| !e.expects_denial && (lines(e.finding, f) || lines(f, e.finding)))
        };
        let concerned = |c: &&wenzhen_pack::Condition| shows(c, complaint) || line.iter().any(|p| shows(c, *p));
        for candidate in all(&model, &known, &[]).iter().take(2) {
            let related = pack.conditions.iter().filter(concerned).any(|c| shows(&c, candidate.finding));
            let id = |f: FindingIx| pack.findings[f.at()].id.clone();
            assert!(related, "{} was asked of {}", id(candidate.finding), id(complaint));
        }
    }
}

#[test]
fn what_is_excluded_is_not_asked() {
    let model = tcm();
    for (i, f) in model.pack().findings.iter().enumerate() {
        let list = all(&model, &[seen(FindingIx::new(i), State::Present)], &[]);
        assert!(list.iter().all(|c| !f.excludes.contains(&c.finding)), "{}", f.id);
    }
}

#[test]
fn of_nearly_equal_findings_those_of_one_family_are_asked_together() {
    let model = kin();
    let list = all(&model, &[seen(finding(&model, "noise"), State::Present)], &[]);
    let order: Vec<FindingIx> = list.iter().map(|c| c.finding).collect();
    assert_eq!(order, ["rattle", "hum", "warm"].map(|id| finding(&model, id)));
    assert!(list[2].value > list[1].value, "by the gain alone it would be the other way round");
    assert!(list[1].value >= 0.8 * list[2].value, "but the two are nearly equal");
}
