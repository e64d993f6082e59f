//! Feedback, epochs and their ledger.

use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tonic::metadata::MetadataMap;
use wenzhen_proto::kg::v1 as kg;

use super::{KgServer, Streaming};
use crate::error::Error;
use crate::weights::publish::{Made, now_ms};
use crate::weights::store::{Offered, Which};
use crate::weights::{Epoch, Note, Record, Replica};
use crate::{convert, intake};

/// Rows of a page when the client does not say, and at most.
const PAGE: (usize, usize) = (100, 1000);
/// Epochs that may wait for a slow listener.
const UPDATES: usize = 16;
/// Epochs whose ledger is looked through for one page.
const EPOCHS_PER_PAGE: u64 = 20;

type Updates = mpsc::Sender<Result<kg::WatchEpochsResponse, Status>>;

impl KgServer {
    pub(super) async fn propose(
        &self,
        request: &kg::ProposeFeedbackRequest,
    ) -> Result<kg::ProposeFeedbackResponse, Error> {
        let digest = request.pins.as_ref().map_or("", |pins| pins.pack_digest.as_str());
        let feedback = intake::feedback(self.0.replica.base(digest)?.pack(), request)?;
        let known = self.0.replica.store().offer(&feedback).await? == Offered::Known;
        let accepted = if known { 0 } else { u32::try_from(feedback.changes.len()).unwrap_or(u32::MAX) };
        tracing::info!(proposals = accepted, known, "feedback came in");
        Ok(kg::ProposeFeedbackResponse { accepted, known })
    }

    pub(super) async fn publish(
        &self,
        metadata: &MetadataMap,
        request: &kg::PublishEpochRequest,
    ) -> Result<kg::PublishEpochResponse, Error> {
        let note = self.note(metadata, &request.publish_id, &request.reason)?;
        let Made { record, before } = self.0.publisher.publish(&request.pack_digest, note).await?;
        Ok(kg::PublishEpochResponse { epoch: Some(convert::epoch(&request.pack_digest, &record)), replayed: before })
    }

    pub(super) async fn roll_back(
        &self,
        metadata: &MetadataMap,
        request: &kg::RollbackRequest,
    ) -> Result<kg::RollbackResponse, Error> {
        let note = self.note(metadata, &request.publish_id, &request.reason)?;
        let Made { record, before } = self.0.publisher.roll_back(&request.pack_digest, request.to_epoch, note).await?;
        Ok(kg::RollbackResponse { epoch: Some(convert::epoch(&request.pack_digest, &record)), replayed: before })
    }

    fn note(&self, metadata: &MetadataMap, publish_id: &str, reason: &str) -> Result<Note, Error> {
        let by = self.0.admins.name_of(metadata).ok_or(Error::AdminOnly)?;
        intake::note(publish_id, reason)?;
        Ok(Note { publish_id: publish_id.to_owned(), by, reason: reason.to_owned(), at_ms: now_ms() })
    }

    pub(super) fn watch(&self, digest: String) -> Result<Streaming<kg::WatchEpochsResponse>, Error> {
        let newest = self.0.replica.newest(&digest)?;
        let (sender, updates) = mpsc::channel(UPDATES);
        let (replica, stop) = (self.0.replica.clone(), self.0.shutdown.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = sender.closed() => {}
                () = tell(&replica, &digest, newest, &sender) => {}
                () = stop.cancelled() => {
                    // A listener whose queue is full is told by the end of the stream.
                    let _ = sender.try_send(Err(Error::Stopping.into()));
                }
            }
        });
        Ok(Box::pin(ReceiverStream::new(updates)))
    }

    pub(super) async fn one_epoch(&self, request: &kg::GetEpochRequest) -> Result<kg::GetEpochResponse, Error> {
        let record = self.record(&request.pack_digest, request.epoch).await?;
        let size = convert::size(request.page_size, PAGE.0, PAGE.1, "page_size")?;
        let start = match request.page_token.as_str() {
            "" => 0,
            token => token.parse::<usize>().map_err(|_| Error::field("page_token", "from the last response"))?,
        };
        let overlay = record.overlay.clone().unwrap_or_default();
        let shift = |(condition, finding, shift_micros): (&str, &str, i32)| kg::EdgeShift {
            condition_id: condition.to_owned(),
            finding_id: finding.to_owned(),
            shift_micros,
        };
        let shifts: Vec<kg::EdgeShift> = overlay.iter().skip(start).take(size).map(shift).collect();
        let end = start.saturating_add(shifts.len());
        let next_page_token = if end < overlay.len() { end.to_string() } else { String::new() };
        Ok(kg::GetEpochResponse { epoch: Some(convert::epoch(&request.pack_digest, &record)), shifts, next_page_token })
    }

    async fn record(&self, digest: &str, number: u64) -> Result<Record, Error> {
        self.0.replica.base(digest)?;
        let record = self.0.replica.store().epoch(digest, Which::Number(number)).await?;
        record.ok_or(Error::EpochUnknown(number))
    }

    /// From the newest epoch downwards; the token is where to go on: an epoch, and lines of it to pass over.
    pub(super) async fn ledger(&self, request: &kg::ListLedgerRequest) -> Result<kg::ListLedgerResponse, Error> {
        let digest = request.pack_digest.as_str();
        let size = convert::size(request.page_size, PAGE.0, PAGE.1, "page_size")?;
        self.0.replica.base(digest)?;
        let (mut number, mut skip) = match request.page_token.split_once('-') {
            None if request.page_token.is_empty() => (self.0.replica.store().head(digest, None).await?.epoch, 0),
            token => token
                .and_then(|(epoch, skip)| Some((epoch.parse().ok()?, skip.parse().ok()?)))
                .ok_or_else(|| Error::field("page_token", "from the last response"))?,
        };
        let (mut entries, last) = (Vec::new(), number.saturating_sub(EPOCHS_PER_PAGE));
        while number > last {
            let record = self.record(digest, number).await?;
            let wanted = |line: &&_| intake::concerns(line, &request.condition_id);
            let lines: Vec<_> = record.ledger.iter().filter(wanted).collect();
            let room = size - entries.len();
            entries.extend(lines.iter().skip(skip).take(room).map(|line| convert::ledger_entry(&record.epoch, line)));
            if lines.len() > skip + room {
                return Ok(kg::ListLedgerResponse { entries, next_page_token: format!("{number}-{}", skip + room) });
            }
            (number, skip) = (number - 1, 0);
        }
        let next_page_token = if number > 0 { format!("{number}-0") } else { String::new() };
        Ok(kg::ListLedgerResponse { entries, next_page_token })
    }
}

