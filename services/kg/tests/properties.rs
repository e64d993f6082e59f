//! What must hold for any evidence, on the flagship pack.

mod support;

use std::sync::LazyLock;

use proptest::prelude::*;
use support::{query, seen, tcm};
use wenzhen_kg::explain::contributions;
use wenzhen_kg::model::Model;
use wenzhen_kg::strategy::{Person, Query, advance};
use wenzhen_pack::{ConditionIx, Dialogue, Evidence, FindingIx, Kind, Observer, Sex, State, StrategyName, close};

static MODEL: LazyLock<Model> = LazyLock::new(tcm);

fn evidence(most: usize) -> impl Strategy<Value = Vec<Evidence>> {
    let states = prop_oneof![Just(State::Present), Just(State::Denied), Just(State::Unsure)];
    // One index beyond the pack: what does not exist must not harm.
    let one = (0..=MODEL.pack().findings.len(), states, prop_oneof![Just(1.0_f32), 0.0..=1.0_f32]);
    prop::collection::vec(one, 0..most).prop_map(|list| {
        let mut list: Vec<Evidence> = list
            .into_iter()
            .map(|(f, state, probability)| Evidence { finding: FindingIx::new(f), state, probability })
            .collect();
        list.sort_by_key(|e| e.finding);
        list.dedup_by_key(|e| e.finding);
        list
    })
}

fn person() -> impl Strategy<Value = Person> {
    let sex = prop_oneof![Just(None), Just(Some(Sex::Female)), Just(Some(Sex::Male))];
    (sex, prop::option::of(0..100_u32), prop::option::of(any::<bool>())).prop_map(|(sex, age_years, pregnant)| Person {
        sex,
        age_years,
        pregnant,
    })
}

fn dialogue(strategy: StrategyName) -> Dialogue {
    Dialogue { strategy, ..MODEL.pack().manifest.dialogue.clone() }
}

