//! A store that does what a test tells it to, and an orchestrator over it.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tonic::transport::Channel;
use tonic::{Request, Status};
use wenzhen_orchestrator::server::turn_bounds;
use wenzhen_orchestrator::store::{Append, ConsultationId, MemoryStore, Query, Store, StoreError, Summary};
use wenzhen_orchestrator::{AccessRules, Agents, Budgets, Orchestrator, Settings};
use wenzhen_proto::orchestrator::v1 as api;
use wenzhen_proto::orchestrator::v1::event::Kind;
use wenzhen_proto::orchestrator::v1::orchestrator_service_client::OrchestratorServiceClient;
use wenzhen_service::{Metrics, Services, in_process};

use crate::agents::Fakes;
use crate::past::KNOWLEDGE;

/// The store.
#[derive(Default)]
pub struct Fickle {
    /// What it keeps.
    pub store: MemoryStore,
    /// It says that others may append too.
    shared: bool,
    away: AtomicBool,
    stuck: AtomicBool,
    /// Somebody began to delete.
    pub deleting: Notify,
    held: Mutex<Option<Held>>,
    held_decision: Mutex<Option<Held>>,
}

/// A reader that has read and has not heard yet, or a writer whose write has come and is not on record.
#[derive(Clone, Default)]
pub struct Held {
    /// It has read, or the write has come.
    pub read: Arc<Notify>,
    /// It may go on.
    pub go_on: Arc<Notify>,
}

impl Fickle {
    /// One in which others may append too, or not.
    pub fn new(shared: bool) -> Self {
        Self { shared, ..Self::default() }
    }

    /// Goes away, or comes back.
    pub fn be_away(&self, away: bool) {
        self.away.store(away, Ordering::Relaxed);
    }

    /// Never ends a deletion again.
    pub fn be_stuck(&self) {
        self.stuck.store(true, Ordering::Relaxed);
    }

    /// Holds the next reader after it has read.
    pub fn hold(&self) -> Held {
        let held = Held::default();
        *self.held.lock() = Some(held.clone());
        held
    }

    /// Holds the next decision before it is on record.
    pub fn hold_decision(&self) -> Held {
        let held = Held::default();
        *self.held_decision.lock() = Some(held.clone());
        held
    }

    fn there(&self) -> Result<(), StoreError> {
        let away = self.away.load(Ordering::Relaxed);
        if away { Err(StoreError::Unavailable("as the test wants".into())) } else { Ok(()) }
    }
}

#[async_trait]
impl Store for Fickle {
    async fn append(&self, append: Append) -> Result<(), StoreError> {
        let decides = append.events.iter().any(|event| matches!(event.kind, Some(Kind::Decided(_))));
        let held = if decides { self.held_decision.lock().take() } else { None };
        if let Some(Held { read, go_on }) = held {
            read.notify_one();
            go_on.notified().await;
        }
        self.there()?;
        self.store.append(append).await
    }

    async fn read(&self, id: ConsultationId, after: u64, limit: usize) -> Result<Vec<api::Event>, StoreError> {
        self.there()?;
        let events = self.store.read(id, after, limit).await;
        let held = self.held.lock().take();
        if let Some(Held { read, go_on }) = held {
            read.notify_one();
            go_on.notified().await;
        }
        events
    }

    async fn list(&self, query: Query, limit: usize) -> Result<Vec<(ConsultationId, Summary)>, StoreError> {
        self.there()?;
        self.store.list(query, limit).await
    }

    fn watch(&self, id: ConsultationId) -> watch::Receiver<u64> {
        self.store.watch(id)
    }

    fn shared(&self) -> bool {
        self.shared
    }

    async fn delete(&self, id: ConsultationId) -> Result<bool, StoreError> {
        self.there()?;
        self.deleting.notify_one();
        if self.stuck.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        self.store.delete(id).await
    }
}

/// An orchestrator over a store and agents.
pub fn orchestrator(store: Arc<dyn Store>, fakes: &Fakes) -> Orchestrator {
    with(store, Agents::new(fakes.channels(), Budgets::default()), AccessRules::default())
}

