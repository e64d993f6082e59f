//! What the holder of a consultation may do (clinicians may read and end it too).

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Request;
use tonic::metadata::MetadataMap;
use tracing::Instrument as _;
use wenzhen_proto::orchestrator::v1 as api;
use wenzhen_proto::orchestrator::v1::event::Kind;
use wenzhen_proto::orchestrator::v1::send_message_response::Update;
use wenzhen_service::Deadline;
use wenzhen_service::keys::bearer;

use super::{Open, Orchestrator, Streaming};
use crate::auth::{Caller, opens};
use crate::state::{Stage, State};
use crate::store::StoreError;
use crate::turn::{Message, Updates, response};
use crate::{Error, context, export, view};

/// The label of turns among the admissions.
const TURN: &str = "turn";
/// Updates that may wait for a slow listener.
const UPDATES: usize = 64;
/// Events in one page at most.
const MAX_PAGE: u32 = 1000;
/// Events in one page when the client does not say.
const PAGE: u32 = 100;

impl Orchestrator {
    pub(super) async fn message(
        &self,
        request: Request<api::SendMessageRequest>,
    ) -> Result<Streaming<api::SendMessageResponse>, Error> {
        let (metadata, extensions, request) = request.into_parts();
        context::client_id("message_id", &request.message_id)?;
        context::words(&request.text)?;
        let known = self.known(&metadata, &request.consultation_id)?;
        let seen = request.expected_version.or(request.seen_version);
        let (open, lock) = match self.open_to_speak(&metadata, &request.consultation_id, seen).await {
            Err(error @ Error::Store(StoreError::Unavailable(_))) if bearer(&metadata).is_some() => {
                return warned(self.0.runner.danger(known.as_deref(), &request.text), error);
            }
            opened => opened?,
        };
        if open.caller != Caller::Patient {
            return Err(Error::WrongToken);
        }
        self.0.access.message(open.id)?;
        let message = Message {
            id: request.message_id,
            text: request.text,
            expected_version: request.expected_version,
            seen_version: request.seen_version,
        };
        let (runner, deadline) = (self.0.runner.clone(), extensions.get::<Deadline>().copied());
        // Whoever speaks of danger goes before others, and is the last to be turned away.
        let heard = runner.hear(open.basis.state(), &message.text)?;
        let permit = match self.0.turns.admit(TURN, heard.priority, deadline).await {
            Err(shed) => return warned(heard.danger, shed.into()),
            Ok(permit) => permit,
        };
        let (sender, updates) = mpsc::channel(UPDATES);
        let turn = async move {
            let out = Updates::new(sender);
            if let Err(error) = runner.run(lock, open.basis, (&message, heard), &out).await {
                out.fail(error.into()).await;
            }
            drop(permit);
        };
        // The turn runs on by itself: a listener who leaves must not leave it half recorded.
        let turn = turn.in_current_span();
        match deadline {
            Some(deadline) => tokio::spawn(deadline.scope(turn)),
            None => tokio::spawn(turn),
        };
        Ok(Box::pin(ReceiverStream::new(updates)))
    }

    /// What this process last knew of a consultation, for its patient.
    fn known(&self, metadata: &MetadataMap, id: &str) -> Result<Option<Arc<State>>, Error> {
        let known = self.sessions().known(context::consultation_id(id)?);
        let own = |state: &Arc<State>| bearer(metadata).is_some_and(|token| opens(token, &state.started.token_sha256));
        Ok(known.filter(own))
    }

    pub(super) async fn undo(&self, request: Request<api::UndoTurnRequest>) -> Result<api::UndoTurnResponse, Error> {
        let (open, lock) = self.open_to_write(request.metadata(), &request.get_ref().consultation_id).await?;
        let state = &open.state;
        if let Some(expected) = request.get_ref().expected_version.filter(|v| *v != state.version) {
            return Err(Error::VersionMismatch { expected, actual: state.version });
        }
        let last = state.last_turn().filter(|turn| state.can_undo() && turn.stage == Stage::Replied);
        let turn = last.ok_or(Error::NothingToUndo)?.number;
        let after = self.sessions().undo(&lock, state, turn).await?;
        Ok(api::UndoTurnResponse { turn, version: after.version, question: after.question.as_deref().cloned() })
    }

    pub(super) fn view(&self, open: &Open) -> Result<api::Consultation, Error> {
        view::consultation(open.id, self.sessions().knowledge(&open.state)?, &open.state, &open.caller)
    }

    pub(super) async fn events(
        &self,
        request: Request<api::ListEventsRequest>,
    ) -> Result<api::ListEventsResponse, Error> {
        let open = self.open(request.metadata(), &request.get_ref().consultation_id).await?;
        let request = request.get_ref();
        let size = match request.page_size {
            0 => PAGE,
            size if size <= MAX_PAGE => size,
            size => return Err(Error::field("page_size", format!("0 to {MAX_PAGE}, got {size}"))),
        } as usize;
        let mut events = self.sessions().store().read(open.id, request.after_version, size + 1).await?;
        let more = events.len() > size;
        events.truncate(size);
        let events = events.iter().map(|event| view::event(event, &open.state, &open.caller)).collect();
        Ok(api::ListEventsResponse { events, more })
    }

    pub(super) async fn export(
        &self,
        request: Request<api::ExportConsultationRequest>,
    ) -> Result<api::ExportConsultationResponse, Error> {
        let open = self.open(request.metadata(), &request.get_ref().consultation_id).await?;
        let events = self.sessions().events(open.id, 0).await?;
        let events: Vec<_> = events.iter().map(|event| view::event(event, &open.state, &open.caller)).collect();
        let consultation = self.view(&open)?;
        let markdown = export::markdown(self.sessions().knowledge(&open.state)?, &consultation, &events)?;
        Ok(api::ExportConsultationResponse { consultation: Some(consultation), events, markdown })
    }

    pub(super) async fn end(
        &self,
        request: Request<api::EndConsultationRequest>,
    ) -> Result<api::EndConsultationResponse, Error> {
        let (open, lock) = self.open_to_write(request.metadata(), &request.get_ref().consultation_id).await?;
        if open.state.status == api::ConsultationStatus::Ended {
            return Ok(api::EndConsultationResponse { version: open.state.version });
        }
        let reason = if open.caller.is_clinician() { api::EndReason::Clinician } else { api::EndReason::Patient };
        let ended = Kind::Ended(api::Ended { reason: reason as i32 });
        let after = self.sessions().commit(&lock, &open.state, 0, vec![ended]).await?;
        Ok(api::EndConsultationResponse { version: after.version })
    }
}

/// A failure; where there is danger, that is shown before it.
fn warned(danger: Option<api::UrgencyRaised>, error: Error) -> Result<Streaming<api::SendMessageResponse>, Error> {
    let Some(danger) = danger else { return Err(error) };
    Ok(Box::pin(tokio_stream::iter([Ok(response(Update::Urgency(danger))), Err(error.into())])))
}
