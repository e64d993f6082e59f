//! Scores that can be worked out by hand, on a small made-up pack.

mod support;

use support::{condition, finding, query, seen, tiny};
use wenzhen_kg::explain::{contributions, question};
use wenzhen_kg::model::Model;
use wenzhen_kg::strategy::bayes::{COMPLAINT, TEMPER, UNEXPLAINED, posterior};
use wenzhen_kg::strategy::{Next, Person, Query, Reason, advance, dopi};
use wenzhen_kg::terms::Known;
use wenzhen_pack::{Evidence, Observer, Sex, State, StrategyName};

fn at(model: &Model, evidence: &[Evidence], id: &str) -> f64 {
    posterior(model, &Known::new(model, evidence, &[]), Person::default())[condition(model, id).at()]
}

/// Natural logarithm of the odds of two conditions.
fn ln_odds(model: &Model, evidence: &[Evidence], a: &str, b: &str) -> f64 {
    (at(model, evidence, a) / at(model, evidence, b)).ln()
}

#[track_caller]
fn close(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-9, "{a} is not {b}");
}

#[test]
fn without_evidence_the_priors_stand() {
    let model = tiny();
    close(at(&model, &[], "pump_worn"), 1.0 / 3.6);
    close(at(&model, &[], "old_age"), 0.3 / 3.6);
}

#[test]
fn presence_weighs_by_its_rate_and_denial_by_its_floor() {
    let model = tiny();
    let leak = finding(&model, "leak");
    let present = ln_odds(&model, &[seen(leak, State::Present)], "seal_broken", "fuse_blown");
    close(present, 2.0_f64.ln() + (TEMPER + COMPLAINT) * (0.8_f64 / 0.1).ln() + UNEXPLAINED);
    let denied = ln_odds(&model, &[seen(leak, State::Denied)], "seal_broken", "fuse_blown");
    assert!(denied > 2.0_f64.ln() + TEMPER * (0.2_f64 / 0.9).ln(), "the floor holds");
    assert!(denied < 2.0_f64.ln());
}

#[test]
fn what_is_brought_up_unasked_weighs_more_up_to_a_limit() {
    let model = tiny();
    let leak = finding(&model, "leak");
    let evidence = [seen(leak, State::Present)];
    let prior = Person::default();
    let odds = |asked: &[wenzhen_pack::FindingIx]| {
        let p = posterior(&model, &Known::new(&model, &evidence, asked), prior);
        (p[condition(&model, "seal_broken").at()] / p[condition(&model, "fuse_blown").at()]).ln()
    };
    close(odds(&[leak]), 2.0_f64.ln() + TEMPER * (0.8_f64 / 0.1).ln());
    close(odds(&[]), 2.0_f64.ln() + (TEMPER + COMPLAINT) * (0.8_f64 / 0.1).ln() + UNEXPLAINED);
    // 16 and 10 times more likely than usual is more than four nats: the rest is merely tempered.
    let two = [seen(finding(&model, "no_power"), State::Present), seen(finding(&model, "smoke"), State::Present)];
    let sum = 16.0_f64.ln() + 10.0_f64.ln();
    let expected = (0.5_f64 / 0.3).ln() + TEMPER * sum + COMPLAINT * 4.0 + UNEXPLAINED;
    close(ln_odds(&model, &two, "fuse_blown", "foamer_blocked"), expected);
}

#[test]
fn a_child_does_not_count_its_parent_twice() {
    let model = tiny();
    let (noise, rattling) = (finding(&model, "noise"), finding(&model, "noise_rattling"));
    let child = [seen(rattling, State::Present)];
    let both = [seen(noise, State::Present), seen(rattling, State::Present)];
    for id in ["pump_worn", "seal_broken", "fuse_blown", "heater_dead"] {
        close(at(&model, &child, id), at(&model, &both, id));
    }
    // pump_worn: P(noise) · P(rattling | noise) = 0.8 · 0.5/0.8; elsewhere 0.2 · 0.05/0.2.
    close(
        ln_odds(&model, &child, "pump_worn", "fuse_blown"),
        2.0_f64.ln() + (TEMPER + COMPLAINT) * ((0.8_f64 / 0.2).ln() + (0.625_f64 / 0.25).ln()) + UNEXPLAINED,
    );
}

