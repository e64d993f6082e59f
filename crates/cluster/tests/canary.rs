//! What a patient says leaves the record nowhere: every line of every log at every level, every exported span, metrics,
//! readiness and errors are looked at.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Response, Status};
use wenzhen_cluster::patients::{Patient, Words, opened};
use wenzhen_cluster::{Cluster, Plan, Watch};
use wenzhen_proto::clinical::v1::Pins;
use wenzhen_proto::guidance::v1::InterpretRequest;
use wenzhen_proto::guidance::v1::guidance_service_client::GuidanceServiceClient;
use wenzhen_proto::orchestrator::v1::DecisionKind;

/// A word that nobody else says.
const CANARY: &str = "heliotrope-canary-4711";
/// What must be found, or nothing was looked at.
const CONTROL: &str = "OrchestratorService/SendMessage";
/// Bytes of a message that is too long.
const TOO_LONG: usize = 100_000;

/// Looks at every span that is exported.
struct Collector(Arc<Watch>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for spans in request.into_inner().resource_spans.iter().flat_map(|resource| &resource.scope_spans) {
            spans.spans.iter().for_each(|span| self.0.see(&format!("{span:?}")));
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

async fn collector(watch: &Arc<Watch>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let service = TraceServiceServer::new(Collector(watch.clone()));
    tokio::spawn(Server::builder().add_service(service).serve_with_incoming(TcpIncoming::from(listener)));
    endpoint
}

/// Words that must not be found, and the one that must.
fn watch(words: &Words) -> Arc<Watch> {
    let said = [0, 1].map(|turn| words.course(turn).to_owned());
    Arc::new(Watch::new(said.into_iter().chain([CANARY.to_owned(), CONTROL.to_owned()])))
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_patient_says_leaves_the_record() {
    let words = Words::load().unwrap();
    let (logs, spans, rest) = (watch(&words), watch(&words), watch(&words));
    let endpoint = collector(&spans).await;
    let flags = ["orchestrator", "kg", "guidance", "expert", "empathy"].into_iter().flat_map(|service| {
        ["--log-filter=trace".to_owned(), format!("--otlp-endpoint={endpoint}"), "--sample-ratio=1".to_owned()]
            .map(|flag| (service, flag))
    });
    let plan = Plan { flags: flags.collect(), watch: Some(logs.clone()), ..Plan::default() };
    let mut cluster = Cluster::start(plan).await.unwrap();
    let channel = cluster.channel(0).await.unwrap();

    let mut patient = opened(&[channel], 1, 0).await.unwrap().remove(0);
    consultation(&mut patient, &words).await;
    let guidance = cluster.replica("guidance", 0).unwrap().address().await.unwrap();
    let mut errors = refusals(&mut patient, &format!("http://{guidance}")).await;
    for program in cluster.programs() {
        let metrics = program.get("/metrics").await.unwrap();
        assert!(metrics.contains("wenzhen_rpc_requests"), "no metrics");
        rest.see(&metrics);
        rest.see(&program.get("/readyz").await.unwrap());
    }
    cluster.redis.kill().await.unwrap();
    errors.push(patient.say(&format!("{} {CANARY}", words.course(0))).await.unwrap_err());
    let codes: Vec<_> = errors.iter().map(Status::code).collect();
    let wanted = [Code::InvalidArgument, Code::InvalidArgument, Code::AlreadyExists, Code::FailedPrecondition];
    assert_eq!(codes, [&wanted[..], &[Code::Unavailable]].concat(), "{errors:?}");
    for error in &errors {
        rest.see(&format!("{error:?} {}", String::from_utf8_lossy(error.details())));
    }

    // At their end they write their last lines and send their last spans.
    for program in cluster.orchestrators.iter_mut().chain(cluster.agents.values_mut().flatten()) {
        program.stop().await.unwrap();
        program.whole_log().await;
    }
    tokio::time::timeout(Duration::from_secs(10), async {
        while spans.found(CONTROL).is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("no span of a turn was exported");
    assert!(!logs.found(CONTROL).is_empty(), "{} lines were logged, none about a turn", logs.texts());
    for (what, watch) in [("a log", &logs), ("a span", &spans), ("a metric, a report or an error", &rest)] {
        for said in [CANARY, words.course(0), words.course(1)] {
            assert_eq!(watch.found(said), [] as [String; 0], "{what} holds what a patient said");
        }
    }
}

/// To the diagnosis, so that every agent works with the words.
async fn consultation(patient: &mut Patient, words: &Words) {
    for turn in 0..20 {
        let canary = if turn == 0 { CANARY } else { "" };
        let completed = patient.say(&format!("{} {canary}", words.course(turn))).await.unwrap();
        if completed.decision() == DecisionKind::Diagnose {
            return;
        }
    }
    panic!("no diagnosis");
}

/// What is refused, and how: by the orchestrator, and by an agent.
async fn refusals(patient: &mut Patient, guidance: &str) -> Vec<Status> {
    let mut errors = Vec::new();
    for (id, text) in
        [("long", CANARY.repeat(TOO_LONG / CANARY.len())), ("", CANARY.to_owned()), ("m0", CANARY.to_owned())]
    {
        errors.push(patient.send(id, &text).await.unwrap_err());
    }
    let channel = Channel::from_shared(guidance.to_owned()).unwrap().connect().await.unwrap();
    let pins = Pins { pack_digest: "0".repeat(64), ..Pins::default() };
    let request =
        InterpretRequest { pins: Some(pins), text: CANARY.to_owned(), turn: 1, ..InterpretRequest::default() };
    errors.push(GuidanceServiceClient::new(channel).interpret(request).await.unwrap_err());
    errors
}
