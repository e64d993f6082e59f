//! Evidence has the right sign, undecided findings are a clinician's, passages fit the case.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;

use common::{LOCALES, client, observation, pack, server, typical};
use proptest::prelude::*;
use wenzhen_pack::Observer;
use wenzhen_proto::clinical::v1::{FindingState, Observation, PatientContext, RankedCondition, Sex, Urgency};
use wenzhen_proto::expert::v1::DiagnoseRequest;

#[tokio::test]
async fn what_a_condition_lists_speaks_for_it_and_its_denial_against() {
    let pack = pack();
    let mut client = client(server());
    for condition in &pack.conditions {
        let chief = condition.edges.iter().find(|e| !e.expects_denial).unwrap();
        let id = &pack.findings[chief.finding.at()].id;
        for (state, speaks_for) in [(FindingState::Present, true), (FindingState::Denied, false)] {
            let mut request = typical(&pack, condition, LOCALES[0].1);
            // Against the pack's base rates, since any rival may list the same finding.
            request.ranked.truncate(1);
            request.observations = vec![observation(id, state)];
            let response = client.diagnose(request).await.unwrap().into_inner();
            let first = &response.differential[0];
            let list = if speaks_for { &first.evidence_for } else { &first.evidence_against };
            let found = list.iter().find(|c| &c.finding_id == id).unwrap_or_else(|| panic!("{} {id}", condition.id));
            assert_eq!(found.weight > 0.0, speaks_for);
            assert_eq!((found.state(), found.derived), (state, false));
        }
    }
}

#[tokio::test]
async fn evidence_is_sorted_and_undecided_findings_are_unknown_and_not_the_patients() {
    let pack = pack();
    let mut client = client(server());
    let mut undecided = 0;
    for condition in &pack.conditions {
        let mut request = typical(&pack, condition, LOCALES[0].1);
        request.observations.retain(|o| {
            let finding = &pack.findings[pack.finding(&o.finding_id).unwrap().at()];
            finding.observable.contains(&Observer::Patient)
        });
        let known: Vec<String> = request.observations.iter().map(|o| o.finding_id.clone()).collect();
        let response = client.diagnose(request).await.unwrap().into_inner();
        assert_eq!(response.differential.len(), 3);
        for d in &response.differential {
            for list in [&d.evidence_for, &d.evidence_against] {
                assert!(list.windows(2).all(|w| w[0].weight.abs() >= w[1].weight.abs()));
            }
            assert!(d.evidence_for.iter().all(|c| c.weight > 0.0));
            assert!(d.evidence_against.iter().all(|c| c.weight < 0.0));
            for id in &d.undecided_finding_ids {
                let finding = &pack.findings[pack.finding(id).unwrap().at()];
                assert!(!finding.observable.contains(&Observer::Patient) && !known.contains(id));
                undecided += 1;
            }
        }
    }
    assert!(undecided > pack.conditions.len(), "{undecided}");
}

#[tokio::test]
async fn passages_about_the_condition_are_cited_in_the_right_language() {
    let pack = pack();
    let mut client = client(server());
    for (locale, message) in LOCALES {
        for (i, condition) in pack.conditions.iter().enumerate() {
            let here = |id: &str| pack.passages.iter().find(|p| p.id == id).unwrap();
            let response = client.diagnose(typical(&pack, condition, message)).await.unwrap().into_inner();
            assert!(response.citations.windows(2).all(|w| w[0].score >= w[1].score));
            assert!(response.citations.iter().all(|c| here(&c.passage_id).locale == locale));
            let about = |p: &wenzhen_pack::Passage| p.conditions.iter().any(|c| c.at() == i);
            if pack.passages.iter().any(|p| p.locale == locale && about(p)) {
                assert!(response.citations.iter().any(|c| about(here(&c.passage_id))), "{} {locale}", condition.id);
            }
        }
    }
}