#[test]
fn a_denied_parent_makes_its_childrens_denials_free() {
    let model = tiny();
    let (noise, rattling) = (finding(&model, "noise"), finding(&model, "noise_rattling"));
    let parent = [seen(noise, State::Denied)];
    let both = [seen(noise, State::Denied), seen(rattling, State::Denied)];
    close(at(&model, &parent, "pump_worn"), at(&model, &both, "pump_worn"));
    let child = [seen(rattling, State::Denied)];
    assert!(at(&model, &child, "pump_worn") > at(&model, &parent, "pump_worn"));
}

#[test]
fn an_implied_finding_and_an_excluded_one_count_once() {
    let model = tiny();
    let (smoke, smell) = (finding(&model, "smoke"), finding(&model, "smell"));
    let (display, power) = (finding(&model, "display_on"), finding(&model, "no_power"));
    let alone = at(&model, &[seen(smoke, State::Present)], "fuse_blown");
    close(alone, at(&model, &[seen(smoke, State::Present), seen(smell, State::Present)], "fuse_blown"));
    let on = at(&model, &[seen(display, State::Present)], "fuse_blown");
    close(on, at(&model, &[seen(display, State::Present), seen(power, State::Denied)], "fuse_blown"));
    assert!(on < at(&model, &[], "fuse_blown"), "a display that is on speaks against a blown fuse");
}

#[test]
fn values_of_one_axis_share_one_likelihood() {
    let model = tiny();
    let [noise, rattling, humming] =
        ["noise", "noise_rattling", "noise_humming"].map(|id| seen(finding(&model, id), State::Present));
    let deny = |e: Evidence| Evidence { state: State::Denied, ..e };
    let one = [noise, rattling];
    let one_and_denial = [noise, rattling, deny(humming)];
    close(at(&model, &one, "seal_broken"), at(&model, &one_and_denial, "seal_broken"));
    // Both denied: 1 - (0.625 + rest) against 1 - (0.25 + 0.5), one factor.
    let neither = [noise, deny(rattling), deny(humming)];
    let known = Known::new(&model, &neither, &[]);
    assert_eq!(known.terms.len(), 2);
    assert_eq!(known.terms.iter().map(|t| t.findings().count()).sum::<usize>(), 3);
}

#[test]
fn an_expected_denial_speaks_for_and_its_presence_against() {
    let model = tiny();
    let noise = finding(&model, "noise");
    let before = ln_odds(&model, &[], "heater_dead", "fuse_blown");
    assert!(ln_odds(&model, &[seen(noise, State::Denied)], "heater_dead", "fuse_blown") > before);
    assert!(ln_odds(&model, &[seen(noise, State::Present)], "heater_dead", "fuse_blown") < before);
}

#[test]
fn half_sure_evidence_lies_between() {
    let model = tiny();
    let leak = finding(&model, "leak");
    let with =
        |probability| at(&model, &[Evidence { finding: leak, state: State::Present, probability }], "seal_broken");
    close(with(0.0), at(&model, &[], "seal_broken"));
    assert!(with(0.3) > with(0.0) && with(0.7) > with(0.3) && with(1.0) > with(0.7));
}

#[test]
fn the_gain_is_the_expected_fall_in_entropy() {
    let model = tiny();
    let dialogue = wenzhen_pack::Dialogue { findings_per_question: 1, ..model.pack().manifest.dialogue.clone() };
    let scored = advance(&model, &query(&[], &dialogue));
    let leak = scored.worth_asking.iter().find(|c| c.finding == finding(&model, "leak")).unwrap();
    let prior = posterior(&model, &Known::new(&model, &[], &[]), Person::default());
    let rates = [0.2, 0.8, 0.1, 0.1, 0.1, 0.5];
    let entropy = |p: &[f64]| -p.iter().filter(|p| **p > 0.0).map(|p| p * p.log2()).sum::<f64>();
    let branch = |rate: &dyn Fn(f64) -> f64| {
        let joint: Vec<f64> = prior.iter().zip(rates).map(|(p, q)| p * rate(q)).collect();
        let sum: f64 = joint.iter().sum();
        (sum, entropy(&joint.iter().map(|p| p / sum).collect::<Vec<_>>()))
    };
    let ((yes, if_yes), (no, if_no)) = (branch(&|q| q), branch(&|q| 1.0 - q));
    close(leak.probability, yes);
    // A patient cannot always answer: the gain of a symptom counts 0.95.
    close(leak.value, 0.95 * (entropy(&prior) - yes * if_yes - no * if_no));
}