fn strategy() -> impl Strategy<Value = StrategyName> {
    prop_oneof![Just(StrategyName::BayesPlain), Just(StrategyName::Dopi)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn the_posterior_is_a_probability(evidence in evidence(40), person in person()) {
        let dialogue = dialogue(StrategyName::BayesPlain);
        let scored = advance(&MODEL, &Query { person, ..query(&evidence, &dialogue) });
        prop_assert!(scored.ranked.iter().all(|r| (0.0..=1.0).contains(&r.score)));
        let sum: f64 = scored.ranked.iter().map(|r| r.score).sum();
        prop_assert!(scored.ranked.is_empty() || (sum - 1.0).abs() < 1e-9, "{}", sum);
        prop_assert!(scored.worth_asking.iter().all(|c| c.value.is_finite() && (0.0..=1.0).contains(&c.probability)));
    }

    #[test]
    fn the_order_of_observations_does_not_matter(
        (straight, turned) in evidence(30).prop_flat_map(|e| (Just(e.clone()), Just(e).prop_shuffle())),
        strategy in strategy(),
    ) {
        let dialogue = dialogue(strategy);
        prop_assert_eq!(advance(&MODEL, &query(&straight, &dialogue)), advance(&MODEL, &query(&turned, &dialogue)));
    }

    #[test]
    fn unsure_moves_no_condition(evidence in evidence(20), finding in 0..MODEL.pack().findings.len()) {
        let dialogue = dialogue(StrategyName::BayesPlain);
        let finding = FindingIx::new(finding);
        let known = close(MODEL.pack(), &evidence);
        prop_assume!(known[finding.at()].is_none());
        let mut more = evidence.clone();
        more.push(seen(finding, State::Unsure));
        let before = advance(&MODEL, &query(&evidence, &dialogue)).ranked;
        let after = advance(&MODEL, &query(&more, &dialogue)).ranked;
        // What would have followed about this finding from another one is now unsure; that
        // never had a term of its own, so nothing moves.
        prop_assert_eq!(before, after);
    }

    #[test]
    fn a_chief_finding_never_speaks_against_its_condition(
        evidence in evidence(12),
        condition in 0..MODEL.pack().conditions.len(),
        other in 0..MODEL.pack().conditions.len(),
        pick in any::<prop::sample::Index>(),
    ) {
        let pack = MODEL.pack();
        let chief: Vec<FindingIx> = pack.conditions[condition].edges.iter()
            .filter(|e| !e.expects_denial && e.present >= pack.manifest.grades.chief).map(|e| e.finding).collect();
        prop_assume!(!chief.is_empty());
        let finding = *pick.get(&chief);
        prop_assume!(pack.conditions[other].edges.iter().all(|e| !related(finding, e.finding)));
        let evidence: Vec<Evidence> = evidence.into_iter().filter(|e| !related(finding, e.finding)).collect();
        let mut more = evidence.clone();
        more.push(seen(finding, State::Present));
        let dialogue = dialogue(StrategyName::BayesPlain);
        let odds = |evidence: &[Evidence]| {
            let ranked = advance(&MODEL, &query(evidence, &dialogue)).ranked;
            let of = |c: usize| ranked.iter().find(|r| r.condition == ConditionIx::new(c)).unwrap().score;
            of(condition).ln() - of(other).ln()
        };
        prop_assert!(odds(&more) >= odds(&evidence) - 1e-9);
    }

    #[test]
    fn only_what_may_be_asked_is_asked(
        evidence in evidence(30),
        asked in prop::collection::vec((0..MODEL.pack().findings.len()).prop_map(FindingIx::new), 0..30),
        person in person(),
        strategy in strategy(),
        round in 0..12_u32,
    ) {
        let dialogue = dialogue(strategy);
        let scored = advance(&MODEL, &Query { asked: &asked, person, round, limit: 500, ..query(&evidence, &dialogue) });
        let known = close(MODEL.pack(), &evidence);
        for c in &scored.worth_asking {
            let finding = &MODEL.pack().findings[c.finding.at()];
            prop_assert!(finding.askable() && finding.kind != Kind::Pulse, "{}", finding.id);
            prop_assert!(known[c.finding.at()].is_none() && !asked.contains(&c.finding));
            prop_assert!(person.passes(&finding.gate));
            prop_assert!(c.value.is_finite());
        }
        for r in &scored.ranked {
            prop_assert!(person.passes(&MODEL.pack().conditions[r.condition.at()].gate) && r.score.is_finite());
        }
    }

    #[test]
    fn the_same_query_gives_the_same_bits(
        evidence in evidence(20), person in person(), strategy in strategy(), seed in any::<u64>(), round in 0..8_u32,
    ) {
        let dialogue = dialogue(strategy);
        let query = Query { person, seed, round, ..query(&evidence, &dialogue) };
        prop_assert_eq!(advance(&MODEL, &query), advance(&MODEL.clone(), &query));
    }

    #[test]
    fn every_condition_can_be_explained(evidence in evidence(20), strategy in strategy()) {
        let dialogue = dialogue(strategy);
        for c in MODEL.conditions() {
            for part in contributions(&MODEL, &query(&evidence, &dialogue), c) {
                prop_assert!(part.weight.is_finite() && part.state != State::Unsure);
            }
        }
    }
}

/// One of the two is above, implies or excludes the other, or they share a parent.
fn related(a: FindingIx, b: FindingIx) -> bool {
    let touches = |f: FindingIx| -> Vec<FindingIx> {
        let mut line = MODEL.graph().line_of_parents(f);
        line.push(f);
        let direct: Vec<FindingIx> = line
            .iter()
            .filter_map(|f| MODEL.pack().findings.get(f.at()))
            .flat_map(|x| x.implies.iter().chain(&x.excludes).copied())
            .collect();
        line.extend(direct);
        line.extend(MODEL.implied_by(f));
        line
    };
    let (of_a, of_b) = (touches(a), touches(b));
    of_a.iter().any(|f| of_b.contains(f))
}

#[test]
fn a_clinician_may_be_asked_for_the_pulse() {
    let dialogue = dialogue(StrategyName::BayesPlain);
    let query = Query { observer: Observer::Clinician, limit: 500, ..query(&[], &dialogue) };
    let pulse = |f: FindingIx| MODEL.pack().findings[f.at()].kind == Kind::Pulse;
    assert!(advance(&MODEL, &query).worth_asking.iter().any(|c| pulse(c.finding)));
}
