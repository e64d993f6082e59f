//! One call on the wire: bytes out, bytes back, with the times of its sending, its first item and its end.
//!
//! Requests are encoded before the run and answers are read by whoever wants them, so that every method of every agent
//! goes the same way. A unary answer is read as a stream of one item: on the wire it is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf as _, BufMut as _, Bytes};
use http::uri::PathAndQuery;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};
use tonic::{Code, Request, Status};
use wenzhen_channel::Balanced;

use crate::settings::Priority;
use crate::target::Endpoints;

/// The response header in which an instance says its name.
const INSTANCE: &str = "wenzhen-instance";
/// The request header for the priority of a call.
const PRIORITY: &str = "wenzhen-priority";
/// Longer names of instances are cut: they come from outside and stand in reports.
const LONGEST_NAME: usize = 80;

/// A call that a server cancels so shortly before its deadline was cancelled for it: timers tick in milliseconds.
const AHEAD: Duration = Duration::from_millis(5);

/// How one call went.
#[derive(Debug, Clone)]
pub struct Reply {
    /// When it was handed to the transport.
    pub sent: Instant,
    /// When the first item came.
    pub first: Option<Instant>,
    /// When it was over.
    pub done: Instant,
    /// How it ended.
    pub status: Status,
    /// Items that came.
    pub items: u32,
    /// The last of them.
    pub last: Bytes,
    /// Who answered: the name from the header, else the address that was called.
    pub instance: Arc<str>,
}

/// A call to be made.
#[derive(Debug, Clone)]
pub struct Call {
    /// Path of its method.
    pub path: &'static str,
    /// The encoded request.
    pub body: Bytes,
    /// It is many messages, as [`delimited`] puts them together.
    pub stream: bool,
    /// The header `authorization`.
    pub authorization: Option<MetadataValue<Ascii>>,
}

/// Makes calls; cheap to clone.
#[derive(Debug, Clone)]
pub struct Caller {
    endpoints: Arc<Endpoints>,
    timeout: Duration,
    priority: Option<Priority>,
}

impl Caller {
    /// Calls these endpoints in turn; each call gets `timeout`.
    pub fn new(endpoints: Arc<Endpoints>, timeout: Duration, priority: Option<Priority>) -> Self {
        Self { endpoints, timeout, priority }
    }

    /// The header with which consultations are opened.
    pub fn opener(&self) -> Option<MetadataValue<Ascii>> {
        self.endpoints.opener.clone()
    }

    /// Makes a call and reads its answer to the end; `seen` gets every item.
    pub async fn call(&self, call: Call, mut seen: impl FnMut(&Bytes) + Send) -> Reply {
        let endpoint = self.endpoints.pick();
        let sent = Instant::now();
        let mut reply = Reply {
            sent,
            first: None,
            done: sent,
            status: Status::deadline_exceeded("no answer in time"),
            items: 0,
            last: Bytes::new(),
            instance: endpoint.name.clone(),
        };
        let exchange = self.exchange(endpoint.channel.clone(), call, &mut reply, &mut seen);
        if let Ok(ended) = tokio::time::timeout(self.timeout, exchange).await {
            reply.status = ended.err().unwrap_or_else(|| Status::ok(""));
        }
        reply.done = Instant::now();
        if reply.status.code() == Code::Cancelled && at_its_deadline(reply.done - sent, self.timeout) {
            reply.status = Status::deadline_exceeded("cancelled at its deadline");
        }
        reply
    }

    async fn exchange(
        &self,
        channel: wenzhen_service::Client<Balanced>,
        call: Call,
        reply: &mut Reply,
        seen: &mut (impl FnMut(&Bytes) + Send),
    ) -> Result<(), Status> {
        let parts = if call.stream { parts(call.body) } else { vec![call.body] };
        let mut request = Request::new(tokio_stream::iter(parts));
        request.set_timeout(self.timeout);
        if let Some(authorization) = call.authorization {
            request.metadata_mut().insert("authorization", authorization);
        }
        if let Some(priority) = self.priority {
            request.metadata_mut().insert(PRIORITY, MetadataValue::from_static(priority.name()));
        }
        let mut grpc = tonic::client::Grpc::new(channel);
        grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let path = PathAndQuery::from_static(call.path);
        let answer = grpc.streaming(request, path, Raw).await.inspect_err(|status| {
            name(status.metadata(), &mut reply.instance);
        })?;
        name(answer.metadata(), &mut reply.instance);
        let mut items = answer.into_inner();
        while let Some(item) = items.message().await? {
            reply.first.get_or_insert_with(Instant::now);
            reply.items += 1;
            seen(&item);
            reply.last = item;
        }
        if reply.items == 0 { Err(Status::new(Code::Internal, "an answer without an item")) } else { Ok(()) }
    }
}

/// Whether a call that was cancelled after so long ran into its deadline. Nobody here cancels calls; a server that was
/// told the deadline may see it pass a moment before the client does, and tonic's own says then that it was cancelled.
fn at_its_deadline(took: Duration, timeout: Duration) -> bool {
    took + AHEAD >= timeout
}

/// Messages of a stream as one request, each behind its length.
pub fn delimited(messages: impl IntoIterator<Item = Vec<u8>>) -> Bytes {
    let mut all = Vec::new();
    for message in messages {
        all.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
        all.extend(message);
    }
    all.into()
}

/// The messages again.
fn parts(mut all: Bytes) -> Vec<Bytes> {
    let mut parts = Vec::new();
    while all.remaining() >= 4 {
        let length = usize::try_from(all.get_u32()).unwrap_or(usize::MAX).min(all.remaining());
        parts.push(all.split_to(length));
    }
    parts
}

/// Takes the name of the instance from the headers, where it is one that can be shown.
fn name(headers: &MetadataMap, name: &mut Arc<str>) {
    let given = headers.get(INSTANCE).and_then(|value| value.to_str().ok());
    let shown = given.filter(|given| !given.is_empty() && given.chars().all(|c| c.is_ascii_graphic()));
    if let Some(shown) = shown.and_then(|shown| shown.get(..shown.len().min(LONGEST_NAME))) {
        *name = Arc::from(shown);
    }
}

/// Messages as they are.
#[derive(Debug, Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let length = buffer.remaining();
        Ok(Some(buffer.copy_to_bytes(length)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_call_that_was_cancelled_at_its_deadline_ran_into_it() {
        let timeout = Duration::from_secs(2);
        for (millis, late) in [(0, false), (1_000, false), (1_990, false), (1_996, true), (2_000, true), (2_300, true)]
        {
            assert_eq!(at_its_deadline(Duration::from_millis(millis), timeout), late, "{millis} ms");
        }
        assert!(at_its_deadline(Duration::ZERO, Duration::from_millis(1)));
    }
}
