//! What the tests share: the real pack, cases made from it, and a client over an in-process connection.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::path::Path;
use std::sync::{Arc, OnceLock};

use tonic::transport::Channel;
use wenzhen_expert::ExpertServer;
use wenzhen_pack::{Condition, Locale, Pack};
use wenzhen_proto::clinical::v1::{
    FindingState, Locale as LocaleMessage, Observation, PatientContext, Pins, RankedCondition, Sex, Urgency,
};
use wenzhen_proto::expert::v1::expert_service_client::ExpertServiceClient;
use wenzhen_proto::expert::v1::expert_service_server::ExpertServiceServer;
use wenzhen_proto::expert::v1::{DiagnoseRequest, DiagnoseResponse};

pub const LOCALES: [(Locale, LocaleMessage); 2] = [(Locale::Zh, LocaleMessage::Zh), (Locale::En, LocaleMessage::En)];

/// The flagship pack.
pub fn pack() -> Arc<Pack> {
    static PACK: OnceLock<Arc<Pack>> = OnceLock::new();
    let load = || {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
        Arc::new(Pack::load_dir(&root.join("packs/tcm")).unwrap_or_else(|errors| panic!("{errors}")))
    };
    PACK.get_or_init(load).clone()
}

/// A server over the flagship pack, prepared once.
pub fn server() -> ExpertServer {
    static SERVER: OnceLock<ExpertServer> = OnceLock::new();
    SERVER.get_or_init(|| ExpertServer::new(vec![pack()])).clone()
}

/// A client of `server` over an in-process connection.
pub fn client(server: ExpertServer) -> ExpertServiceClient<Channel> {
    let routes = tonic::service::Routes::new(ExpertServiceServer::new(server));
    let (channel, _running) = wenzhen_service::in_process(routes);
    ExpertServiceClient::new(channel)
}

pub fn observation(finding: &str, state: FindingState) -> Observation {
    Observation { finding_id: finding.into(), state: state.into(), ..Observation::default() }
}

/// A man of 40 with everything that the condition lists, which is ranked far ahead of the next three.
pub fn typical(pack: &Pack, condition: &Condition, locale: LocaleMessage) -> DiagnoseRequest {
    let state = |denied| if denied { FindingState::Denied } else { FindingState::Present };
    let observations = condition.edges.iter().map(|e| {
        let id = &pack.findings[e.finding.at()].id;
        observation(id, state(e.expects_denial))
    });
    DiagnoseRequest {
        pins: Some(Pins { pack_digest: pack.digest.to_string(), weight_epoch: 3, ..Pins::default() }),
        observations: observations.collect(),
        patient: Some(adult(Sex::Male)),
        ranked: ranked(pack, condition, 0.9),
        urgency: Urgency::Routine.into(),
        red_flags: Vec::new(),
        locale: locale.into(),
    }
}

pub fn adult(sex: Sex) -> PatientContext {
    PatientContext { age_months: Some(40 * 12), sex: sex.into(), pregnant: Some(false), ..PatientContext::default() }
}

/// The condition with this score, the next three of the pack share the rest.
pub fn ranked(pack: &Pack, condition: &Condition, score: f64) -> Vec<RankedCondition> {
    let others = pack.conditions.iter().cycle().skip_while(|c| c.id != condition.id).skip(1).take(3);
    let rest = others.map(|c| RankedCondition { condition_id: c.id.clone(), score: (1.0 - score) / 3.0 });
    std::iter::once(RankedCondition { condition_id: condition.id.clone(), score }).chain(rest).collect()
}

/// Draft with its slots filled, and everything of the patient's plan.
pub fn patient_text(response: &DiagnoseResponse) -> String {
    let draft = response.draft.as_ref().unwrap();
    let plan = response.patient_plan.as_ref().unwrap();
    let mut parts = vec![wenzhen_facts::render(draft, &draft.text)];
    parts.extend(plan.advice.iter().chain(&plan.diet).cloned());
    parts.push(plan.referral.clone());
    parts.join("\n")
}

pub fn cautions(response: &DiagnoseResponse) -> String {
    response.clinician_plan.as_ref().unwrap().cautions.join("\n")
}

pub fn herb_ids(response: &DiagnoseResponse) -> Vec<&str> {
    response.clinician_plan.as_ref().unwrap().herbs.iter().map(|h| h.herb_id.as_str()).collect()
}
