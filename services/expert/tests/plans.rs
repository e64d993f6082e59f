//! Who must not get what: pregnancy, children, allergies, clashes, modifications.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;

use common::{LOCALES, adult, cautions, client, herb_ids, observation, pack, typical};
use wenzhen_expert::ExpertServer;
use wenzhen_pack::{Condition, HerbIx, Incompatible, Locale, Pack, PregnancyClass, Toxicity};
use wenzhen_proto::clinical::v1::{FindingState, PatientContext, Sex, Subject};
use wenzhen_proto::expert::v1::{DiagnoseRequest, DiagnoseResponse};

const EN: wenzhen_proto::clinical::v1::Locale = LOCALES[1].1;

/// A condition that anybody can have, with a modification that adds a herb of no concern.
fn modified(pack: &Pack) -> (usize, usize, HerbIx) {
    let open = |c: &Condition| c.gate == wenzhen_pack::Gate::default();
    let new = |c: &Condition, herb: HerbIx| c.herbs.iter().all(|d| d.herb != herb);
    let mut found = pack.conditions.iter().enumerate().filter(|(_, c)| open(c)).flat_map(|(i, c)| {
        c.modifications
            .iter()
            .enumerate()
            .filter(|(_, m)| m.remove.is_empty())
            .flat_map(move |(j, m)| m.add.iter().filter(move |h| new(c, **h)).map(move |h| (i, j, *h)))
    });
    found.next().expect("a modification")
}

fn over(pack: &Arc<Pack>) -> ExpertServer {
    ExpertServer::new(vec![pack.clone()])
}

async fn ask(server: &ExpertServer, request: DiagnoseRequest) -> DiagnoseResponse {
    client(server.clone()).diagnose(request).await.unwrap().into_inner()
}

/// The modified condition's request with nothing observed but what calls for the modification.
fn request(pack: &Pack, state: FindingState) -> DiagnoseRequest {
    let (condition, modification, _) = modified(pack);
    let condition = &pack.conditions[condition];
    let when = condition.modifications[modification].when;
    let mut request = typical(pack, condition, EN);
    request.observations = vec![observation(&pack.findings[when.at()].id, state)];
    request
}

fn name(pack: &Pack, herb: HerbIx) -> &str {
    pack.herbs[herb.at()].names.text(Locale::En)
}

fn id(pack: &Pack, herb: HerbIx) -> &str {
    &pack.herbs[herb.at()].id
}

#[tokio::test]
async fn a_modification_applies_when_its_finding_is_present() {
    let pack = pack();
    let server = over(&pack);
    let (condition, modification, herb) = modified(&pack);
    let condition = &pack.conditions[condition];
    let finding = &pack.findings[condition.modifications[modification].when.at()].id;

    let with = ask(&server, request(&pack, FindingState::Present)).await;
    let added = with.clinician_plan.as_ref().unwrap().herbs.iter().find(|h| h.herb_id == id(&pack, herb)).unwrap();
    assert_eq!(&added.added_for_finding_id, finding);
    assert_eq!([added.dose_from_g, added.dose_to_g], pack.herbs[herb.at()].dose_g);
    assert_eq!(added.name, name(&pack, herb));
    assert!(with.clinician_plan.unwrap().herbs[0].added_for_finding_id.is_empty());

    for state in [FindingState::Denied, FindingState::Unsure] {
        let without = ask(&server, request(&pack, state)).await;
        assert_eq!(herb_ids(&without).len(), condition.herbs.len());
    }
}

#[tokio::test]
async fn a_modification_removes_and_a_removed_herb_is_not_added_again() {
    let mut pack = (*pack()).clone();
    let (condition, modification, added) = modified(&pack);
    let base = pack.conditions[condition].herbs[0].herb;
    let when = pack.conditions[condition].modifications[modification].when;
    pack.conditions[condition].modifications.push(wenzhen_pack::Modification {
        when,
        add: vec![],
        remove: vec![base, added],
    });
    let pack = Arc::new(pack);
    let server = over(&pack);
    let response = ask(&server, request(&pack, FindingState::Present)).await;
    assert!(!herb_ids(&response).contains(&id(&pack, base)));
    assert!(!herb_ids(&response).contains(&id(&pack, added)));
}

