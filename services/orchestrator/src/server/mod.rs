//! The gRPC face: checks the request, finds out who calls, and hands over to the turn runner or the sessions.

mod clinician;
mod patient;
mod photo;
mod start;
mod watch;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_stream::Stream;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};
use wenzhen_proto::orchestrator::v1 as api;
use wenzhen_proto::orchestrator::v1::orchestrator_service_server::{OrchestratorService, OrchestratorServiceServer};
use wenzhen_service::layers::admission::Bounds;
use wenzhen_service::{Admission, Deadline, Metrics, Priority};

use crate::agents::Agents;
use crate::auth::{Access, AccessRules, Caller};
use crate::context;
use crate::knowledge::Library;
use crate::metrics::TurnMetrics;
use crate::review::Reviewer;
use crate::sessions::{Lock, Sessions, today};
use crate::state::State;
use crate::store::{ConsultationId, Query, Store};
use crate::turn::{Basis, Runner};
use crate::{Error, Knowledge};

/// Consultations deleted at once when their time is over.
const EXPIRE_AT_ONCE: usize = 256;

/// The bounds on turns where nothing else is said: a turn is mostly waiting for agents, so many fit at once.
pub fn turn_bounds() -> Bounds {
    Bounds { permits: 256, waiting: 512, wait: Duration::from_secs(2), retry_after: Duration::from_secs(1) }
}

/// What an orchestrator is made of.
pub struct Settings {
    /// Packs, the default first.
    pub packs: Vec<Arc<Knowledge>>,
    /// Clients of the agents.
    pub agents: Agents,
    /// Where consultations are kept.
    pub store: Arc<dyn Store>,
    /// Who may do what, and how often.
    pub access: AccessRules,
    /// Turns at once, and who waits for one.
    pub turns: Bounds,
    /// Where it counts.
    pub metrics: Metrics,
}

/// The orchestrator service.
#[derive(Clone)]
pub struct Orchestrator(Arc<Inner>);

struct Inner {
    sessions: Arc<Sessions>,
    runner: Arc<Runner>,
    access: Access,
    turns: Admission,
    /// Photographs on their way.
    photos: Semaphore,
}

impl Orchestrator {
    /// An orchestrator over a store and agents.
    ///
    /// # Errors
    /// When no pack was given.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        let sessions = Arc::new(Sessions::new(settings.store, Library::new(settings.packs)?));
        let metrics = TurnMetrics::register(&settings.metrics);
        let turns = Admission::new(settings.turns, settings.metrics.admission());
        let photos = Semaphore::new(photo::AT_ONCE);
        let runner = Arc::new(Runner { sessions: sessions.clone(), agents: settings.agents, metrics });
        Ok(Self(Arc::new(Inner { sessions, runner, access: Access::new(settings.access), turns, photos })))
    }

    /// The service, to be added to a server.
    pub fn service(&self) -> OrchestratorServiceServer<Self> {
        // A chunk of a photograph may be as long as the photograph.
        OrchestratorServiceServer::new(self.clone()).max_decoding_message_size(photo::MOST_MESSAGE)
    }

    /// Deletes consultations whose retention time is over; gives their number.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn expire(&self) -> Result<usize, Error> {
        let sessions = &self.0.sessions;
        let (mut deleted, mut before) = (0, Vec::new());
        loop {
            let expired =
                sessions.store().list(Query::ExpiredBy(today()), EXPIRE_AT_ONCE).await.map_err(Error::from)?;
            // What is still listed after an attempt is left for the next round.
            if expired == before {
                return Ok(deleted);
            }
            for (id, _) in &expired {
                // One that is being written to now is left as well.
                if let Ok(lock) = sessions.lock(*id) {
                    deleted += usize::from(sessions.delete(&lock).await?);
                }
            }
            if expired.len() < EXPIRE_AT_ONCE {
                return Ok(deleted);
            }
            before = expired;
        }
    }

    /// Who reviews this orchestrator's finished consultations.
    pub fn reviewer(&self) -> Reviewer {
        Reviewer::new(self.0.sessions.clone(), self.0.runner.agents.clone())
    }

    fn sessions(&self) -> &Arc<Sessions> {
        &self.0.sessions
    }

    /// The consultation and who calls about it.
    async fn open(&self, metadata: &MetadataMap, id: &str) -> Result<Open, Error> {
        let id = context::consultation_id(id)?;
        let state = self.sessions().load(id).await?;
        let caller = self.0.access.caller(metadata, &state.started.token_sha256)?;
        Ok(Open { id, state, caller })
    }

    /// The same, with the right to change it. Who may is known from what never changes; what does is read once, under
    /// the lock.
    async fn open_to_write(&self, metadata: &MetadataMap, id: &str) -> Result<(Open, Lock), Error> {
        let (id, caller, lock) = self.lock(metadata, id).await?;
        let state = self.sessions().load(id).await?;
        Ok((Open { id, state, caller }, lock))
    }

    /// The same for the next turn of somebody who has seen the consultation at a version. Where that is the last that
    /// is known here, it is read only while the turn is under way.
    async fn open_to_speak(
        &self,
        metadata: &MetadataMap,
        id: &str,
        seen: Option<u64>,
    ) -> Result<(Spoken, Lock), Error> {
        let (id, caller, lock) = self.lock(metadata, id).await?;
        let known = self.sessions().known(id).filter(|state| Some(state.version) == seen);
        let basis = match known {
            Some(state) => Basis::Known(state),
            None => Basis::Read(self.sessions().load(id).await?),
        };
        Ok((Spoken { id, basis, caller }, lock))
    }

    async fn lock(&self, metadata: &MetadataMap, id: &str) -> Result<(ConsultationId, Caller, Lock), Error> {
        let id = context::consultation_id(id)?;
        let started = self.sessions().started(id).await?;
        let caller = self.0.access.caller(metadata, &started.token_sha256)?;
        Ok((id, caller, self.sessions().lock(id)?))
    }

    /// The same for clinicians only.
    async fn open_as_clinician(&self, metadata: &MetadataMap, id: &str) -> Result<(Open, Lock, String), Error> {
        let (open, lock) = self.open_to_write(metadata, id).await?;
        match open.caller.clone() {
            Caller::Clinician(name) => Ok((open, lock, name)),
            Caller::Patient => Err(Error::ClinicianOnly),
        }
    }
}