#[test]
fn a_question_is_explained_by_what_it_separates() {
    let model = tiny();
    let dialogue = &model.pack().manifest.dialogue;
    let evidence = [seen(finding(&model, "coffee_cold"), State::Present)];
    let scored = advance(&model, &query(&evidence, dialogue));
    assert_eq!(scored.recommendation.next, Next::Ask);
    let first = &scored.worth_asking[0];
    assert_eq!(first.separates.len(), 2);
    assert!(first.separates[0].1 > first.separates[1].1);
    let effect = question(&model, &query(&evidence, dialogue), first.finding);
    let favoured = first.separates[0].0;
    let score =
        |ranked: &[wenzhen_kg::strategy::Ranked]| ranked.iter().find(|r| r.condition == favoured).unwrap().score;
    assert!(score(&effect.if_present) > score(&effect.if_denied));
}

#[test]
fn contributions_add_up_to_the_log_odds() {
    let model = tiny();
    let dialogue = &model.pack().manifest.dialogue;
    let evidence = [
        seen(finding(&model, "noise_rattling"), State::Present),
        seen(finding(&model, "leak"), State::Denied),
        seen(finding(&model, "smell"), State::Unsure),
    ];
    let sum = |id: &str| {
        contributions(&model, &query(&evidence, dialogue), condition(&model, id)).iter().map(|c| c.weight).sum::<f64>()
    };
    let n = model.pack().conditions.len() as f64;
    // Each weight is against the average of the others, so differences carry a factor n / (n - 1).
    let expected = (sum("pump_worn") - sum("fuse_blown")) * (n - 1.0) / n;
    close(ln_odds(&model, &evidence, "pump_worn", "fuse_blown"), 2.0_f64.ln() + expected);
    let list = contributions(&model, &query(&evidence, dialogue), condition(&model, "pump_worn"));
    assert!(list.iter().any(|c| c.derived && c.finding == finding(&model, "noise")));
    assert!(list.iter().all(|c| c.finding != finding(&model, "smell")), "unsure weighs nothing");
}

#[test]
fn dopi_follows_its_equations() {
    let model = tiny();
    let dialogue = wenzhen_pack::Dialogue {
        strategy: StrategyName::Dopi,
        dopi_sigma: 0.0,
        ..model.pack().manifest.dialogue.clone()
    };
    let evidence = [seen(finding(&model, "leak"), State::Present), seen(finding(&model, "noise"), State::Present)];
    let cosines = dopi::cosines(&model, &Known::new(&model, &evidence, &[]));
    let length = |w: &[f64]| w.iter().map(|x| x * x).sum::<f64>().sqrt();
    let pump = (0.8 + 0.2) / (2.0_f64.sqrt() * length(&[0.8, 0.5, 0.5, 0.2]));
    let seal = 0.8 / (2.0_f64.sqrt() * length(&[0.8, 0.5, 0.2]));
    let old = (0.5 + 0.5) / (2.0_f64.sqrt() * length(&[0.5, 0.5, 0.5]));
    close(cosines[condition(&model, "pump_worn").at()], pump);
    close(cosines[condition(&model, "seal_broken").at()], seal);
    close(cosines[condition(&model, "old_age").at()], old);
    let scored = advance(&model, &query(&evidence, &dialogue));
    let rattling = scored.worth_asking.iter().find(|c| c.finding == finding(&model, "noise_rattling")).unwrap();
    close(rattling.value, 0.5 * pump + 0.2 * seal);
    assert_eq!(scored.recommendation.reason, Reason::Gain);
    let reached = wenzhen_pack::Dialogue { dopi_epsilon: 0.8, ..dialogue };
    assert_eq!(advance(&model, &query(&evidence, &reached)).recommendation.reason, Reason::CosineReached);
}

