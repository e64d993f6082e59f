//! One attempt at one server, up to the first byte of its answer.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, RETRY_AFTER};
use http::{HeaderMap, Request as HttpRequest, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use serde_json::Value;

use super::Inner;
use super::replicas::{Flight, Replica};
use crate::Error;

/// The hint where a server that has no room gives none, and the longest that is believed.
const NO_ROOM: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);
/// How much of an error's body is read, in bytes, and for how long.
const MOST_ERROR: usize = 64 * 1024;
const ERROR_PATIENCE: Duration = Duration::from_secs(2);
/// How servers say that a prompt is too long, in codes and in words.
const TOO_LONG: [&str; 5] =
    ["context_length_exceeded", "exceed_context_size", "maximum context length", "context size", "context window"];

/// An answer that has begun.
pub(super) struct Answer<'a> {
    pub(super) body: Incoming,
    /// While this lives, the server counts as busy.
    _flight: Flight<'a>,
}

/// Why an attempt gave no answer.
struct Failed {
    error: Error,
    /// Another server may do better.
    elsewhere: bool,
    /// The server is to be left alone for a while.
    unwell: bool,
}

impl Inner {
    /// Asks a server, and another one where the first fails before it has begun to answer.
    pub(super) async fn ask(&self, body: &Bytes) -> Result<Answer<'_>, Error> {
        let first = self.replicas.pick(None).ok_or(Error::Unavailable("there is no server"))?;
        let replica = first.0;
        let failed = match self.attempt(first, body).await {
            Ok(answer) => return Ok(answer),
            Err(failed) => failed,
        };
        let second = if failed.elsewhere { self.replicas.pick(Some(replica)) } else { None };
        let Some(second) = second else { return Err(failed.error) };
        self.attempt(second, body).await.map_err(|again| worse(failed.error, again.error))
    }

    async fn attempt<'a>(&self, flight: Flight<'a>, body: &Bytes) -> Result<Answer<'a>, Failed> {
        let replica = flight.0;
        let answered = match tokio::time::timeout(self.settings.limits.first_byte, self.send(replica, body)).await {
            Ok(answered) => answered,
            Err(_) => Err(unavailable("it does not begin to answer")),
        };
        replica.answered(!answered.as_ref().is_err_and(|failed| failed.unwell));
        answered.map(|body| Answer { body, _flight: flight })
    }

    async fn send(&self, replica: &Replica, body: &Bytes) -> Result<Incoming, Failed> {
        let mut sender =
            self.connector.open(replica).await.map_err(|error| Failed { error, elsewhere: true, unwell: true })?;
        let mut request = HttpRequest::post(&replica.path)
            .header(HOST, &replica.authority)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "text/event-stream");
        if let Some(key) = &self.key {
            request = request.header(AUTHORIZATION, key.header());
        }
        let request = request.body(Full::new(body.clone()));
        let request = request.map_err(|_| fatal(Error::Request("it cannot be written as HTTP")))?;
        let response = sender.send_request(request).await;
        accept(response.map_err(|_| unavailable("it closed the connection before it answered"))?).await
    }
}

/// The body of an answer that is one.
async fn accept(response: Response<Incoming>) -> Result<Incoming, Failed> {
    let status = response.status();
    if status == StatusCode::OK {
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
        if kind.trim().to_ascii_lowercase().starts_with("text/event-stream") {
            return Ok(response.into_body());
        }
        return Err(Failed {
            error: Error::Malformed("its answer is no stream of events"),
            elsewhere: true,
            unwell: true,
        });
    }
    Err(match status {
        StatusCode::TOO_MANY_REQUESTS => {
            let retry_after = hint(response.headers());
            Failed { error: Error::Overloaded { retry_after }, elsewhere: true, unwell: false }
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => fatal(Error::Unavailable("it refuses the key")),
        StatusCode::NOT_FOUND => fatal(Error::Unavailable("it does not know the path or the model")),
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
            fatal(refused(response.into_body()).await)
        }
        status if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => unavailable("it failed"),
        _ => fatal(Error::Malformed("its status is no answer to the request")),
    })
}

/// Why a server refused the request: too long, or something else. Its words are not repeated.
async fn refused(body: Incoming) -> Error {
    let read = tokio::time::timeout(ERROR_PATIENCE, Limited::new(body, MOST_ERROR).collect()).await;
    let text = match read {
        Ok(Ok(body)) => String::from_utf8_lossy(&body.to_bytes()).to_lowercase(),
        _ => String::new(),
    };
    if !TOO_LONG.iter().any(|words| text.contains(words)) {
        return Error::Request("the server refused it");
    }
    let told: Value = serde_json::from_str(&text).unwrap_or_default();
    let number = |name: &str| told.pointer(&format!("/error/{name}")).and_then(Value::as_u64);
    let count = |name: &str| u32::try_from(number(name).unwrap_or(0)).unwrap_or(u32::MAX);
    Error::ContextOverflow { tokens: count("n_prompt_tokens"), limit: count("n_ctx") }
}

/// `Retry-After` in seconds; a date, or none, is the default.
fn hint(headers: &HeaderMap) -> Duration {
    let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse::<f64>().ok());
    let hint =
        seconds.filter(|s| s.is_finite() && *s > 0.0).map(|s| Duration::from_secs_f64(s.min(LONGEST.as_secs_f64())));
    hint.unwrap_or(NO_ROOM).max(Duration::from_millis(1))
}

/// Of two failures the one that says more to the caller: no room, rather than away.
fn worse(first: Error, second: Error) -> Error {
    match (&first, &second) {
        (Error::Overloaded { retry_after: a }, Error::Overloaded { retry_after: b }) => {
            Error::Overloaded { retry_after: *a.min(b) }
        }
        (Error::Overloaded { .. }, _) => first,
        _ => second,
    }
}

const fn unavailable(why: &'static str) -> Failed {
    Failed { error: Error::Unavailable(why), elsewhere: true, unwell: true }
}

/// Every server would answer the same.
const fn fatal(error: Error) -> Failed {
    Failed { error, elsewhere: false, unwell: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_a_time_in_bounds() {
        let of = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, value.parse().unwrap());
            hint(&headers)
        };
        assert_eq!((of("7"), of("0.5")), (Duration::from_secs(7), Duration::from_millis(500)));
        for odd in ["0", "-1", "nan", "inf", "soon", "Wed, 21 Oct 2026 07:28:00 GMT"] {
            assert_eq!(of(odd), NO_ROOM, "{odd}");
        }
        assert_eq!((of("1e9"), hint(&HeaderMap::new())), (LONGEST, NO_ROOM));
    }
}