/// The same with rules for its callers.
pub fn with(store: Arc<dyn Store>, agents: Agents, access: AccessRules) -> Orchestrator {
    let packs = vec![KNOWLEDGE.clone()];
    let (turns, metrics) = (turn_bounds(), Metrics::default());
    Orchestrator::new(Settings { packs, agents, store, access, turns, metrics }).unwrap()
}

/// Whoever holds a consultation.
#[derive(Clone)]
pub struct Patient {
    client: OrchestratorServiceClient<Channel>,
    id: String,
    token: String,
}

/// What came of a message.
#[derive(Debug, Default)]
pub struct Told {
    /// Messages of red flags.
    pub flags: Vec<String>,
    /// The reply as it was streamed.
    pub text: String,
    /// The end of the turn.
    pub completed: Option<api::TurnCompleted>,
    /// The failure.
    pub failed: Option<Status>,
}

/// A client of an orchestrator in this process.
pub fn client(orchestrator: &Orchestrator) -> OrchestratorServiceClient<Channel> {
    let (channel, _running) = in_process(Services::new().with(orchestrator.service()).into_routes());
    OrchestratorServiceClient::new(channel)
}

impl Patient {
    /// Opens a consultation.
    pub async fn start(orchestrator: &Orchestrator) -> Self {
        let mut client = client(orchestrator);
        let started = client.start_consultation(api::StartConsultationRequest::default()).await.unwrap().into_inner();
        Self { client, id: started.consultation_id, token: started.token }
    }

    /// Goes on with one, perhaps elsewhere.
    pub fn at(orchestrator: &Orchestrator, id: &str, token: &str) -> Self {
        Self { client: client(orchestrator), id: id.to_owned(), token: token.to_owned() }
    }

    /// The same patient at another orchestrator.
    pub fn goes_to(&self, orchestrator: &Orchestrator) -> Self {
        Self::at(orchestrator, &self.id, &self.token)
    }

    /// The consultation.
    pub fn id(&self) -> ConsultationId {
        self.id.parse().unwrap()
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", format!("Bearer {}", self.token).parse().unwrap());
        request
    }

    /// Says something, to the end of the turn.
    pub async fn say(&mut self, message_id: &str, text: &str) -> Told {
        self.say_seeing(message_id, text, None).await
    }

    /// The same by somebody who has seen the consultation at a version.
    pub async fn say_seeing(&mut self, message_id: &str, text: &str, seen_version: Option<u64>) -> Told {
        let request = self.request(api::SendMessageRequest {
            consultation_id: self.id.clone(),
            message_id: message_id.into(),
            text: text.into(),
            seen_version,
            ..Default::default()
        });
        let mut told = Told::default();
        let mut updates = match self.client.send_message(request).await {
            Ok(updates) => updates.into_inner(),
            Err(failed) => return Told { failed: Some(failed), ..told },
        };
        loop {
            match updates.message().await {
                Ok(None) => return told,
                Ok(Some(update)) => told.hear(update),
                Err(failed) => return Told { failed: Some(failed), ..told },
            }
        }
    }

    /// The consultation as it stands.
    pub async fn get(&mut self) -> Result<api::Consultation, Status> {
        let request = self.request(api::GetConsultationRequest { consultation_id: self.id.clone() });
        Ok(self.client.get_consultation(request).await?.into_inner().consultation.unwrap())
    }

    /// Deletes it.
    pub async fn delete(&mut self) -> Result<(), Status> {
        let request = self.request(api::DeleteConsultationRequest { consultation_id: self.id.clone() });
        self.client.delete_consultation(request).await.map(|_| ())
    }
}

impl Told {
    fn hear(&mut self, update: api::SendMessageResponse) {
        use api::send_message_response::Update;
        match update.update {
            Some(Update::Urgency(raised)) => self.flags.extend(raised.red_flags.into_iter().map(|flag| flag.message)),
            Some(Update::Text(piece)) => self.text.push_str(&piece.text),
            Some(Update::Completed(completed)) => self.completed = Some(completed),
            _ => {}
        }
    }
}
