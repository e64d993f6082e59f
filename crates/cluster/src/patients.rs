//! Patients who hold consultations, and remember what was acknowledged to them.

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use tokio::time::Instant;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use wenzhen_proto::orchestrator::v1 as api;
use wenzhen_proto::orchestrator::v1::event::Kind;
use wenzhen_proto::orchestrator::v1::orchestrator_service_client::OrchestratorServiceClient;
use wenzhen_proto::orchestrator::v1::send_message_response::Update;

/// Events in one page.
const PAGE: u32 = 1000;

/// What patients say.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    complaints: Vec<String>,
    person: Vec<String>,
    answers: Vec<String>,
    course: Vec<String>,
}

impl Words {
    /// Those that this crate carries.
    ///
    /// # Errors
    /// Never: a test loads them.
    pub fn load() -> anyhow::Result<Self> {
        Ok(toml::from_str(include_str!("../data/words.toml"))?)
    }

    /// The words of a turn (from 0) of a patient.
    pub fn of(&self, patient: usize, turn: usize) -> &str {
        let list = match turn {
            0 => &self.complaints,
            1 => &self.person,
            _ => &self.answers,
        };
        list.get((patient + turn) % list.len().max(1)).map_or("", String::as_str)
    }
}

impl Words {
    /// The words of a turn (from 0) of a consultation that comes to a diagnosis.
    pub fn course(&self, turn: usize) -> &str {
        self.course.get(turn).or(self.course.last()).map_or("", String::as_str)
    }
}

/// A consultation with what was acknowledged in it.
#[derive(Clone, Debug)]
pub struct Patient {
    client: OrchestratorServiceClient<Channel>,
    id: String,
    token: String,
    number: usize,
    turns: usize,
    /// Message and version of every turn whose end was seen.
    acknowledged: Vec<(String, u64)>,
}

impl Patient {
    /// Opens a consultation.
    ///
    /// # Errors
    /// As the orchestrator answers.
    pub async fn open(channel: Channel, number: usize) -> Result<Self, Status> {
        let mut client = OrchestratorServiceClient::new(channel);
        let started = client.start_consultation(api::StartConsultationRequest::default()).await?.into_inner();
        let (id, token) = (started.consultation_id, started.token);
        Ok(Self { client, id, token, number, turns: 0, acknowledged: Vec::new() })
    }

    /// Says the next thing; the same again where the last was not acknowledged.
    ///
    /// # Errors
    /// As the orchestrator answers.
    pub async fn turn(&mut self, words: &Words) -> Result<api::TurnCompleted, Status> {
        self.say(words.of(self.number, self.turns)).await
    }

    /// Says something as the next turn.
    ///
    /// # Errors
    /// As the orchestrator answers.
    pub async fn say(&mut self, text: &str) -> Result<api::TurnCompleted, Status> {
        let message_id = format!("m{}", self.turns);
        let completed = self.send(&message_id, text).await?;
        self.turns += 1;
        self.acknowledged.push((message_id, completed.version));
        Ok(completed)
    }

    /// Sends a message under an id of the caller's own; nothing is remembered of it.
    ///
    /// # Errors
    /// As the orchestrator answers.
    pub async fn send(&mut self, message_id: &str, text: &str) -> Result<api::TurnCompleted, Status> {
        let request = api::SendMessageRequest {
            consultation_id: self.id.clone(),
            message_id: message_id.to_owned(),
            text: text.to_owned(),
            seen_version: self.acknowledged.last().map(|(_, version)| *version),
            ..api::SendMessageRequest::default()
        };
        let request = self.authorised(request)?;
        let mut updates = self.client.send_message(request).await?.into_inner();
        let mut acknowledged = None;
        // To the end: a stream that is dropped before counts as cancelled.
        while let Some(update) = updates.message().await? {
            if let Some(Update::Completed(completed)) = update.update {
                acknowledged = Some(completed);
            }
        }
        acknowledged.ok_or_else(|| Status::unknown("a turn ended without TurnCompleted"))
    }

    /// Says the next thing until it is acknowledged; gives how often it had to be said.
    ///
    /// # Errors
    /// When that takes too long, or the answer is one that saying it again does not change.
    pub async fn insist(&mut self, words: &Words, within: Duration) -> anyhow::Result<u32> {
        let until = Instant::now() + within;
        for attempt in 1.. {
            match self.turn(words).await {
                Ok(_) => return Ok(attempt),
                Err(status) if Instant::now() > until => bail!("not acknowledged in time: {status}"),
                Err(status) if again(status.code()) => tokio::time::sleep(Duration::from_millis(50)).await,
                Err(status) => bail!("refused: {status}"),
            }
        }
        bail!("never acknowledged")
    }

    /// Goes on over another connection.
    pub fn over(&mut self, channel: Channel) {
        self.client = OrchestratorServiceClient::new(channel);
    }

    /// Compares the record with what was acknowledged: every turn once, in order, none missing.
    ///
    /// # Errors
    /// What is lost or doubled.
    pub async fn check(&mut self) -> anyhow::Result<()> {
        let request = api::ListEventsRequest { consultation_id: self.id.clone(), after_version: 0, page_size: PAGE };
        let request = self.authorised(request)?;
        let events = self.client.list_events(request).await?.into_inner().events;
        let versions: Vec<u64> = events.iter().map(|event| event.version).collect();
        let last = versions.last().copied().unwrap_or(0);
        if versions != (1..=last).collect::<Vec<_>>() {
            bail!("versions are {versions:?}");
        }
        let heard: Vec<&str> = events
            .iter()
            .filter_map(|event| match &event.kind {
                Some(Kind::MessageReceived(message)) => Some(message.message_id.as_str()),
                _ => None,
            })
            .collect();
        let acknowledged: Vec<&str> = self.acknowledged.iter().map(|(message, _)| message.as_str()).collect();
        if heard != acknowledged {
            bail!("on record {heard:?}, acknowledged {acknowledged:?}");
        }
        let newest = self.acknowledged.last().map_or(0, |(_, version)| *version);
        if newest > last { bail!("acknowledged up to version {newest}, on record up to {last}") } else { Ok(()) }
    }

    fn authorised<T>(&self, message: T) -> Result<Request<T>, Status> {
        let mut request = Request::new(message);
        let value = format!("Bearer {}", self.token).parse();
        let value = value.map_err(|_| Status::internal("a token that cannot be sent"))?;
        request.metadata_mut().insert("authorization", value);
        Ok(request)
    }
}

/// What a client may send again: the message has an id.
fn again(code: Code) -> bool {
    use Code::{Aborted, Cancelled, DeadlineExceeded, Internal, ResourceExhausted, Unavailable, Unknown};
    matches!(code, Aborted | Cancelled | DeadlineExceeded | Internal | ResourceExhausted | Unavailable | Unknown)
}

/// Opens consultations with `turns` turns behind them.
///
/// # Errors
/// As the orchestrator answers.
pub async fn opened(channels: &[Channel], count: usize, turns: usize) -> anyhow::Result<Vec<Patient>> {
    use futures::stream::{StreamExt as _, TryStreamExt as _, iter};
    let words = Words::load()?;
    let words = &words;
    let made = iter(0..count).map(|number| async move {
        let channel = channels.get(number % channels.len().max(1)).context("no channel")?.clone();
        let mut patient = Patient::open(channel, number).await?;
        for _ in 0..turns {
            patient.turn(words).await?;
        }
        anyhow::Ok(patient)
    });
    made.buffer_unordered(64).try_collect().await
}
