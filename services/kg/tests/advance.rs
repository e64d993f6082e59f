//! The service over real gRPC on a loopback port of the system's choice.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::sync::Arc;

use support::tiny;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Channel, Server};
use tonic::{Code, Status};
use tonic_types::StatusExt;
use wenzhen_kg::KgServer;
use wenzhen_proto::clinical::v1::{FindingState, Locale, Observation, PatientContext, Pins, Sex};
use wenzhen_proto::kg::v1::kg_service_client::KgServiceClient;
use wenzhen_proto::kg::v1::{
    AdvanceRequest, Case, DescribeRequest, ExplainRequest, GetConditionRequest, ListFindingsRequest, Observer, Reason,
    Recommendation, Strategy,
};

struct Service {
    client: KgServiceClient<Channel>,
    digest: String,
}

async fn start() -> Service {
    let pack = Arc::new(tiny().pack().clone());
    let digest = pack.digest.to_string();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::builder().add_service(KgServer::new([pack]).into_service());
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    let client = KgServiceClient::connect(format!("http://{address}")).await.unwrap();
    Service { client, digest }
}

impl Service {
    fn case(&self, observations: Vec<Observation>) -> Case {
        let pins = Pins { pack_digest: self.digest.clone(), ..Pins::default() };
        Case { pins: Some(pins), observations, ..Case::default() }
    }

    async fn fail(&mut self, case: Case) -> Status {
        let request = AdvanceRequest { case: Some(case), ..AdvanceRequest::default() };
        self.client.advance(request).await.unwrap_err()
    }
}

fn observed(finding_id: &str, state: FindingState) -> Observation {
    Observation { finding_id: finding_id.into(), state: state.into(), ..Observation::default() }
}

fn violated(status: &Status) -> Vec<String> {
    assert_eq!(status.code(), Code::InvalidArgument);
    status.get_details_bad_request().unwrap().field_violations.into_iter().map(|v| v.field).collect()
}

#[tokio::test]
async fn a_case_is_asked_about_until_it_is_clear() {
    let mut service = start().await;
    let case = service.case(vec![observed("smell", FindingState::Present)]);
    let request =
        AdvanceRequest { case: Some(case.clone()), max_conditions: 2, max_findings: 3, ..AdvanceRequest::default() };
    let first = service.client.advance(request.clone()).await.unwrap().into_inner();
    assert_eq!(first.recommendation(), Recommendation::Ask);
    assert_eq!((first.reason(), first.strategy()), (Reason::Gain, Strategy::BayesPlain));
    assert_eq!((first.ranked.len(), first.worth_asking.len()), (2, 3));
    assert_eq!(first.ranked[0].condition_id, "fuse_blown");
    assert_eq!(first.pins.as_ref().unwrap().pack_digest, service.digest);
    assert_eq!(first.worth_asking[0].separates.len(), 2);
    let again = service.client.advance(request).await.unwrap().into_inner();
    assert_eq!(first, again);
    let mut clear = case;
    clear.observations.push(observed("no_power", FindingState::Present));
    let request = AdvanceRequest { case: Some(clear), ..AdvanceRequest::default() };
    let last = service.client.advance(request).await.unwrap().into_inner();
    assert_eq!((last.recommendation(), last.reason()), (Recommendation::Diagnose, Reason::PosteriorReached));
    let sum: f64 = last.ranked.iter().map(|r| r.score).sum();
    assert!((sum - 1.0).abs() < 1e-9);
}

#[tokio::test]
async fn strategy_observer_and_person_are_the_requests() {
    let mut service = start().await;
    let patient = PatientContext { sex: Sex::Male.into(), age_months: Some(23), ..PatientContext::default() };
    let case = Case {
        strategy: Strategy::Dopi.into(),
        observer: Observer::Clinician.into(),
        patient: Some(patient),
        ..service.case(vec![observed("no_power", FindingState::Present)])
    };
    let request =
        AdvanceRequest { case: Some(case), max_conditions: 0, max_findings: 100, ..AdvanceRequest::default() };
    let response = service.client.advance(request).await.unwrap().into_inner();
    assert_eq!(response.strategy(), Strategy::Dopi);
    let asked: Vec<&str> = response.worth_asking.iter().map(|c| c.finding_id.as_str()).collect();
    assert!(asked.contains(&"voltage_low") && !asked.contains(&"descaled_never"));
    assert!(response.ranked.iter().all(|r| !["foamer_blocked", "old_age"].contains(&r.condition_id.as_str())));
}

#[tokio::test]
async fn what_is_over_is_neither_evidence_nor_asked() {
    let mut service = start().await;
    let mut over = observed("leak", FindingState::Present);
    over.past = true;
    let observations = vec![observed("leak", FindingState::Present), over];
    let case = service.case(observations);
    let request =
        AdvanceRequest { case: Some(case), max_conditions: 0, max_findings: 100, ..AdvanceRequest::default() };
    let response = service.client.advance(request).await.unwrap().into_inner();
    assert_eq!(response.reason(), Reason::NoEvidence);
    assert!(response.worth_asking.iter().all(|c| c.finding_id != "leak"));
}

