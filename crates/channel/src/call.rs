//! One call: attempts until one is answered, none is left, or the deadline has passed.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri, header};
use hyper::body::Incoming;
use tokio::time::{Instant, sleep_until, timeout_at};
use tonic::body::Body;
use tonic::{Code, Status};
use wenzhen_service::layers::deadline::{Deadline, GRPC_TIMEOUT, requested};
use wenzhen_service::status;

use crate::attempt::{Attempt, Boarded};
use crate::body::Answering;
use crate::connection::Sender;
use crate::flight::{Failure, final_code, fly};
use crate::metrics::Tally;
use crate::payload::{Payload, Sent};
use crate::pool::{Pool, Tried};
use crate::pushback::Pushback;
use crate::retry::{Cause, Decision, Facts, MOST_ATTEMPTS, decide};

/// What we call ourselves where the caller has not said anything.
const USER_AGENT: &str = concat!("wenzhen/", env!("CARGO_PKG_VERSION"));
/// Tells the server that this is not the first attempt (gRFC A6).
const PREVIOUS_ATTEMPTS: HeaderName = HeaderName::from_static("grpc-previous-rpc-attempts");
/// Connections that may turn out to have ended just when a request was to be sent.
const MOST_UNSENT: u32 = 16;

/// A call that is under way.
pub struct Call {
    pool: Arc<Pool>,
    path: PathAndQuery,
    headers: HeaderMap,
    payload: Payload,
    deadline: Option<Instant>,
    idempotent: bool,
    tally: Tally,
    attempts: [Option<Attempt>; MOST_ATTEMPTS as usize],
    tried: Tried,
    made: u32,
    unsent: u32,
    refused_before: bool,
}

/// What to do next about a call.
enum Step {
    /// Send it (again) at this moment.
    At(Instant),
    /// Give this answer, unless another attempt is still in flight.
    Stop(Response<Body>),
}

/// What a call waited for.
enum Event {
    Landed(usize, Result<Response<Incoming>, Failure>),
    Time,
}

impl Call {
    /// Sees a call through. Every failure is a status in the response.
    pub async fn make(pool: Arc<Pool>, request: Request<Body>) -> Response<Body> {
        let mut tally = Tally::new(Arc::clone(&pool.metrics));
        let (head, body) = request.into_parts();
        let deadline = requested(&head.headers).map(|left| Deadline::after(left).instant());
        let payload = match Payload::gather(body, pool.settings.retry.max_request) {
            Ok(payload) => payload,
            Err(status) => {
                tally.ended(status.code());
                return status.into_http();
            }
        };
        pool.earn();
        let mut headers = head.headers;
        headers.entry(header::USER_AGENT).or_insert(HeaderValue::from_static(USER_AGENT));
        let call = Self {
            idempotent: (pool.settings.idempotent)(head.uri.path()),
            path: head.uri.into_parts().path_and_query.unwrap_or(PathAndQuery::from_static("/")),
            headers,
            payload,
            deadline,
            tally,
            attempts: [const { None }; MOST_ATTEMPTS as usize],
            tried: Tried::default(),
            made: 0,
            unsent: 0,
            refused_before: false,
            pool,
        };
        call.run().await
    }

    async fn run(mut self) -> Response<Body> {
        let mut flights = FuturesUnordered::new();
        let mut send_at = Some(Instant::now());
        let mut patient_until = None;
        let mut last = None;
        loop {
            if send_at.take_if(|at| *at <= Instant::now()).is_some() {
                match self.board(flights.is_empty()).await {
                    Ok((slot, sender, request)) => {
                        patient_until = self.patience(slot);
                        flights.push(fly(slot, sender, request));
                    }
                    Err(status) if flights.is_empty() => return self.over(last.unwrap_or_else(|| status.into_http())),
                    // What is in flight may still be answered.
                    Err(_) => {}
                }
            }
            let wake = [send_at, patient_until, self.deadline].into_iter().flatten().min();
            match event(&mut flights, wake).await {
                Event::Landed(slot, Ok(response)) => return self.answer(slot, response),
                Event::Landed(slot, Err(failure)) => match self.judge(slot, failure) {
                    Step::At(at) => send_at = Some(at),
                    Step::Stop(response) if flights.is_empty() && send_at.is_none() => return self.over(response),
                    Step::Stop(response) => last = Some(response),
                },
                Event::Time => {
                    let now = Instant::now();
                    if self.deadline.is_some_and(|deadline| deadline <= now) {
                        return self.over(late().into_http());
                    }
                    if patient_until.take_if(|until| *until <= now).is_some() && self.distrust() && send_at.is_none() {
                        send_at = Some(now);
                    }
                }
            }
        }
    }

