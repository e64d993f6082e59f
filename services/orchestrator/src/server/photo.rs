//! Photographs of the tongue: received whole within bounds, then a turn.

use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tonic::{Request, Streaming};
use tracing::Instrument as _;
use wenzhen_proto::orchestrator::v1 as api;
use wenzhen_proto::orchestrator::v1::attach_tongue_image_request::Part;
use wenzhen_proto::orchestrator::v1::send_message_response::Update;
use wenzhen_proto::vision::v1::MediaType;
use wenzhen_service::{Deadline, Priority};

use super::Orchestrator;
use crate::auth::Caller;
use crate::error::PhotoRefusal;
use crate::turn::{Message, Photo, Updates};
use crate::{Error, context, view};

/// Longest file, in bytes.
const MAX_BYTES: u64 = 16 << 20;
/// Most parts of one file.
const MAX_CHUNKS: u32 = 65_536;
/// Photographs on their way at once, over all consultations: each may hold a file.
pub(super) const AT_ONCE: usize = 16;
/// Longest message, in bytes: a file in one chunk.
pub(super) const MOST_MESSAGE: usize = (16 << 20) + 4096;
/// What is made room for before the first byte: a header may lie.
const FIRST_ROOM: usize = 256 << 10;
/// Time for a file to come whole.
const RECEIVE: Duration = Duration::from_secs(30);
/// The label of turns among the admissions.
const TURN: &str = "photo";
/// Updates of a turn at most; they are collected.
const UPDATES: usize = 64;

impl Orchestrator {
    pub(super) async fn photo(
        &self,
        request: Request<Streaming<api::AttachTongueImageRequest>>,
    ) -> Result<api::AttachTongueImageResponse, Error> {
        let (metadata, extensions, mut stream) = request.into_parts();
        let header = header(&mut stream).await?;
        let open = self.open(&metadata, &header.consultation_id).await?;
        if open.caller != Caller::Patient {
            return Err(Error::WrongToken);
        }
        self.0.access.message(open.id)?;
        let deadline = extensions.get::<Deadline>().copied();
        let room = self.0.photos.acquire().await.map_err(|_| Error::NotFound)?;
        let receiving = tokio::time::timeout(RECEIVE, file(&mut stream, header.size_bytes));
        let (file, sha256) = receiving.await.map_err(|_| Error::Stalled)??;
        // Written to only from here on: a sender who stalls must not keep others out.
        let (open, lock) = self.open_to_write(&metadata, &header.consultation_id).await?;
        let permit = self.0.turns.admit(TURN, Priority::Ongoing, deadline).await?;
        let media = header.media_type();
        let message = Message {
            id: header.message_id,
            text: String::new(),
            expected_version: header.expected_version,
            seen_version: header.seen_version,
        };
        let (sender, mut updates) = mpsc::channel(UPDATES);
        let runner = self.0.runner.clone();
        let turn = async move {
            let photo = Photo { message, media, sha256, file };
            let read = runner.run_photo(lock, open.state, photo, &Updates::new(sender)).await;
            drop(permit);
            read
        };
        // The turn runs on by itself: a listener who leaves must not leave it half recorded.
        let turn = turn.in_current_span();
        let turn = match deadline {
            Some(deadline) => tokio::spawn(deadline.scope(turn)),
            None => tokio::spawn(turn),
        };
        let mut response = api::AttachTongueImageResponse::default();
        while let Some(update) = updates.recv().await {
            enter(&mut response, update.ok().and_then(|update| update.update));
        }
        drop(room);
        let reading = turn.await.map_err(|_| Error::NotFound)??;
        response.photo = Some(view::photo(reading, &Caller::Patient));
        Ok(response)
    }
}

/// Collects what a listener would have been told bit by bit.
fn enter(response: &mut api::AttachTongueImageResponse, update: Option<Update>) {
    match update {
        Some(Update::Urgency(urgency)) => response.urgency = Some(urgency),
        Some(Update::Question(question)) => response.question = Some(question),
        Some(Update::Diagnosis(diagnosis)) => response.diagnosis = Some(diagnosis),
        Some(Update::Completed(completed)) => response.completed = Some(completed),
        Some(Update::Progress(_) | Update::Text(_)) | None => {}
    }
}

/// The first message, checked.
async fn header(stream: &mut Streaming<api::AttachTongueImageRequest>) -> Result<api::AttachTongueImageHeader, Error> {
    let first = stream.message().await.map_err(broken)?;
    let Some(Part::Header(header)) = first.and_then(|first| first.part) else {
        return Err(Error::field("header", "the first message"));
    };
    context::client_id("header.message_id", &header.message_id)?;
    if matches!(MediaType::try_from(header.media_type), Err(_) | Ok(MediaType::Unspecified)) {
        return Err(Error::field("header.media_type", "JPEG, PNG or WebP"));
    }
    if header.size_bytes == 0 {
        return Err(Error::field("header.size_bytes", "1 or more"));
    }
    if header.size_bytes > MAX_BYTES {
        return Err(refused("TOO_MANY_BYTES", "the file is too long", (MAX_BYTES, header.size_bytes)));
    }
    Ok(header)
}

/// The file and its hash.
async fn file(
    stream: &mut Streaming<api::AttachTongueImageRequest>,
    declared: u64,
) -> Result<(Vec<u8>, [u8; 32]), Error> {
    let room = usize::try_from(declared).unwrap_or(usize::MAX);
    let (mut file, mut hash, mut chunks) = (Vec::with_capacity(room.min(FIRST_ROOM)), Sha256::new(), 0);
    while let Some(next) = stream.message().await.map_err(broken)? {
        let Some(Part::Chunk(chunk)) = next.part else {
            return Err(Error::field("part", "a chunk after the header"));
        };
        chunks += 1;
        if chunks > MAX_CHUNKS {
            let numbers = (u64::from(MAX_CHUNKS), u64::from(chunks));
            return Err(refused("TOO_MANY_CHUNKS", "the file comes in too many parts", numbers));
        }
        if chunk.is_empty() {
            return Err(Error::field("chunk", "at least one byte"));
        }
        let got = (file.len() + chunk.len()) as u64;
        if got > declared {
            return Err(refused("SIZE_MISMATCH", "more bytes than were declared", (declared, got)));
        }
        hash.update(&chunk);
        file.extend_from_slice(&chunk);
    }
    match file.len() as u64 {
        got if got < declared => Err(refused("SIZE_MISMATCH", "fewer bytes than were declared", (declared, got))),
        _ => Ok((file, hash.finalize().into())),
    }
}

fn refused(reason: &str, message: &str, (limit, got): (u64, u64)) -> Error {
    Error::Photo(Box::new(PhotoRefusal::new(reason, message, &[("limit", limit), ("got", got)])))
}

/// A stream that broke off or stood still is the sender's; what it says of itself is not repeated.
fn broken(status: tonic::Status) -> Error {
    match status.code() {
        tonic::Code::DeadlineExceeded => Error::Stalled,
        _ => Error::Photo(Box::new(PhotoRefusal::new("BROKEN_OFF", "the stream of the file broke off", &[]))),
    }
}