#[test]
fn dopi_noise_falls_by_round_and_follows_the_seed() {
    let model = tiny();
    let dialogue = wenzhen_pack::Dialogue { strategy: StrategyName::Dopi, ..model.pack().manifest.dialogue.clone() };
    let evidence = [seen(finding(&model, "leak"), State::Present)];
    let quiet = wenzhen_pack::Dialogue { dopi_sigma: 0.0, ..dialogue.clone() };
    let spread = |round: u32| {
        let mut sum = 0.0;
        for seed in 0..200 {
            let noisy = advance(&model, &Query { seed, round, limit: 20, ..query(&evidence, &dialogue) });
            let exact = advance(&model, &Query { seed, round, limit: 20, ..query(&evidence, &quiet) });
            for c in &noisy.worth_asking {
                let e = exact.worth_asking.iter().find(|e| e.finding == c.finding).unwrap();
                sum += (c.value - e.value).powi(2) / noisy.worth_asking.len() as f64;
            }
        }
        (sum / 200.0).sqrt()
    };
    assert!((spread(0) - 0.05).abs() < 0.005, "{}", spread(0));
    assert!((spread(2) - 0.05 * 0.49).abs() < 0.003, "{}", spread(2));
}

#[test]
fn who_cannot_have_it_is_out_and_is_not_asked() {
    let model = tiny();
    let dialogue = &model.pack().manifest.dialogue;
    let foam = finding(&model, "milk_foam_flat");
    let of = |person| advance(&model, &Query { person, limit: 50, ..query(&[], dialogue) });
    let man = of(Person { sex: Some(Sex::Male), age_years: Some(1), pregnant: None });
    assert!(man.ranked.iter().all(|r| r.condition != condition(&model, "foamer_blocked")));
    assert!(man.ranked.iter().all(|r| r.condition != condition(&model, "old_age")));
    assert!(man.worth_asking.iter().all(|c| c.finding != foam && c.finding != finding(&model, "descaled_never")));
    close(man.ranked.iter().map(|r| r.score).sum(), 1.0);
    let woman = of(Person { sex: None, age_years: Some(30), pregnant: Some(true) });
    assert_eq!(woman.ranked.len(), 6);
    assert!(woman.worth_asking.iter().any(|c| c.finding == foam));
}

#[test]
fn the_parent_is_asked_before_the_child() {
    let model = tiny();
    let dialogue = &model.pack().manifest.dialogue;
    let (noise, rattling) = (finding(&model, "noise"), finding(&model, "noise_rattling"));
    let asked = |evidence: &[Evidence], asked: &[wenzhen_pack::FindingIx]| {
        let query = Query { asked, limit: 50, ..query(evidence, dialogue) };
        advance(&model, &query).worth_asking.iter().any(|c| c.finding == rattling)
    };
    assert!(!asked(&[], &[]));
    assert!(asked(&[seen(noise, State::Present)], &[]));
    assert!(!asked(&[seen(noise, State::Denied)], &[]));
    assert!(!asked(&[seen(noise, State::Unsure)], &[]));
    assert!(!asked(&[], &[noise]), "refused");
}

#[test]
fn it_stops_for_the_right_reason() {
    let model = tiny();
    let dialogue = &model.pack().manifest.dialogue;
    let step = |evidence: &[Evidence], round| {
        let scored = advance(&model, &Query { round, ..query(evidence, dialogue) });
        (scored.recommendation.next, scored.recommendation.reason)
    };
    let present = |id| seen(finding(&model, id), State::Present);
    assert_eq!(step(&[], 0), (Next::Ask, Reason::NoEvidence));
    assert_eq!(step(&[], 4), (Next::Abstain, Reason::NoEvidence));
    assert_eq!(step(&[present("coffee_cold")], 0), (Next::Ask, Reason::Gain));
    assert_eq!(step(&[present("no_power"), present("smoke")], 1), (Next::Diagnose, Reason::PosteriorReached));
    assert_eq!(step(&[present("coffee_cold")], 4), (Next::Diagnose, Reason::RoundsSpent));
    assert_eq!(step(&[present("display_on")], 4), (Next::Abstain, Reason::RoundsSpent));
    let all: Vec<_> = (0..model.pack().findings.len()).map(wenzhen_pack::FindingIx::new).collect();
    let nothing_left = advance(&model, &Query { asked: &all, ..query(&[present("coffee_cold")], dialogue) });
    assert_eq!(nothing_left.recommendation.reason, Reason::NothingLeft);
    assert!(nothing_left.worth_asking.is_empty());
    let clinician = advance(&model, &Query { observer: Observer::Clinician, limit: 50, ..query(&[], dialogue) });
    assert!(clinician.worth_asking.iter().any(|c| c.finding == finding(&model, "voltage_low")));
}
