//! What a finished consultation teaches.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;

use common::{client, observation, pack, ranked, server};
use proptest::prelude::*;
use tonic::Code;
use tonic_types::StatusExt;
use wenzhen_pack::Condition;
use wenzhen_proto::clinical::v1::{FindingState, Observation, ObservationSource, Pins, RankedCondition};
use wenzhen_proto::expert::v1::{GraphRate, ReviewRequest, ReviewResponse};
use wenzhen_proto::kg::v1::{EdgeFeedback, FeedbackReason};

/// The first condition of the pack with at least six listed findings that have neither parent nor axis.
fn confirmed() -> Condition {
    let pack = pack();
    let plain = |c: &&Condition| plain_findings(c).len() >= 6;
    pack.conditions.iter().find(plain).unwrap().clone()
}

fn plain_findings(condition: &Condition) -> Vec<String> {
    let pack = pack();
    let alone = |f: &wenzhen_pack::Finding| f.parent.is_none() && f.axis.is_none() && f.excludes.is_empty();
    let listed = condition.edges.iter().filter(|e| !e.expects_denial).map(|e| &pack.findings[e.finding.at()]);
    listed.filter(|f| alone(f)).map(|f| f.id.clone()).collect()
}

fn asked(finding: &str, state: FindingState) -> Observation {
    Observation { answers_question: true, ..observation(finding, state) }
}

fn request(score: f64, observations: Vec<Observation>, rates: &[(&str, f64)]) -> ReviewRequest {
    let (pack, confirmed) = (pack(), confirmed());
    let rate = |(id, probability): &(&str, f64)| GraphRate { finding_id: (*id).into(), probability: *probability };
    ReviewRequest {
        pins: Some(Pins { pack_digest: pack.digest.to_string(), weight_epoch: 3, ..Pins::default() }),
        observations,
        ranked: ranked(&pack, &confirmed, score),
        confirmed_condition_id: confirmed.id,
        rates: rates.iter().map(rate).collect(),
    }
}

fn review(request: &ReviewRequest) -> ReviewResponse {
    server().look_back(request).unwrap()
}

fn moves(response: &ReviewResponse) -> BTreeMap<String, (i32, FeedbackReason)> {
    response.edges.iter().map(|e| (e.finding_id.clone(), (e.shift_micros, e.reason()))).collect()
}

#[test]
fn surprise_moves_an_edge_and_only_the_confirmed_ones() {
    let ids = plain_findings(&confirmed());
    let [a, b, c, d, e, ..] = ids.as_slice() else { panic!("six findings") };
    let observations = vec![
        asked(a, FindingState::Present),
        asked(b, FindingState::Denied),
        asked(c, FindingState::Present),
        asked(d, FindingState::Denied),
        asked(e, FindingState::Unsure),
    ];
    let response = review(&request(0.2, observations, &[(a, 0.1), (b, 0.9), (c, 0.7), (d, 0.25), (e, 0.5)]));
    let expected = BTreeMap::from([
        (a.clone(), (72_000, FeedbackReason::UnexpectedPresence)),
        (b.clone(), (-72_000, FeedbackReason::UnexpectedDenial)),
        (c.clone(), (24_000, FeedbackReason::ExpectedPresence)),
        (d.clone(), (-20_000, FeedbackReason::ExpectedDenial)),
    ]);
    assert_eq!(moves(&response), expected);
    assert!(response.edges.iter().all(|edge| edge.condition_id == confirmed().id));
    let sizes: Vec<i32> = response.edges.iter().map(|edge| edge.shift_micros.abs()).collect();
    assert!(sizes.is_sorted_by(|a, b| a >= b), "strongest first");
    assert_eq!(response.pins.as_ref().unwrap().weight_epoch, 3);
    assert!(response.argued_for.iter().chain(&response.argued_against).any(|c| c.finding_id == *a));
}

#[test]
fn a_graph_that_was_right_learns_little() {
    let ids = plain_findings(&confirmed());
    let observations = vec![asked(&ids[0], FindingState::Present)];
    let at = |score| moves(&review(&request(score, observations.clone(), &[(&ids[0], 0.1)])));
    assert_eq!(at(0.9)[&ids[0]].0, 9_000);
    assert_eq!(at(1.0), BTreeMap::new());
    // A condition that was not even ranked was given nothing.
    let mut unranked = request(0.5, observations, &[(&ids[0], 0.1)]);
    unranked.ranked.remove(0);
    assert_eq!(moves(&review(&unranked))[&ids[0]].0, 90_000);
    unranked.ranked = Vec::<RankedCondition>::new();
    assert_eq!(moves(&review(&unranked))[&ids[0]].0, 90_000);
}

