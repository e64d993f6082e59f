//! Each agent away in turn, and all of them: a consultation completes, says what was missing, and still sees danger.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use support::words::words;
use support::{Turn, as_clinician, pack, say, script, system_without};
use tonic::transport::Channel;
use wenzhen::client::Session;
use wenzhen_pack::Locale;
use wenzhen_proto::clinical::v1::{Agent, Urgency};
use wenzhen_proto::orchestrator::v1 as api;
use wenzhen_proto::orchestrator::v1::{ConsultationStatus, DecisionKind, PlanStatus};

const ALL: [Agent; 4] = [Agent::Kg, Agent::Guidance, Agent::Expert, Agent::Empathy];
/// Turns after which a consultation should have come to an end.
const PATIENCE: usize = 20;

async fn start(channel: &Channel) -> Session {
    Session::start(channel.clone(), api::StartConsultationRequest::default()).await.unwrap().0
}

/// Holds the everyday consultation to its end; gives its turns.
async fn hold(channel: &Channel) -> (Session, Vec<Turn>) {
    let script = script::all().into_iter().find(|s| s.name == "zh_plain_cold").expect("the everyday consultation");
    let mut session = start(channel).await;
    let mut turns = vec![say(&mut session, script.steps[0].say.as_ref().unwrap()).await.unwrap()];
    while turns.len() < PATIENCE {
        let last = turns.last().unwrap();
        let Some(question) = &last.question else { break };
        let reply = support::patient::answer(pack(), &script, question, Locale::Zh, turns.len());
        turns.push(say(&mut session, &reply.text).await.unwrap());
    }
    (session, turns)
}

fn agents(turn: &Turn) -> Vec<Agent> {
    let mut agents: Vec<Agent> = turn.completed.degraded.iter().map(api_agent).collect();
    agents.sort_unstable();
    agents.dedup();
    agents
}

fn api_agent(degraded: &wenzhen_proto::clinical::v1::Degradation) -> Agent {
    assert_eq!(degraded.reason, "unavailable", "{degraded:?}");
    degraded.agent()
}

/// What holds whoever is away: it comes to a conclusion, and the first reply that is degraded says so in words.
async fn concludes(away: &[Agent]) -> (Vec<Turn>, api::Consultation) {
    let system = system_without(away).await;
    let (mut session, turns) = hold(&system.channel).await;
    let consultation = as_clinician(&system.channel, &session.consultation_id).get().await.unwrap();
    assert_eq!(consultation.status(), ConsultationStatus::Concluded, "{away:?}: {turns:#?}");
    let said = &pack().voice(Locale::Zh).unwrap().orchestrator.degraded;
    let degraded: Vec<&Turn> = turns.iter().filter(|turn| !turn.completed.degraded.is_empty()).collect();
    assert!(!degraded.is_empty(), "{away:?}: nobody says what was missing");
    for turn in &degraded {
        assert!(agents(turn).iter().all(|agent| away.contains(agent)), "{away:?}: {:?}", turn.completed.degraded);
    }
    let told = turns.iter().filter(|turn| turn.text.contains(said.as_str())).count();
    assert!(told >= 1 && degraded[0].text.contains(said.as_str()), "{away:?}: `{}` does not say so", degraded[0].text);
    assert!(session.get().await.is_ok());
    system.stop().await;
    (turns, consultation)
}

#[tokio::test]
async fn without_the_graph_it_abstains_and_refers() {
    let (turns, _) = concludes(&[Agent::Kg]).await;
    let last = turns.last().unwrap();
    assert_eq!(last.kind(), DecisionKind::Abstain);
    assert_eq!(agents(last), [Agent::Kg]);
    let referral = &pack().voice(Locale::Zh).unwrap().orchestrator.referral;
    assert!(last.text.contains(referral.as_str()), "{}", last.text);
}

#[tokio::test]
async fn without_guidance_it_reads_and_asks_by_itself() {
    let (turns, consultation) = concludes(&[Agent::Guidance]).await;
    assert!(turns.iter().all(|turn| turn.completed.degraded.iter().all(|d| d.agent() == Agent::Guidance)));
    assert!(turns.iter().any(|turn| turn.kind() == DecisionKind::Ask), "it asks");
    assert_eq!(turns.last().unwrap().kind(), DecisionKind::Diagnose);
    let finding = &words().messages.complaint_finding;
    assert!(consultation.observations.iter().any(|o| o.finding_id == *finding), "its own reading");
    assert!(!consultation.diagnosis.unwrap().herbs.is_empty());
}

#[tokio::test]
async fn without_the_expert_it_names_conditions_and_refers() {
    let (turns, consultation) = concludes(&[Agent::Expert]).await;
    let last = turns.last().unwrap();
    assert_eq!(last.kind(), DecisionKind::Diagnose);
    assert_eq!(agents(last), [Agent::Expert]);
    let diagnosis = consultation.diagnosis.unwrap();
    assert!(!diagnosis.differential.is_empty() && !diagnosis.referral.is_empty());
    assert!(last.text.contains(&diagnosis.referral), "{}", last.text);
    assert_eq!(diagnosis.plan_status(), PlanStatus::Unspecified);
    assert!(diagnosis.herbs.is_empty() && diagnosis.formula.is_empty());
}

#[tokio::test]
async fn without_empathy_the_draft_itself_is_given() {
    let (turns, consultation) = concludes(&[Agent::Empathy]).await;
    let last = turns.last().unwrap();
    assert_eq!(last.kind(), DecisionKind::Diagnose);
    let diagnosis = consultation.diagnosis.unwrap();
    assert!(!diagnosis.herbs.is_empty(), "the plan is whole");
    assert!(last.text.contains(&diagnosis.differential[0].disease), "{}", last.text);
    assert!(diagnosis.advice.iter().all(|advice| last.text.contains(advice.trim_end_matches('。'))), "{}", last.text);
}

#[tokio::test]
async fn with_everybody_away_it_still_ends_with_a_referral() {
    let (turns, _) = concludes(&ALL).await;
    assert_eq!(turns.last().unwrap().kind(), DecisionKind::Abstain);
}

#[tokio::test]
async fn red_flags_need_no_agent() {
    for away in [vec![Agent::Kg], vec![Agent::Guidance], vec![Agent::Expert], vec![Agent::Empathy], ALL.to_vec()] {
        let system = system_without(&away).await;
        let mut session = start(&system.channel).await;
        let turn = say(&mut session, &words().messages.emergency).await.unwrap();
        assert_eq!(turn.kind(), DecisionKind::Escalate, "{away:?}: {}", turn.text);
        assert_eq!(turn.completed.urgency(), Urgency::Emergency);
        assert!(!turn.flags.is_empty() && turn.text.contains(&turn.flags[0].message), "{away:?}: {}", turn.text);
        system.stop().await;
    }
}

#[tokio::test]
async fn describe_names_who_answers() {
    let system = system_without(&[Agent::Expert]).await;
    let mut client = api::orchestrator_service_client::OrchestratorServiceClient::new(system.channel.clone());
    let described = client.describe(api::DescribeRequest {}).await.unwrap().into_inner();
    let available: Vec<Agent> = described.available().collect();
    assert_eq!(available, [Agent::Kg, Agent::Guidance, Agent::Empathy, Agent::Vision]);
    assert_eq!(described.packs[0].digest, pack().digest.to_string());
    system.stop().await;
}
