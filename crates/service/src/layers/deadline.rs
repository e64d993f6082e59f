//! Deadlines: read from `grpc-timeout` or given by the server, seen by handlers, passed on to the calls they make.

use std::future::Future;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

/// Header that carries the time left.
pub const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

tokio::task_local! {
    static CURRENT: Deadline;
}

/// The moment by which a call must be answered.
///
/// A handler's own task sees it through [`Deadline::current`], and [`crate::Client`] passes it on from there. A task
/// that the handler spawns does not: run it under [`Deadline::scope`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// `left` from now, at most thirty days ahead.
    pub fn after(left: Duration) -> Self {
        const FAR: Duration = Duration::from_secs(30 * 24 * 3600);
        let now = Instant::now();
        Self(now.checked_add(left.min(FAR)).unwrap_or(now))
    }

    /// The moment itself.
    pub fn instant(self) -> Instant {
        self.0
    }

    /// Time left, zero once it has passed.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Whether it has passed.
    pub fn expired(self) -> bool {
        self.remaining().is_zero()
    }

    /// The deadline of the call that the current task is handling.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(|deadline| *deadline).ok()
    }

    /// The deadline of a request, as the server's layer has set it.
    pub fn of<T>(request: &tonic::Request<T>) -> Option<Self> {
        request.extensions().get::<Self>().copied()
    }

    /// Runs a future with this as its current deadline, for work that leaves the handler's task.
    pub fn scope<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, future)
    }

    pub(crate) fn sync_scope<R>(self, run: impl FnOnce() -> R) -> R {
        CURRENT.sync_scope(self, run)
    }

    /// The time left as `grpc-timeout` has it: at most eight digits and a unit.
    pub fn header(self) -> HeaderValue {
        let left = self.remaining();
        let text = match left.as_micros() {
            micros @ ..=99_999_999 => format!("{micros}u"),
            _ => format!("{}m", left.as_millis().min(99_999_999)),
        };
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("0u"))
    }
}

/// A `grpc-timeout` that is not as the protocol has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed grpc-timeout")]
pub struct MalformedTimeout;

/// The time that a caller allows; none where it does not say.
///
/// # Errors
/// [`MalformedTimeout`] for anything but one to eight digits and a unit.
pub fn asked(headers: &HeaderMap) -> Result<Option<Duration>, MalformedTimeout> {
    let Some(value) = headers.get(GRPC_TIMEOUT) else { return Ok(None) };
    value.to_str().ok().and_then(parse).map(Some).ok_or(MalformedTimeout)
}

/// [`asked`] for callers to whom a malformed value is as good as none.
pub fn requested(headers: &HeaderMap) -> Option<Duration> {
    asked(headers).unwrap_or_default()
}

fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(amount * 3600)),
        "M" => Some(Duration::from_secs(amount * 60)),
        "S" => Some(Duration::from_secs(amount)),
        "m" => Some(Duration::from_millis(amount)),
        "u" => Some(Duration::from_micros(amount)),
        "n" => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &'static str) -> Option<Duration> {
        requested(&HeaderMap::from_iter([(GRPC_TIMEOUT, HeaderValue::from_static(text))]))
    }

    #[test]
    fn reads_every_unit_and_refuses_the_malformed() {
        assert_eq!(parsed("2H"), Some(Duration::from_secs(7200)));
        assert_eq!(parsed("3M"), Some(Duration::from_secs(180)));
        assert_eq!(parsed("99999999S"), Some(Duration::from_secs(99_999_999)));
        assert_eq!(parsed("5m"), Some(Duration::from_millis(5)));
        assert_eq!(parsed("7u"), Some(Duration::from_micros(7)));
        assert_eq!(parsed("0n"), Some(Duration::ZERO));
        for bad in ["", "S", "5", "123456789m", "-5m", "1.5S", "5x", "+5m"] {
            assert_eq!(parsed(bad), None, "{bad}");
            let headers = HeaderMap::from_iter([(GRPC_TIMEOUT, HeaderValue::from_static(bad))]);
            assert_eq!(asked(&headers), Err(MalformedTimeout), "{bad}");
        }
        assert_eq!(asked(&HeaderMap::new()), Ok(None));
        assert!(!Deadline::after(Duration::MAX).expired());
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_left_shrinks_and_fits_the_header() {
        let deadline = Deadline::after(Duration::from_secs(3));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(deadline.header(), "2999000u");
        assert_eq!(Deadline::after(Duration::from_secs(1000)).header(), "1000000m");
        tokio::time::advance(Duration::from_secs(5)).await;
        assert!(deadline.expired());
        assert_eq!(deadline.header(), "0u");
    }

    #[tokio::test]
    async fn a_scope_sets_the_current_deadline() {
        let deadline = Deadline::after(Duration::from_secs(1));
        assert_eq!(Deadline::current(), None);
        assert_eq!(deadline.scope(async { Deadline::current() }).await, Some(deadline));
    }
}