#[test]
fn what_nobody_asked_for_counts_only_as_a_surprise() {
    let ids = plain_findings(&confirmed());
    let rates = [(ids[0].as_str(), 0.7), (ids[1].as_str(), 0.1)];
    let said = |id: &str| observation(id, FindingState::Present);
    let response = review(&request(0.0, vec![said(&ids[0]), said(&ids[1])], &rates));
    assert_eq!(moves(&response).keys().collect::<Vec<_>>(), [&ids[1]]);
    // What a clinician looked for was asked for.
    let seen = Observation { source: ObservationSource::Clinician.into(), ..said(&ids[0]) };
    assert_eq!(moves(&review(&request(0.0, vec![seen], &rates)))[&ids[0]].0, 30_000);
}

#[test]
fn only_what_was_said_counts() {
    let pack = pack();
    let child = pack.findings.iter().find(|f| f.parent.is_some() && f.implies.is_empty()).unwrap();
    let response = review(&request(0.0, vec![asked(&child.id, FindingState::Present)], &[(&child.id, 0.1)]));
    assert_eq!(moves(&response).keys().collect::<Vec<_>>(), [&child.id], "not the parent that follows");
    let over = Observation { past: true, ..asked(&plain_findings(&confirmed())[0], FindingState::Present) };
    assert_eq!(review(&request(0.0, vec![over], &[])).edges, Vec::<EdgeFeedback>::new(), "not what is over");
    assert_eq!(review(&request(0.0, vec![], &[])).edges, Vec::<EdgeFeedback>::new());
}

#[test]
fn a_finding_without_a_rate_is_rated_as_the_pack_has_it() {
    let (pack, confirmed) = (pack(), confirmed());
    let id = &plain_findings(&confirmed)[0];
    let edge = confirmed.edges.iter().find(|e| pack.findings[e.finding.at()].id == *id).unwrap();
    let micros = moves(&review(&request(0.0, vec![asked(id, FindingState::Denied)], &[])))[id].0;
    assert!((f64::from(micros) + 100_000.0 * edge.present).abs() < 1.0, "{micros} for {}", edge.present);
}

#[tokio::test]
async fn every_wrong_field_is_named() {
    let mut client = client(server());
    let good = request(0.5, vec![], &[]);
    let id = plain_findings(&confirmed())[0].clone();
    let rate = |probability| GraphRate { finding_id: id.clone(), probability };
    let cases = [
        (ReviewRequest { pins: None, ..good.clone() }, "pins.pack_digest"),
        (ReviewRequest { confirmed_condition_id: "c1".into(), ..good.clone() }, "confirmed_condition_id"),
        (ReviewRequest { rates: vec![rate(1.0)], ..good.clone() }, "rates[0].probability"),
        (ReviewRequest { rates: vec![rate(f64::NAN)], ..good.clone() }, "rates[0].probability"),
        (ReviewRequest { rates: vec![rate(0.5), rate(0.5)], ..good.clone() }, "rates[1].finding_id"),
        (
            ReviewRequest { observations: vec![asked("f1", FindingState::Present)], ..good.clone() },
            "observations[0].finding_id",
        ),
        (ReviewRequest { ranked: vec![good.ranked[0].clone(); 2], ..good.clone() }, "ranked[1].condition_id"),
    ];
    for (request, field) in cases {
        let status = client.review(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        let fields: Vec<_> =
            status.get_details_bad_request().unwrap().field_violations.into_iter().map(|v| v.field).collect();
        assert_eq!(fields, [field]);
    }
    let unknown = Some(Pins { pack_digest: "ab".repeat(32), ..Pins::default() });
    let status = client.review(ReviewRequest { pins: unknown, ..good.clone() }).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(client.review(good.clone()).await.unwrap().into_inner(), review(&good), "the same over the wire");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn whatever_was_observed_the_moves_are_bounded_and_in_the_right_direction(
        said in prop::collection::vec((0..pack().findings.len(), 1..4_i32, 0.01..=1.0_f32, any::<bool>()), 0..60),
        rates in prop::collection::vec(0.001..0.999_f64, 60),
        score in 0.0..=1.0_f64,
    ) {
        let pack = pack();
        let id = |f: usize| pack.findings[f].id.clone();
        let observations = said.iter().map(|(f, state, sure, answers_question)| Observation {
            probability: Some(*sure),
            answers_question: *answers_question,
            ..observation(&id(*f), FindingState::try_from(*state).unwrap())
        });
        let given: BTreeMap<usize, f64> = said.iter().zip(&rates).map(|((f, ..), rate)| (*f, *rate)).collect();
        let rates: Vec<GraphRate> =
            given.iter().map(|(f, p)| GraphRate { finding_id: id(*f), probability: *p }).collect();
        let request = ReviewRequest { rates, ..request(score, observations.collect(), &[]) };
        let response = review(&request);
        prop_assert!(response.edges.len() <= 16);
        for edge in &response.edges {
            prop_assert!(edge.shift_micros != 0 && edge.shift_micros.abs() <= 100_000);
            let last = request.observations.iter().rev().find(|o| o.finding_id == edge.finding_id).unwrap();
            prop_assert_eq!(edge.shift_micros > 0, last.state() == FindingState::Present);
        }
        prop_assert_eq!(response, review(&request), "the same bits");
    }
}
