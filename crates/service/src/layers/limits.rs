//! What a server takes on, with defaults that suit most.

use std::str::FromStr;
use std::time::Duration;

use super::methods::{self, Method};

/// What a server takes on.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Calls handled at once over all connections; a stream counts until its last frame.
    pub max_in_flight: usize,
    /// Calls that may wait for one of those places; the rest is shed.
    pub max_waiting: usize,
    /// Longest wait for a place.
    pub max_wait: Duration,
    /// Streams of `Watch…` methods at once, which have places of their own.
    pub max_watches: usize,
    /// Methods with a limit of their own, beside that of the server.
    pub methods: Vec<MethodLimit>,
    /// What a shed caller is told to wait.
    pub retry_after: Duration,
    /// Deadline of a unary call that brings none.
    pub default_deadline: Duration,
    /// No call may take longer, whatever its caller allows; also the deadline of a stream that brings none.
    pub max_deadline: Duration,
    /// Time for a request to arrive after its head; of a stream of requests, for each.
    pub request_timeout: Duration,
    /// A response stream that has nothing to send for so long is ended with UNAVAILABLE.
    pub stream_idle: Duration,
    /// Time for calls in flight to finish at shutdown; after it, streams are ended with UNAVAILABLE.
    pub drain_budget: Duration,
    /// A connection older than this is asked to go, so that clients find new replicas; calls on it finish.
    pub connection_age: Duration,
    /// Time for a new connection to finish its TLS handshake, and again to say that it speaks HTTP/2.
    pub connect_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_in_flight: 512,
            max_waiting: 512,
            max_wait: Duration::from_millis(250),
            max_watches: 4096,
            methods: Vec::new(),
            retry_after: Duration::from_millis(250),
            default_deadline: Duration::from_secs(10),
            max_deadline: Duration::from_secs(3600),
            request_timeout: Duration::from_secs(10),
            stream_idle: Duration::from_secs(300),
            drain_budget: Duration::from_secs(20),
            connection_age: Duration::from_secs(600),
            connect_timeout: Duration::from_secs(5),
        }
    }
}

/// The limit of one method.
#[derive(Clone, Copy, Debug)]
pub struct MethodLimit {
    /// The method.
    pub method: &'static Method,
    /// Calls of it that are handled at once; as many again may wait.
    pub permits: usize,
}

impl FromStr for MethodLimit {
    type Err = String;

    /// Reads `Service/Method=N`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, permits) = text.split_once('=').ok_or("expected Service/Method=N")?;
        let known = methods::named(name.trim()).filter(|method| !method.infrastructure);
        let method = known.ok_or_else(|| format!("no method is called {name}, or more than one is"))?;
        match permits.trim().parse() {
            Ok(permits) if permits > 0 => Ok(Self { method, permits }),
            _ => Err("expected a number from 1 on after the =".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_limit_names_a_method_and_a_number() {
        let limit: MethodLimit = "KgService/Describe=3".parse().unwrap();
        assert_eq!((limit.method.name.as_str(), limit.permits), ("wenzhen.kg.v1.KgService/Describe", 3));
        for bad in ["KgService/Describe", "KgService/Describe=0", "KgService/Describe=x", "Health/Check=1", "X/Y=1"] {
            assert!(bad.parse::<MethodLimit>().is_err(), "{bad}");
        }
    }
}