#[tokio::test]
async fn an_added_herb_that_clashes_is_not_added_and_a_clash_of_the_formula_is_named() {
    let mut pack = (*pack()).clone();
    let (condition, _, added) = modified(&pack);
    let base: Vec<HerbIx> = pack.conditions[condition].herbs.iter().map(|d| d.herb).collect();
    let pair = |a, b| Incompatible { a, b, source: "the source".into() };
    pack.incompatible = vec![pair(added, base[0]), pair(base[2], base[1])];
    let pack = Arc::new(pack);
    let server = over(&pack);
    let response = ask(&server, request(&pack, FindingState::Present)).await;
    assert!(!herb_ids(&response).contains(&id(&pack, added)));
    assert!(herb_ids(&response).contains(&id(&pack, base[1])) && herb_ids(&response).contains(&id(&pack, base[2])));
    let cautions = &response.clinician_plan.as_ref().unwrap().cautions;
    let names = |a, b| {
        cautions.iter().any(|c| c.contains(name(&pack, a)) && c.contains(name(&pack, b)) && c.contains("the source"))
    };
    assert!(names(added, base[0]) && names(base[1], base[2]), "{cautions:?}");
}

/// The pack with one base herb forbidden, one cautioned, and the added one forbidden in pregnancy.
fn pregnancy_pack() -> (Arc<Pack>, [HerbIx; 3]) {
    let mut pack = (*pack()).clone();
    for herb in &mut pack.herbs {
        herb.pregnancy = PregnancyClass::None;
    }
    let (condition, _, added) = modified(&pack);
    let [forbidden, cautioned] = [0, 1].map(|i| pack.conditions[condition].herbs[i].herb);
    pack.herbs[forbidden.at()].pregnancy = PregnancyClass::Forbidden;
    pack.herbs[added.at()].pregnancy = PregnancyClass::Forbidden;
    pack.herbs[cautioned.at()].pregnancy = PregnancyClass::Caution;
    (Arc::new(pack), [forbidden, cautioned, added])
}

#[tokio::test]
async fn pregnancy_leaves_out_what_is_forbidden_also_when_it_is_not_known() {
    let (pack, [forbidden, cautioned, added]) = pregnancy_pack();
    let server = over(&pack);
    let person = |sex: Sex, years: Option<u32>, pregnant: Option<bool>| PatientContext {
        age_months: years.map(|y| y * 12),
        pregnant,
        sex: sex.into(),
        ..PatientContext::default()
    };
    let (f, m, u) = (Sex::Female, Sex::Male, Sex::Unspecified);
    let unknown = pack.voice(Locale::En).unwrap().expert.cautions.pregnancy_unknown.clone();
    for (patient, counts, assumed) in [
        (person(f, Some(30), Some(true)), true, false),
        (person(f, Some(30), Some(false)), false, false),
        (person(f, Some(30), None), true, true),
        (person(u, Some(30), None), true, true),
        (person(u, None, None), true, true),
        (person(f, None, None), true, true),
        (person(m, Some(30), None), false, false),
        (person(m, None, None), false, false),
        (person(f, Some(12), None), true, true),
        (person(f, Some(11), None), false, false),
        (person(f, Some(55), None), true, true),
        (person(f, Some(56), None), false, false),
        (PatientContext { pregnancy_weeks: Some(8), ..person(f, Some(30), None) }, true, false),
    ] {
        let mut request = request(&pack, FindingState::Present);
        request.patient = Some(patient.clone());
        let response = ask(&server, request).await;
        let (ids, cautions) = (herb_ids(&response), cautions(&response));
        for herb in [forbidden, added] {
            assert_eq!(!ids.contains(&id(&pack, herb)), counts, "{patient:?}");
            assert_eq!(
                cautions.contains(name(&pack, herb)),
                counts || pack.herbs[herb.at()].cautions.is_some() || pack.herbs[herb.at()].toxicity != Toxicity::None,
                "{patient:?}"
            );
        }
        assert!(ids.contains(&id(&pack, cautioned)));
        assert_eq!(cautions.contains(&unknown), assumed, "{patient:?}");
    }
    let mut nothing_known = request(&pack, FindingState::Present);
    nothing_known.patient = None;
    assert!(!herb_ids(&ask(&server, nothing_known).await).contains(&id(&pack, forbidden)));
}