fn any_request() -> impl Strategy<Value = DiagnoseRequest> {
    let pack = pack();
    let (findings, conditions) = (pack.findings.len(), pack.conditions.len());
    let observation = (0..findings, 1..=3_i32, proptest::option::of(0.01_f32..=1.0), 0..=3_i32, any::<bool>());
    let observations = proptest::collection::vec(observation, 0..60);
    let ranked = proptest::collection::vec((0..conditions, 0.0..=1.0_f64), 1..=20);
    let age = proptest::option::of(0..=1560_u32);
    let person =
        (age, 0..=2_i32, proptest::option::of(any::<bool>()), 0..=5_i32, proptest::collection::vec(".{0,12}", 0..3));
    (observations, ranked, person, 1..=4_i32, 1..=2_i32).prop_map(
        move |(observations, ranked, person, urgency, locale)| {
            let pack: &Arc<wenzhen_pack::Pack> = &pack;
            let observations = observations.into_iter().map(|(f, state, probability, source, past)| Observation {
                finding_id: pack.findings[f].id.clone(),
                state,
                probability,
                source,
                past,
                ..Observation::default()
            });
            let mut seen = std::collections::BTreeSet::new();
            let ranked = ranked
                .into_iter()
                .filter(|(c, _)| seen.insert(*c))
                .map(|(c, score)| RankedCondition { condition_id: pack.conditions[c].id.clone(), score });
            let (age_months, sex, pregnant, subject, allergies) = person;
            DiagnoseRequest {
                pins: Some(wenzhen_proto::clinical::v1::Pins {
                    pack_digest: pack.digest.to_string(),
                    ..Default::default()
                }),
                observations: observations.collect(),
                ranked: ranked.collect(),
                patient: Some(PatientContext {
                    age_months,
                    sex,
                    pregnant,
                    subject,
                    allergies,
                    ..PatientContext::default()
                }),
                urgency,
                red_flags: Vec::new(),
                locale,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_case_is_answered_with_a_sound_draft(request in any_request()) {
        let pack = pack();
        let response = server().answer(&request).unwrap();
        let draft = response.draft.unwrap();
        prop_assert_eq!(wenzhen_facts::validate(&draft), Ok(()));
        prop_assert!(!draft.text.trim().is_empty() && !draft.facts.is_empty());
        prop_assert!(draft.facts.iter().all(|f| !f.clinician_only));
        prop_assert_eq!(response.differential.len(), request.ranked.len().min(3));
        let scores: Vec<f64> = response.differential.iter().map(|d| d.condition.as_ref().unwrap().score).collect();
        prop_assert!(scores.windows(2).all(|w| w[0] >= w[1]));
        prop_assert!(!response.patient_plan.unwrap().referral.is_empty());
        let patient = request.patient.as_ref().unwrap();
        let plan = response.clinician_plan.unwrap();
        prop_assert_eq!(plan.herbs.is_empty(), request.urgency > i32::from(Urgency::Today));
        let safe = patient.pregnant == Some(false)
            || (patient.pregnant.is_none() && (patient.sex() == Sex::Male || patient.age_months.is_some_and(|m| !(144..672).contains(&m))));
        for herb in &plan.herbs {
            let known = &pack.herbs[pack.herb(&herb.herb_id).unwrap().at()];
            prop_assert!(herb.dose_to_g <= known.dose_g[1] && herb.dose_from_g <= herb.dose_to_g);
            let male_only = pack.conditions[pack.condition(&response.differential[0].condition.as_ref().unwrap().condition_id).unwrap().at()].gate.sex == Some(wenzhen_pack::Sex::Male);
            prop_assert!(safe || male_only || known.pregnancy != wenzhen_pack::PregnancyClass::Forbidden);
        }
        let ids: std::collections::BTreeSet<&str> = plan.herbs.iter().map(|h| h.herb_id.as_str()).collect();
        prop_assert_eq!(ids.len(), plan.herbs.len());
    }
}
