//! The patients of the simulation: each says something, again and again until it is acknowledged, then the next thing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use prost_types::Timestamp;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sha2::{Digest as _, Sha256};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tonic::{Code, Request, Status};
use wenzhen_channel::{Balanced, ChannelMetrics};
use wenzhen_orchestrator::store::{Append, ConsultationId, Summary};
use wenzhen_proto::clinical::v1::Pins;
use wenzhen_proto::orchestrator::v1::event::Kind;
use wenzhen_proto::orchestrator::v1::orchestrator_service_client::OrchestratorServiceClient;
use wenzhen_proto::orchestrator::v1::send_message_response::Update;
use wenzhen_proto::orchestrator::v1::{Event, SendMessageRequest, Started, TurnCompleted};
use wenzhen_service::{Client, Metrics};

use super::store::FaultyStore;
use super::{KNOWLEDGE, SPEAKING, World, settings};

/// How many there are.
const COUNT: u8 = 5;
/// Time before the same thing is said again.
const AGAIN: Duration = Duration::from_millis(200);

/// One try to say something.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub text: String,
    pub at: Duration,
    pub deadline: Duration,
    pub took: Duration,
    pub outcome: Result<TurnCompleted, Code>,
}

/// What one patient has said.
pub struct Spoken {
    pub id: ConsultationId,
    pub attempts: Vec<Attempt>,
}

/// Holds all consultations.
pub async fn speak(seed: u64, addresses: [SocketAddr; 2], world: &World) -> Vec<Spoken> {
    let target = addresses.map(|address| format!("http://{address}")).join(",").parse().unwrap();
    let channel =
        Balanced::connect(&target, settings(seed, world), &ChannelMetrics::register(&Metrics::new())).unwrap();
    let mut speaking = JoinSet::new();
    for number in 0..COUNT {
        let (id, token) = (ConsultationId([number; 16]), format!("{number:032}"));
        open(id, &token, &world.store).await;
        let client = OrchestratorServiceClient::new(Client::new(channel.clone()));
        let dice = StdRng::seed_from_u64(seed ^ (u64::from(number) << 32));
        speaking.spawn(consultation(Patient { number, id, token, client }, dice));
    }
    let mut all = speaking.join_all().await;
    all.sort_by_key(|spoken| spoken.id);
    all
}

/// Puts a consultation on record whose id, token and seed are the same in every run.
async fn open(id: ConsultationId, token: &str, store: &Arc<FaultyStore>) {
    let started = Started {
        pins: Some(Pins { pack_digest: KNOWLEDGE.digest.clone(), ..Pins::default() }),
        token_sha256: Sha256::digest(token.as_bytes()).to_vec(),
        seed: 1,
        retention_days: 30,
        ..Started::default()
    };
    let event = Event { version: 1, at: Some(Timestamp::default()), turn: 0, kind: Some(Kind::Started(started)) };
    let summary = Summary { expires_day: u32::MAX, ..Summary::default() };
    store.place(Append { id, expected: 0, events: vec![event], summary }).await;
}

struct Patient {
    number: u8,
    id: ConsultationId,
    token: String,
    client: OrchestratorServiceClient<Client<Balanced>>,
}

async fn consultation(mut patient: Patient, mut dice: StdRng) -> Spoken {
    let (start, mut attempts) = (Instant::now(), Vec::new());
    for turn in 0.. {
        sleep(Duration::from_millis(dice.random_range(100..2_500))).await;
        if start.elapsed() >= SPEAKING {
            break;
        }
        let text = format!("this is what patient {} says as number {turn}", patient.number);
        while start.elapsed() < SPEAKING * 2 {
            let deadline = Duration::from_millis(dice.random_range(1_000..5_000));
            let (at, begun) = (start.elapsed(), Instant::now());
            let outcome = patient.say(turn, &text, deadline).await.map_err(|status| status.code());
            let heard = outcome.is_ok();
            attempts.push(Attempt { text: text.clone(), at, deadline, took: begun.elapsed(), outcome });
            if heard {
                break;
            }
            sleep(AGAIN).await;
        }
    }
    Spoken { id: patient.id, attempts }
}

impl Patient {
    async fn say(&mut self, turn: u32, text: &str, deadline: Duration) -> Result<TurnCompleted, Status> {
        let mut request = Request::new(SendMessageRequest {
            consultation_id: self.id.to_string(),
            message_id: format!("m{turn}"),
            text: text.to_owned(),
            ..SendMessageRequest::default()
        });
        request.set_timeout(deadline);
        request.metadata_mut().insert("authorization", format!("Bearer {}", self.token).parse().unwrap());
        let mut updates = self.client.send_message(request).await?.into_inner();
        while let Some(update) = updates.message().await? {
            if let Some(Update::Completed(completed)) = update.update {
                return Ok(completed);
            }
        }
        Err(Status::unknown("the turn ended without its last update"))
    }
}
