//! A replica of an agent in the simulation: it answers what is asked of it in a turn, and notes about which words.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use prost::Message;
use tonic::body::Body;
use tonic::server::Grpc;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tower::{Layer, Service};
use wenzhen_proto::clinical::v1::{CandidateFinding, FindingState, Observation, PatientContext, RankedCondition, Sex};
use wenzhen_proto::empathy::v1::{AssessRequest, AssessResponse};
use wenzhen_proto::guidance::v1::{AskRequest, AskResponse, Intent, InterpretRequest, InterpretResponse};
use wenzhen_proto::kg::v1::{AdvanceRequest, AdvanceResponse, Reason, Recommendation};
use wenzhen_service::{Guard, Limits, Metrics};

use super::{KNOWLEDGE, Mood, PORT, World, wire};

/// Time that an answer takes, and how late it is where the replica is slow.
const WORK: Duration = Duration::from_millis(5);
const LATE: Duration = Duration::from_millis(400);
/// A score at which nobody would diagnose.
const UNSURE: f64 = 0.1;

/// Serves until the host crashes.
pub async fn serve(agent: &'static str, host: &'static str, world: Arc<World>) -> turmoil::Result {
    let guard = Guard::new(Metrics::new(), Limits::default());
    let trace = Arc::clone(&world.trace);
    Ok(wire::serve(PORT, trace, guard.layer(Replica { agent, host, world })).await?)
}

#[derive(Clone)]
struct Replica {
    agent: &'static str,
    host: &'static str,
    world: Arc<World>,
}

impl Service<http::Request<Body>> for Replica {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let replica = self.clone();
        Box::pin(async move {
            let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
            Ok(match method.as_str() {
                "Interpret" => unary(request, |asked| replica.interpret(asked)).await,
                "Ask" => unary(request, |asked| replica.ask(asked)).await,
                "Assess" => unary(request, |asked| replica.assess(asked)).await,
                "Advance" => unary(request, |asked| replica.advance(asked)).await,
                _ => Status::unimplemented("nobody asks this here").into_http(),
            })
        })
    }
}

/// One unary call.
async fn unary<Q, A, F>(request: http::Request<Body>, answer: impl Fn(Q) -> F + Clone) -> http::Response<Body>
where
    Q: Message + Default + 'static,
    A: Message + Default + 'static,
    F: Future<Output = Result<A, Status>>,
{
    let service = tower::service_fn(|request: Request<Q>| {
        let answered = answer(request.into_inner());
        async move { answered.await.map(Response::new) }
    });
    Grpc::new(ProstCodec::<A, Q>::default()).unary(service, request).await
}

impl Replica {
    async fn work(&self) -> Result<(), Status> {
        let mood = self.world.moods.lock().get(self.host).copied().unwrap_or_default();
        match mood {
            Mood::Well => tokio::time::sleep(WORK).await,
            Mood::Failing => return Err(Status::unavailable("away")),
            Mood::Silent => std::future::pending().await,
            Mood::Slow => tokio::time::sleep(LATE).await,
        }
        Ok(())
    }

    fn answered(&self, text: String) {
        self.world.answered.lock().entry(self.agent).or_default().insert(text);
    }

    async fn interpret(&self, asked: InterpretRequest) -> Result<InterpretResponse, Status> {
        self.work().await?;
        let findings = &KNOWLEDGE.pack.findings;
        let finding = findings.get(asked.turn as usize % findings.len()).unwrap();
        let observation = Observation {
            finding_id: finding.id.clone(),
            state: FindingState::Denied.into(),
            turn: asked.turn,
            ..Observation::default()
        };
        self.answered(asked.text);
        Ok(InterpretResponse {
            intent: Intent::Answer.into(),
            observations: vec![observation],
            patient: Some(PatientContext { age_months: Some(400), sex: Sex::Male.into(), ..PatientContext::default() }),
            ..InterpretResponse::default()
        })
    }

    async fn ask(&self, _: AskRequest) -> Result<AskResponse, Status> {
        self.work().await?;
        Ok(AskResponse { text: "What else is there?".to_owned(), ..AskResponse::default() })
    }

    async fn assess(&self, asked: AssessRequest) -> Result<AssessResponse, Status> {
        self.work().await?;
        self.answered(asked.text);
        Ok(AssessResponse::default())
    }

    async fn advance(&self, asked: AdvanceRequest) -> Result<AdvanceResponse, Status> {
        self.work().await?;
        *self.world.scored.lock() += 1;
        let known = asked.case.unwrap_or_default();
        let pack = &KNOWLEDGE.pack;
        let open =
            pack.findings.iter().filter(|finding| finding.askable() && !known.asked_finding_ids.contains(&finding.id));
        let worth_asking = open
            .take(2)
            .map(|finding| CandidateFinding { finding_id: finding.id.clone(), ..CandidateFinding::default() });
        let condition_id = pack.conditions.first().unwrap().id.clone();
        Ok(AdvanceResponse {
            ranked: vec![RankedCondition { condition_id, score: UNSURE }],
            worth_asking: worth_asking.collect(),
            recommendation: Recommendation::Ask.into(),
            reason: Reason::Gain.into(),
            ..AdvanceResponse::default()
        })
    }
}
