//! What an overlay does to the graph, on the flagship pack and on the made-up ones.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::sync::LazyLock;

use proptest::prelude::*;
use support::{condition, finding, query, seen, tcm, tiny};
use wenzhen_kg::model::Model;
use wenzhen_kg::strategy::advance;
use wenzhen_kg::weights::{EdgeId, Overlay};
use wenzhen_pack::{ConditionIx, Dialogue, FindingIx, State, StrategyName};

static MODEL: LazyLock<Model> = LazyLock::new(tcm);

fn overlay(model: &Model, edges: &[(usize, usize, i32)]) -> Overlay {
    let mut overlay = Overlay::default();
    for (c, f, micros) in edges {
        let edge =
            EdgeId { condition: model.pack().conditions[*c].id.clone(), finding: model.pack().findings[*f].id.clone() };
        overlay.set(&edge, *micros);
    }
    overlay
}

fn edges(most: usize) -> impl Strategy<Value = Vec<(usize, usize, i32)>> {
    let (conditions, findings) = (MODEL.pack().conditions.len(), MODEL.pack().findings.len());
    prop::collection::vec((0..conditions, 0..findings, -1_000_000..=1_000_000), 0..most)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn whatever_was_learned_the_rates_fit_together(edges in edges(60)) {
        let model = MODEL.with(&overlay(&MODEL, &edges));
        let pack = model.pack();
        for c in model.conditions() {
            for (i, f) in pack.findings.iter().enumerate() {
                let rate = model.rate(c, FindingIx::new(i));
                prop_assert!(rate > 0.0 && rate < 1.0);
                let above = f.parent.map_or(1.0, |parent| model.rate(c, parent));
                prop_assert!(rate <= above + 1e-9, "a child is no more frequent than its parent");
            }
        }
        let dialogue = pack.manifest.dialogue.clone();
        let scored = advance(&model, &query(&[seen(FindingIx::new(0), State::Present)], &dialogue));
        prop_assert!((scored.ranked.iter().map(|r| r.score).sum::<f64>() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_strengthened_edge_speaks_no_less_for_its_condition(
        c in 0..MODEL.pack().conditions.len(),
        pick in any::<prop::sample::Index>(),
        nats in 1_000..=1_000_000_i32,
    ) {
        let listed: Vec<FindingIx> = MODEL.pack().conditions[c].edges.iter().map(|e| e.finding).collect();
        let f = *pick.get(&listed);
        let of = |model: &Model| model.rate(ConditionIx::new(c), f);
        let (up, down) = (
            MODEL.with(&overlay(&MODEL, &[(c, f.at(), nats)])),
            MODEL.with(&overlay(&MODEL, &[(c, f.at(), -nats)])),
        );
        prop_assert!(of(&up) >= of(&MODEL) - 1e-12 && of(&down) <= of(&MODEL) + 1e-12);
        // Other conditions know nothing of it.
        for other in MODEL.conditions().filter(|other| other.at() != c) {
            prop_assert_eq!(up.sparse().of_condition(other), MODEL.sparse().of_condition(other));
        }
    }
}

#[test]
fn nothing_learned_is_the_pack_bit_for_bit() {
    let same = MODEL.with(&Overlay::default());
    for c in MODEL.conditions() {
        assert_eq!(same.sparse().of_condition(c), MODEL.sparse().of_condition(c));
        assert_eq!(same.norm(c).to_bits(), MODEL.norm(c).to_bits());
    }
}

#[test]
fn an_edge_that_the_pack_lists_is_shifted_in_log_odds() {
    let model = tiny();
    let (c, f) = (condition(&model, "seal_broken"), finding(&model, "leak"));
    assert!((model.rate(c, f) - 0.8).abs() < 1e-9);
    let learned = model.with(&overlay(&model, &[(c.at(), f.at(), -1_000_000)]));
    let odds = 0.8 / 0.2 * (-1.0_f64).exp();
    assert!((learned.rate(c, f) - odds / (1.0 + odds)).abs() < 1e-9);
    assert!((learned.sparse().entry(c, f).unwrap().weight - odds / (1.0 + odds)).abs() < 1e-9, "strategy dopi too");
}

#[test]
fn an_edge_that_the_pack_does_not_list_can_be_learned() {
    let model = tiny();
    let (c, f) = (condition(&model, "pump_worn"), finding(&model, "smell"));
    assert!(model.sparse().entry(c, f).is_none());
    let learned = model.with(&overlay(&model, &[(c.at(), f.at(), 1_000_000)]));
    let odds = 0.1 / 0.9 * 1.0_f64.exp();
    assert!((learned.rate(c, f) - odds / (1.0 + odds)).abs() < 1e-9);
    let score = |model: &Model, strategy| {
        let dialogue = Dialogue { strategy, ..model.pack().manifest.dialogue.clone() };
        let ranked = advance(model, &query(&[seen(f, State::Present)], &dialogue)).ranked;
        ranked.iter().find(|r| r.condition == c).unwrap().score
    };
    for strategy in [StrategyName::BayesPlain, StrategyName::Dopi] {
        assert!(score(&learned, strategy) > score(&model, strategy), "{strategy:?}");
    }
    // Weakened, it has no edge of its own, but it speaks against.
    let against = model.with(&overlay(&model, &[(c.at(), f.at(), -1_000_000)]));
    assert_eq!(against.sparse().entry(c, f).unwrap().weight, 0.0);
    assert!(score(&against, StrategyName::BayesPlain) < score(&model, StrategyName::BayesPlain));
}

#[test]
fn edges_of_another_pack_are_passed_over() {
    let model = tiny();
    let mut overlay = Overlay::default();
    overlay.set(&EdgeId { condition: "c1".into(), finding: "f1".into() }, 5);
    let same = model.with(&overlay);
    for c in model.conditions() {
        assert_eq!(same.sparse().of_condition(c), model.sparse().of_condition(c));
    }
}
