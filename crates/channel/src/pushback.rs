//! When the server wants to be asked again, as it says itself.

use std::time::Duration;

use http::HeaderMap;
use tonic::Status;
use tonic_types::StatusExt;

/// Milliseconds to wait, or a negative number for never (gRFC A6).
const HEADER: &str = "grpc-retry-pushback-ms";

/// What a failed answer says about a next try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushback {
    /// Nothing.
    Unsaid,
    /// Not before this time has passed.
    After(Duration),
    /// Not at all.
    Never,
}

impl Pushback {
    /// Reads the headers of a response that holds nothing but a status: `grpc-retry-pushback-ms`, or else the
    /// `google.rpc.RetryInfo` among the details. What cannot be read as a number means never, as gRFC A6 has it.
    pub fn of(headers: &HeaderMap) -> Self {
        if let Some(value) = headers.get(HEADER) {
            let millis = value.to_str().ok().and_then(|text| text.trim().parse::<i64>().ok());
            let wait = millis.and_then(|millis| u64::try_from(millis).ok()).map(Duration::from_millis);
            return wait.map_or(Self::Never, Self::After);
        }
        let delay = Status::from_header_map(headers)
            .and_then(|status| status.get_details_retry_info())
            .and_then(|info| info.retry_delay);
        delay.map_or(Self::Unsaid, Self::After)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::body::Body;

    fn headers(value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(http::HeaderName::from_static(HEADER), http::HeaderValue::from_static(value))])
    }

    #[test]
    fn the_header_says_when_or_never() {
        assert_eq!(Pushback::of(&headers("250")), Pushback::After(Duration::from_millis(250)));
        for never in ["-1", "soon", "", "99999999999999999999999"] {
            assert_eq!(Pushback::of(&headers(never)), Pushback::Never, "{never}");
        }
        assert_eq!(Pushback::of(&HeaderMap::new()), Pushback::Unsaid);
    }

    #[test]
    fn the_details_say_when() {
        let wait = Duration::from_millis(1500);
        let shed = wenzhen_service::status::resource_exhausted("too many calls in flight", wait);
        assert_eq!(Pushback::of(shed.into_http::<Body>().headers()), Pushback::After(wait));
        let plain = Status::unavailable("away").into_http::<Body>();
        assert_eq!(Pushback::of(plain.headers()), Pushback::Unsaid);
    }
}