/// A consultation in which the caller speaks.
struct Spoken {
    id: ConsultationId,
    basis: Basis,
    caller: Caller,
}

/// A consultation that the caller may see.
struct Open {
    id: ConsultationId,
    state: Arc<State>,
    caller: Caller,
}

type Streaming<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl OrchestratorService for Orchestrator {
    type SendMessageStream = Streaming<api::SendMessageResponse>;
    type WatchConsultationStream = Streaming<api::WatchConsultationResponse>;

    async fn start_consultation(
        &self,
        request: Request<api::StartConsultationRequest>,
    ) -> Result<Response<api::StartConsultationResponse>, Status> {
        self.0.access.open(request.metadata())?;
        // Whoever is being helped goes before whoever has yet to begin.
        let deadline = request.extensions().get::<Deadline>().copied();
        let _permit = self.0.turns.admit("start", Priority::New, deadline).await.map_err(Error::from)?;
        Ok(Response::new(self.start(request.into_inner()).await?))
    }

    async fn send_message(
        &self,
        request: Request<api::SendMessageRequest>,
    ) -> Result<Response<Self::SendMessageStream>, Status> {
        Ok(Response::new(self.message(request).await?))
    }

    async fn attach_tongue_image(
        &self,
        request: Request<tonic::Streaming<api::AttachTongueImageRequest>>,
    ) -> Result<Response<api::AttachTongueImageResponse>, Status> {
        Ok(Response::new(self.photo(request).await?))
    }

    async fn undo_turn(
        &self,
        request: Request<api::UndoTurnRequest>,
    ) -> Result<Response<api::UndoTurnResponse>, Status> {
        Ok(Response::new(self.undo(request).await?))
    }

    async fn get_consultation(
        &self,
        request: Request<api::GetConsultationRequest>,
    ) -> Result<Response<api::GetConsultationResponse>, Status> {
        let open = self.open(request.metadata(), &request.get_ref().consultation_id).await?;
        let consultation = Some(self.view(&open)?);
        Ok(Response::new(api::GetConsultationResponse { consultation }))
    }

    async fn watch_consultation(
        &self,
        request: Request<api::WatchConsultationRequest>,
    ) -> Result<Response<Self::WatchConsultationStream>, Status> {
        Ok(Response::new(self.watch(request).await?))
    }

    async fn list_events(
        &self,
        request: Request<api::ListEventsRequest>,
    ) -> Result<Response<api::ListEventsResponse>, Status> {
        Ok(Response::new(self.events(request).await?))
    }

    async fn export_consultation(
        &self,
        request: Request<api::ExportConsultationRequest>,
    ) -> Result<Response<api::ExportConsultationResponse>, Status> {
        Ok(Response::new(self.export(request).await?))
    }

    async fn end_consultation(
        &self,
        request: Request<api::EndConsultationRequest>,
    ) -> Result<Response<api::EndConsultationResponse>, Status> {
        Ok(Response::new(self.end(request).await?))
    }

    async fn delete_consultation(
        &self,
        request: Request<api::DeleteConsultationRequest>,
    ) -> Result<Response<api::DeleteConsultationResponse>, Status> {
        let (_, lock) = self.open_to_write(request.metadata(), &request.get_ref().consultation_id).await?;
        self.sessions().delete(&lock).await?;
        Ok(Response::new(api::DeleteConsultationResponse {}))
    }

    async fn list_pending(
        &self,
        request: Request<api::ListPendingRequest>,
    ) -> Result<Response<api::ListPendingResponse>, Status> {
        Ok(Response::new(self.pending(request).await?))
    }

    async fn sign_plan(
        &self,
        request: Request<api::SignPlanRequest>,
    ) -> Result<Response<api::SignPlanResponse>, Status> {
        Ok(Response::new(self.sign(request).await?))
    }

    async fn reject_plan(
        &self,
        request: Request<api::RejectPlanRequest>,
    ) -> Result<Response<api::RejectPlanResponse>, Status> {
        Ok(Response::new(self.reject(request).await?))
    }

    async fn take_over(
        &self,
        request: Request<api::TakeOverRequest>,
    ) -> Result<Response<api::TakeOverResponse>, Status> {
        Ok(Response::new(self.take(request).await?))
    }

    async fn set_urgency(
        &self,
        request: Request<api::SetUrgencyRequest>,
    ) -> Result<Response<api::SetUrgencyResponse>, Status> {
        Ok(Response::new(self.urgency(request).await?))
    }

    async fn describe(&self, _: Request<api::DescribeRequest>) -> Result<Response<api::DescribeResponse>, Status> {
        Ok(Response::new(self.describe_all().await))
    }
}