#[tokio::test]
async fn no_adult_dose_is_given_to_a_child() {
    let pack = pack();
    let server = over(&pack);
    let words = pack.voice(Locale::En).unwrap().expert.cautions.child.clone();
    let child = |months: Option<u32>, subject: Subject| PatientContext {
        age_months: months,
        subject: subject.into(),
        sex: Sex::Male.into(),
        ..PatientContext::default()
    };
    for (patient, is_child) in [
        (child(Some(13 * 12 + 11), Subject::Unspecified), true),
        (child(Some(0), Subject::Unspecified), true),
        (child(None, Subject::Child), true),
        (child(Some(14 * 12), Subject::Child), false),
        (child(None, Subject::Unspecified), false),
    ] {
        let mut request = request(&pack, FindingState::Present);
        request.patient = Some(patient.clone());
        let response = ask(&server, request).await;
        let plan = response.clinician_plan.as_ref().unwrap();
        assert!(!plan.herbs.is_empty());
        assert!(plan.herbs.iter().all(|h| (h.dose_to_g == 0.0 && h.dose_from_g == 0.0) == is_child), "{patient:?}");
        assert_eq!(plan.cautions.contains(&words), is_child, "{patient:?}");
    }
}

#[tokio::test]
async fn a_herb_that_an_allergy_names_is_left_out_in_whatever_words() {
    let pack = pack();
    let server = over(&pack);
    let (condition, _, added) = modified(&pack);
    let base = pack.conditions[condition].herbs[0].herb;
    for herb in [base, added] {
        let names = &pack.herbs[herb.at()].names;
        let latin = names.text(Locale::En).split(" (").next().unwrap().to_owned();
        let zh = names.text(Locale::Zh);
        let told = [
            zh.to_owned(),
            format!("我不能用{zh}"),
            format!("I'm allergic to {}", latin.to_uppercase()),
            pack.herbs[herb.at()].id.clone(),
        ];
        for words in told {
            let mut request = request(&pack, FindingState::Present);
            request.patient = Some(PatientContext { allergies: vec![words.clone()], ..adult(Sex::Male) });
            let response = ask(&server, request).await;
            assert!(!herb_ids(&response).contains(&id(&pack, herb)), "{words}");
            assert!(cautions(&response).contains(name(&pack, herb)), "{words}");
        }
    }
    let mut request = request(&pack, FindingState::Present);
    request.patient = Some(PatientContext {
        allergies: vec!["没有".into(), "no known allergies".into(), "penicillin".into(), "对".into(), String::new()],
        medicines: vec!["aspirin".into()],
        ..adult(Sex::Male)
    });
    let response = ask(&server, request).await;
    assert!(herb_ids(&response).contains(&id(&pack, base)) && herb_ids(&response).contains(&id(&pack, added)));
    let words = &pack.voice(Locale::En).unwrap().expert.cautions;
    assert!(cautions(&response).contains(&words.allergies) && cautions(&response).contains(&words.medicines));
}

#[tokio::test]
async fn toxic_herbs_are_named_and_doses_stay_in_the_herbs_own_range() {
    let mut pack = (*pack()).clone();
    let (condition, _, _) = modified(&pack);
    let herb = pack.conditions[condition].herbs[0].herb;
    pack.herbs[herb.at()].toxicity = Toxicity::Severe;
    let [_, most] = pack.herbs[herb.at()].dose_g;
    pack.conditions[condition].herbs[0].dose_g = [most, most * 10.0];
    let pack = Arc::new(pack);
    let server = over(&pack);
    let response = ask(&server, request(&pack, FindingState::Denied)).await;
    let plan = response.clinician_plan.as_ref().unwrap();
    assert_eq!([plan.herbs[0].dose_from_g, plan.herbs[0].dose_to_g], [most, most]);
    let class = &pack.voice(Locale::En).unwrap().expert.cautions.classes.severe;
    let about = |text: &str| plan.cautions.iter().any(|c| c.contains(name(&pack, herb)) && c.contains(text));
    assert!(about(class) && about("dose"), "{:?}", plan.cautions);
}