/// Tells the newest epoch and each one to come, until nobody listens. A number that falls says that the store has lost
/// epochs; the end of the stream with UNAVAILABLE, that some could not be read: whoever asks again is told the newest.
async fn tell(replica: &Replica, digest: &str, mut newest: watch::Receiver<std::sync::Arc<Epoch>>, updates: &Updates) {
    let mut told: Option<u64> = None;
    loop {
        let now = newest.borrow_and_update().clone();
        // A slow listener may have missed some; all of them are in the store.
        for number in told.map_or(now.number, |told| told + 1)..now.number {
            match replica.store().epoch(digest, Which::Number(number)).await {
                Ok(Some(record)) => {
                    let _ = updates.send(Ok(response(digest, &record))).await;
                }
                // It was lost.
                Ok(None) => {}
                Err(error) => {
                    let _ = updates.send(Err(Error::from(error).into())).await;
                    return;
                }
            }
        }
        told = Some(now.number);
        let record = Record { epoch: (*now).clone(), ..Record::base() };
        let sent = updates.send(Ok(response(digest, &record))).await;
        if sent.is_err() || newest.changed().await.is_err() {
            return;
        }
    }
}

fn response(digest: &str, record: &Record) -> kg::WatchEpochsResponse {
    kg::WatchEpochsResponse { epoch: Some(convert::epoch(digest, record)) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use async_trait::async_trait;
    use tonic::Code;

    use super::*;
    use crate::weights::store::{Claim, Commit, Head};
    use crate::weights::{Feedback, StoreError, WeightStore};

    /// A store that is away.
    struct Away;

    fn away<T>() -> Result<T, StoreError> {
        Err(StoreError::Unavailable("gone".into()))
    }

    #[async_trait]
    impl WeightStore for Away {
        async fn offer(&self, _: &Feedback) -> Result<Offered, StoreError> {
            away()
        }

        async fn take(&self, _: &str, _: usize) -> Result<Claim, StoreError> {
            away()
        }

        async fn commit(&self, _: &Commit) -> Result<(), StoreError> {
            away()
        }

        async fn epoch(&self, _: &str, _: Which<'_>) -> Result<Option<Record>, StoreError> {
            away()
        }

        async fn head(&self, _: &str, _: Option<u64>) -> Result<Head, StoreError> {
            away()
        }
    }

    fn epoch(number: u64) -> Arc<Epoch> {
        Arc::new(Epoch { number, ..Epoch::default() })
    }

    #[tokio::test]
    async fn whoever_cannot_be_told_an_epoch_is_told_to_ask_again() {
        let replica = Replica::new([], Arc::new(Away));
        let (newest, watch) = watch::channel(epoch(0));
        let (sender, mut told) = mpsc::channel(UPDATES);
        let telling = tokio::spawn(async move { tell(&replica, "digest", watch, &sender).await });
        let first = told.recv().await.unwrap().unwrap().epoch.unwrap();
        assert_eq!(first.epoch, 0);
        newest.send_replace(epoch(3));
        let end = told.recv().await.unwrap().unwrap_err();
        assert_eq!(end.code(), Code::Unavailable, "{end:?}");
        assert!(told.recv().await.is_none());
        telling.await.unwrap();
    }
}
