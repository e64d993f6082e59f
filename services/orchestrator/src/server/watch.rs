//! Following a consultation.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status};
use wenzhen_proto::orchestrator::v1 as api;

use super::{Open, Orchestrator, Streaming};
use crate::sessions::Sessions;
use crate::store::DELETED;
use crate::{Error, view};

/// Events that may wait for a slow listener.
const EVENTS: usize = 64;

impl Orchestrator {
    pub(super) async fn watch(
        &self,
        request: Request<api::WatchConsultationRequest>,
    ) -> Result<Streaming<api::WatchConsultationResponse>, Error> {
        let open = self.open(request.metadata(), &request.get_ref().consultation_id).await?;
        let after = request.get_ref().after_version;
        let (sender, events) = mpsc::channel(EVENTS);
        let sessions = self.sessions().clone();
        tokio::spawn(async move {
            if let Err(error) = follow(&sessions, &open, after, &sender).await {
                // Nobody may be left to hear it.
                let _ = sender.send(Err(error.into())).await;
            }
        });
        Ok(Box::pin(ReceiverStream::new(events)))
    }
}

async fn follow(
    sessions: &Arc<Sessions>,
    open: &Open,
    mut after: u64,
    sender: &mpsc::Sender<Result<api::WatchConsultationResponse, Status>>,
) -> Result<(), Error> {
    let mut versions = sessions.store().watch(open.id);
    loop {
        versions.mark_unchanged();
        for event in sessions.events(open.id, after).await? {
            after = event.version;
            let state = sessions.load(open.id).await?;
            let shown = view::event(&event, &state, &open.caller);
            if sender.send(Ok(api::WatchConsultationResponse { event: Some(shown) })).await.is_err() {
                return Ok(());
            }
        }
        tokio::select! {
            () = sender.closed() => return Ok(()),
            changed = versions.changed() => {
                if changed.is_err() || *versions.borrow() == DELETED {
                    return Err(Error::NotFound);
                }
            }
        }
    }
}