    /// Finds an endpoint and makes the request ready for it. Waits for one only if nothing is in flight.
    async fn board(&mut self, wait: bool) -> Result<(usize, Sender, Request<Sent>), Status> {
        let repeatable = self.idempotent && self.payload.replayable() && self.most_attempts() > 1;
        let boarded = match wait {
            false => self.pool.board_elsewhere(&self.tried),
            true => self.pool.board(&self.tried, repeatable),
        };
        let Boarded { attempt, sender } = match boarded {
            Some(boarded) => boarded,
            None if wait => self.wait(repeatable).await?,
            None => return Err(self.pool.nobody()),
        };
        let request = self.request(&attempt)?;
        let slot = self.attempts.iter().position(Option::is_none).ok_or_else(|| self.pool.nobody())?;
        if self.made > 0 {
            self.pool.metrics.retries.inc();
        }
        if let Some(tried) = self.tried.get_mut(self.made as usize) {
            *tried = Some(attempt.endpoint().address);
        }
        self.made += 1;
        self.attempts[slot] = Some(attempt);
        Ok((slot, sender, request))
    }

    /// Waits for an endpoint as long as there is hope for one, at most as long as connecting may take.
    async fn wait(&mut self, repeatable: bool) -> Result<Boarded, Status> {
        let grace = Instant::now() + self.pool.settings.connect_timeout;
        let until = self.deadline.map_or(grace, |deadline| deadline.min(grace));
        loop {
            // Before the look, so that nothing is missed between the two.
            let change = self.pool.change();
            if let Some(boarded) = self.pool.board(&self.tried, repeatable) {
                return Ok(boarded);
            }
            if !self.pool.may_come() {
                break;
            }
            if timeout_at(until, change).await.is_err() {
                break;
            }
        }
        if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Err(late());
        }
        self.pool.look_up();
        Err(self.pool.nobody())
    }

    fn request(&mut self, attempt: &Attempt) -> Result<Request<Sent>, Status> {
        let mut uri = http::uri::Parts::default();
        uri.scheme = Some(self.pool.scheme.clone());
        uri.authority = Some(attempt.endpoint().authority.clone());
        uri.path_and_query = Some(self.path.clone());
        let uri = Uri::from_parts(uri).map_err(|_| status::internal("the method has no path"))?;
        let body = self.payload.body().ok_or_else(|| status::internal("the request was sent already"))?;
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        *request.version_mut() = http::Version::HTTP_2;
        *request.headers_mut() = self.headers.clone();
        if self.made > 0 {
            request.headers_mut().insert(PREVIOUS_ATTEMPTS, HeaderValue::from(self.made));
            if let Some(deadline) = self.deadline {
                let left = deadline.saturating_duration_since(Instant::now());
                request.headers_mut().insert(GRPC_TIMEOUT, Deadline::after(left).header());
            }
        }
        Ok(request)
    }

    fn most_attempts(&self) -> u32 {
        self.pool.settings.retry.attempts.min(MOST_ATTEMPTS)
    }

    /// When the attempt in a slot is no longer trusted alone.
    fn patience(&mut self, slot: usize) -> Option<Instant> {
        let left = self.deadline?.saturating_duration_since(Instant::now());
        let attempt = self.attempts.get_mut(slot)?.as_mut()?;
        Some(attempt.be_patient(self.pool.settings.retry.patience(left)))
    }

    /// The attempts in flight take too long: says whether the call shall be sent elsewhere as well.
    fn distrust(&mut self) -> bool {
        self.attempts.iter_mut().flatten().for_each(Attempt::stalled);
        self.idempotent
            && self.payload.replayable()
            && self.made < self.most_attempts()
            && self.pool.has_hope(&self.tried, true)
            && self.pool.spend()
    }

    fn judge(&mut self, slot: usize, failure: Failure) -> Step {
        let attempt = self.attempts.get_mut(slot).and_then(Option::take);
        let Some(mut attempt) = attempt else { return Step::Stop(self.pool.nobody().into_http()) };
        let (cause, response) = match failure {
            Failure::Unsent(body) => {
                attempt.came_to_nothing(false);
                self.payload.restore(body);
                self.made = self.made.saturating_sub(1);
                if let Some(tried) = self.tried.get_mut(self.made as usize) {
                    *tried = None;
                }
                self.unsent += 1;
                let again = self.unsent <= MOST_UNSENT;
                return if again { Step::At(Instant::now()) } else { Step::Stop(self.pool.nobody().into_http()) };
            }
            Failure::Refused => {
                attempt.came_to_nothing(false);
                (Cause::Refused, unavailable("REFUSED", "the endpoint refused the call"))
            }
            Failure::Broken => {
                attempt.came_to_nothing(true);
                (Cause::Broken, unavailable("CONNECTION_LOST", "the connection to the endpoint broke"))
            }
            Failure::Reset(status) => {
                attempt.ended(status.code());
                return Step::Stop(status.into_http());
            }
            Failure::Turned(response, code) => {
                attempt.ended(code);
                let pushback = Pushback::of(response.headers());
                let unavailable = code == Code::Unavailable;
                let cause = if unavailable { Cause::Unavailable(pushback) } else { Cause::Exhausted(pushback) };
                (cause, response.map(Body::new))
            }
        };
        drop(attempt);
        match self.again(cause) {
            Some(after) => Step::At(Instant::now() + after),
            None => Step::Stop(response),
        }
    }

    /// When to try again after a failure, if at all.
    fn again(&mut self, cause: Cause) -> Option<Duration> {
        let facts = Facts {
            made: self.made,
            idempotent: self.idempotent,
            replayable: self.payload.replayable(),
            refused_before: self.refused_before,
            left: self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())),
        };
        let decision = decide(cause, &facts, &self.pool.settings.retry, self.pool.dice.unit());
        let Decision::Again { after, paid, asked } = decision else { return None };
        // A server that asks to be asked again is not down; without that, hope is needed, and a retry to spend.
        if paid && !((asked || self.pool.has_hope(&self.tried, false)) && self.pool.spend()) {
            return None;
        }
        self.refused_before |= cause == Cause::Refused;
        Some(after)
    }

    /// An attempt is answered: its answer is the call's.
    fn answer(mut self, slot: usize, response: Response<Incoming>) -> Response<Body> {
        let attempt = self.attempts.get_mut(slot).and_then(Option::take);
        let Some(mut attempt) = attempt else { return self.over(response.map(Body::new)) };
        if let Some(code) = final_code(&response) {
            attempt.ended(code);
            self.tally.ended(code);
            return response.map(Body::new);
        }
        attempt.answering();
        let Self { tally, deadline, .. } = self;
        response.map(|body| Body::new(Answering::new(body, attempt, tally, deadline)))
    }

    /// The call is over with a response that is nothing but a status.
    fn over(mut self, response: Response<Body>) -> Response<Body> {
        let code = response.headers().get(Status::GRPC_STATUS);
        self.tally.ended(code.map_or(Code::Unavailable, |code| Code::from_bytes(code.as_bytes())));
        response
    }
}

async fn event<F>(flights: &mut FuturesUnordered<F>, wake: Option<Instant>) -> Event
where
    F: Future<Output = (usize, Result<Response<Incoming>, Failure>)>,
{
    let timer = async {
        match wake {
            Some(at) => sleep_until(at).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        Some((slot, outcome)) = flights.next() => Event::Landed(slot, outcome),
        () = timer => Event::Time,
    }
}

fn late() -> Status {
    status::deadline_exceeded("the call took too long")
}

fn unavailable(reason: &str, message: &str) -> Response<Body> {
    status::unavailable(reason, message, None).into_http()
}
