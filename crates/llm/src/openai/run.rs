//! A generation from its place in the queue to its end.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::Inner;
use super::body::body;
use super::call::Answer;
use super::events::{Chunk, Counts, Lines, Said};
use crate::stop::Stops;
use crate::{End, Error, Event, Finish, Outcome, Request, Usage};

/// The longest answer, in bytes of text.
const MOST_TEXT: usize = 4 * 1024 * 1024;

/// One generation.
pub(super) struct Run {
    engine: Arc<Inner>,
    request: Request,
    sender: mpsc::Sender<Event>,
    permit: Option<OwnedSemaphorePermit>,
    /// It has left the queue.
    started: bool,
    began: Instant,
    usage: Usage,
    /// What the server counted.
    counts: Option<Counts>,
    /// Pieces of text that came: tokens, as far as can be seen without the server's own count.
    pieces: u32,
    bytes: usize,
}

impl Run {
    pub(super) fn new(
        engine: Arc<Inner>,
        request: Request,
        sender: mpsc::Sender<Event>,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Self {
        let (began, usage, started) = (Instant::now(), Usage::default(), permit.is_some());
        Self { engine, request, sender, permit, started, began, usage, counts: None, pieces: 0, bytes: 0 }
    }

    /// Runs it, and tells how it ended.
    pub(super) async fn to_the_end(mut self) {
        let (sender, deadline, mut closed) =
            (self.sender.clone(), self.request.deadline, self.engine.closed.subscribe());
        let over = async move {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                None => std::future::pending().await,
            }
        };
        let outcome = tokio::select! {
            biased;
            // Dropping what is under way closes its connection.
            () = sender.closed() => Outcome::Cancelled,
            _ = closed.wait_for(|closed| *closed) => Outcome::Cancelled,
            () = over => Outcome::Failed(Error::Deadline),
            finished = self.generate() => finished.map_or_else(Outcome::Failed, Outcome::Finished),
        };
        let end = self.account(outcome);
        // A reader who is late has room for all but the last few pieces; one who left hears nothing.
        let _ = self.sender.send(Event::End(end)).await;
    }

    /// Frees its place, adds it to the totals.
    fn account(&mut self, outcome: Outcome) -> End {
        self.usage.total = self.began.elapsed();
        let counted = self.counts.unwrap_or(Counts::unknown());
        self.usage.prompt_tokens = counted.prompt_tokens;
        self.usage.reused_tokens = counted.cached();
        self.usage.generated_tokens = counted.completion_tokens.max(self.pieces);
        let mut statistics = self.engine.statistics.lock();
        if self.started {
            statistics.running -= 1;
        } else {
            statistics.waiting -= 1;
        }
        statistics.ended += 1;
        statistics.prompt_tokens += u64::from(self.usage.prompt_tokens);
        statistics.reused_tokens += u64::from(self.usage.reused_tokens);
        // Its pieces were counted as they came.
        statistics.generated_tokens += u64::from(self.usage.generated_tokens - self.pieces);
        self.permit = None;
        End { outcome, usage: self.usage }
    }

    async fn generate(&mut self) -> Result<Finish, Error> {
        self.start().await?;
        let engine = Arc::clone(&self.engine);
        let body = body(&engine.settings, &self.request)?;
        let answer = engine.ask(&body).await?;
        self.read(answer).await
    }

    /// Waits for a place.
    async fn start(&mut self) -> Result<(), Error> {
        if !self.started {
            let slots = Arc::clone(&self.engine.slots);
            self.permit = Some(slots.acquire_owned().await.map_err(|_| Error::Unavailable("it is closed"))?);
            self.started = true;
            let mut statistics = self.engine.statistics.lock();
            (statistics.waiting, statistics.running) = (statistics.waiting - 1, statistics.running + 1);
        }
        self.usage.queued = self.began.elapsed();
        Ok(())
    }

    async fn read(&mut self, mut answer: Answer<'_>) -> Result<Finish, Error> {
        let (mut lines, mut stops) = (Lines::default(), Stops::new(&self.request.stop));
        let mut finish = None;
        while let Some(bytes) = self.next(&mut answer).await? {
            let mut said = Vec::new();
            let read = lines.push(&bytes, &mut said);
            for said in said {
                match said {
                    Said::Chunk(chunk) => finish = self.take(&chunk, &mut stops).await?.or(finish),
                    Said::Done => return self.finish(finish, stops).await,
                }
                if stops.stopped() {
                    return Ok(Finish::Stop);
                }
            }
            read?;
        }
        self.finish(finish, stops).await
    }

    /// The next bytes of the answer; `None` at its end. The first piece may take longer than those between.
    async fn next(&self, answer: &mut Answer<'_>) -> Result<Option<Bytes>, Error> {
        let limits = &self.engine.settings.limits;
        let patience = if self.pieces == 0 { limits.first_byte } else { limits.between_bytes };
        loop {
            let frame = tokio::time::timeout(patience, answer.body.frame()).await;
            match frame.map_err(|_| Error::Unavailable("it stopped in the middle of its answer"))? {
                None => return Ok(None),
                Some(Err(_)) => return Err(Error::Unavailable("the connection broke in the middle of an answer")),
                // Trailers say nothing here.
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => return Ok(Some(bytes)),
                    Err(_) => continue,
                },
            }
        }
    }

    /// A piece of the answer; gives why it is the last one with text, if it is.
    async fn take(&mut self, chunk: &Chunk, stops: &mut Stops) -> Result<Option<Finish>, Error> {
        self.counts = chunk.usage.or(self.counts);
        let text = chunk.text();
        if !text.is_empty() {
            self.pieces += 1;
            self.engine.statistics.lock().generated_tokens += 1;
            self.usage.to_first_token.get_or_insert_with(|| self.began.elapsed());
            self.bytes += text.len();
            if self.bytes > MOST_TEXT {
                return Err(Error::Malformed("its answer does not end"));
            }
            self.say(stops.push(text)).await;
        }
        Ok(match chunk.finish() {
            None => None,
            Some("length") => Some(Finish::Length),
            Some(_) => Some(Finish::Stop),
        })
    }

    async fn finish(&self, finish: Option<Finish>, mut stops: Stops) -> Result<Finish, Error> {
        let finish = finish.ok_or(Error::Unavailable("its answer broke off"))?;
        self.say(stops.rest()).await;
        Ok(finish)
    }

    async fn say(&self, text: String) {
        if !text.is_empty() {
            // A reader who left is noticed beside this.
            let _ = self.sender.send(Event::Text(text)).await;
        }
    }
}