#[tokio::test]
async fn an_unknown_pack_or_epoch_is_a_failed_precondition() {
    let mut service = start().await;
    let mut case = service.case(Vec::new());
    case.pins = Some(Pins { pack_digest: "ab".repeat(32), ..Pins::default() });
    let status = service.fail(case).await;
    assert_eq!(status.code(), Code::FailedPrecondition);
    let info = status.get_details_error_info().unwrap();
    assert_eq!((info.reason.as_str(), info.metadata["digest"].as_str()), ("PACK_UNKNOWN", "ab".repeat(32).as_str()));
    let mut case = service.case(Vec::new());
    case.pins.as_mut().unwrap().weight_epoch = 3;
    let status = service.fail(case).await;
    assert_eq!(status.get_details_error_info().unwrap().reason, "EPOCH_UNKNOWN");
}

#[tokio::test]
async fn every_wrong_field_is_named_and_nothing_is_echoed() {
    let mut service = start().await;
    let mut wrong = observed("i feel terrible", FindingState::Present);
    let mut improbable = observed("leak", FindingState::Denied);
    improbable.probability = Some(f32::NAN);
    let case = Case {
        asked_finding_ids: vec!["leak".into(), "nothing".into()],
        strategy: 77,
        observer: 9,
        patient: Some(PatientContext { age_months: Some(9000), ..PatientContext::default() }),
        ..service.case(vec![wrong.clone(), improbable, observed("smell", FindingState::Unspecified)])
    };
    let status = service.fail(case).await;
    assert_eq!(
        violated(&status),
        [
            "case.observations[0].finding_id",
            "case.observations[1].probability",
            "case.observations[2].state",
            "case.asked_finding_ids[1]",
            "case.strategy",
            "case.observer",
            "case.patient.age_months",
        ]
    );
    assert!(!format!("{status:?}").contains("terrible"));
    wrong.finding_id = "leak".into();
    let many = service.case(vec![wrong; 1001]);
    assert_eq!(violated(&service.fail(many).await), ["case.observations"]);
    let none = service.client.advance(AdvanceRequest::default()).await.unwrap_err();
    assert_eq!(violated(&none), ["case"]);
    let large = AdvanceRequest { max_findings: 101, ..AdvanceRequest::default() };
    assert_eq!(violated(&service.client.advance(large).await.unwrap_err()), ["max_findings"]);
}

#[tokio::test]
async fn scores_and_questions_are_explained() {
    let mut service = start().await;
    let case = service.case(vec![observed("noise_rattling", FindingState::Present)]);
    let request = ExplainRequest {
        case: Some(case),
        condition_ids: vec!["pump_worn".into(), "heater_dead".into()],
        finding_ids: vec!["leak".into()],
    };
    let response = service.client.explain(request.clone()).await.unwrap().into_inner();
    let [pump, heater] = response.conditions.as_slice() else { panic!("two conditions") };
    assert!(pump.contributions.iter().all(|c| c.weight > 0.0));
    assert!(heater.contributions.iter().any(|c| c.finding_id == "noise" && c.derived && c.weight < 0.0));
    let leak = &response.findings[0];
    let of = |list: &[wenzhen_proto::clinical::v1::RankedCondition]| {
        list.iter().find(|r| r.condition_id == "seal_broken").map_or(0.0, |r| r.score)
    };
    assert!(of(&leak.if_present) > of(&leak.if_denied));
    assert!(leak.finding.as_ref().unwrap().value > 0.0);
    let best = ExplainRequest { condition_ids: Vec::new(), finding_ids: Vec::new(), ..request.clone() };
    assert_eq!(service.client.explain(best).await.unwrap().into_inner().conditions.len(), 3);
    let unknown = ExplainRequest { condition_ids: vec!["nothing".into()], ..request };
    assert_eq!(violated(&service.client.explain(unknown).await.unwrap_err()), ["condition_ids[0]"]);
}

#[tokio::test]
async fn the_packs_knowledge_can_be_read() {
    let mut service = start().await;
    let pack_digest = service.digest.clone();
    let request = GetConditionRequest {
        pack_digest: pack_digest.clone(),
        condition_id: "heater_dead".into(),
        ..Default::default()
    };
    let heater = service.client.get_condition(request.clone()).await.unwrap().into_inner();
    assert_eq!((heater.disease.as_str(), heater.findings.len()), ("heater dead", 3));
    assert!(heater.findings.iter().any(|f| f.finding_id == "noise" && f.expects_denial));
    let nothing = GetConditionRequest { condition_id: "nothing".into(), ..request };
    assert_eq!(service.client.get_condition(nothing).await.unwrap_err().code(), Code::NotFound);

    let mut seen = Vec::new();
    let mut page_token = String::new();
    loop {
        let locale = Locale::En.into();
        let request = ListFindingsRequest { pack_digest: pack_digest.clone(), locale, page_size: 5, page_token };
        let page = service.client.list_findings(request).await.unwrap().into_inner();
        seen.extend(page.findings);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen.len(), 12);
    assert!(seen.iter().any(|f| f.finding_id == "voltage_low" && !f.askable && f.kind == "pulse"));

    let about = service.client.describe(DescribeRequest {}).await.unwrap().into_inner();
    assert_eq!((about.packs.len(), about.strategies.len()), (1, 2));
    assert_eq!(about.packs[0].digest, service.digest);
}
