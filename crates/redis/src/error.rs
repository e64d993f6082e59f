//! What can go wrong with Redis. No error holds a key, an argument or a value: a server's own words may repeat them.

use redis::{ErrorKind, ServerErrorKind};

/// Why Redis did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedisError {
    /// Nobody answers, or whoever does cannot now. A command may or may not have run.
    #[error("Redis is unavailable: {0}")]
    Unavailable(String),
    /// It will not work until somebody changes a setting here or there.
    #[error("Redis cannot be used: {0}")]
    Misconfigured(String),
    /// The server refused this command.
    #[error("Redis refused a command ({code})")]
    Rejected {
        /// The first word of the server's error, such as `WRONGTYPE`; `TYPE` when an answer was of another type than
        /// expected.
        code: String,
    },
}

impl RedisError {
    /// Whether the same may work in a moment.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// The server's error code, where it refused a command.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Rejected { code } => Some(code),
            Self::Unavailable(_) | Self::Misconfigured(_) => None,
        }
    }

    pub(crate) fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable(reason.into())
    }

    pub(crate) fn misconfigured(reason: impl Into<String>) -> Self {
        Self::Misconfigured(reason.into())
    }
}

impl From<redis::RedisError> for RedisError {
    fn from(error: redis::RedisError) -> Self {
        if let Some(code) = error.code() {
            return from_code(code);
        }
        match error.kind() {
            ErrorKind::Io if error.is_timeout() => Self::unavailable("no answer in time"),
            // Errors of the operating system or of TLS: an address at most.
            ErrorKind::Io => {
                let text = error.to_string();
                if text.contains("certificate") { Self::Misconfigured(text) } else { Self::Unavailable(text) }
            }
            ErrorKind::AuthenticationFailed => Self::misconfigured("wrong user or password"),
            ErrorKind::InvalidClientConfig => Self::misconfigured("the connection's settings are contradictory"),
            ErrorKind::ClusterConnectionNotFound => Self::unavailable("no server of the cluster can be reached"),
            ErrorKind::Client => Self::unavailable("the connection was closed"),
            ErrorKind::Parse => Self::unavailable("what answers does not speak Redis's protocol"),
            _ => Self::Rejected { code: "TYPE".into() },
        }
    }
}

impl From<redis::ServerError> for RedisError {
    fn from(error: redis::ServerError) -> Self {
        from_code(error.code())
    }
}

impl From<redis::ParsingError> for RedisError {
    fn from(_: redis::ParsingError) -> Self {
        Self::Rejected { code: "TYPE".into() }
    }
}

/// Which of the server's words mean *later*, which *never*.
fn from_code(code: &str) -> RedisError {
    let transient = match code {
        "LOADING" => "it is loading its data",
        "READONLY" => "it is a replica",
        "MASTERDOWN" => "its master is down",
        "CLUSTERDOWN" => "the cluster is down",
        "TRYAGAIN" | "ASK" | "MOVED" => "the cluster moves its slots",
        "BUSY" => "it is busy with a script",
        "OOM" => "its memory is full",
        "MISCONF" => "it cannot save to disk and takes no writes",
        "NOREPLICAS" => "it has too few replicas to take writes",
        "UNBLOCKED" => "it became a replica",
        _ => "",
    };
    if !transient.is_empty() {
        return RedisError::unavailable(transient);
    }
    match code {
        "NOAUTH" => RedisError::misconfigured("it wants a password (--redis-password-file)"),
        "WRONGPASS" => RedisError::misconfigured("wrong user or password"),
        "NOPERM" => RedisError::misconfigured("the user lacks a permission"),
        "DENIED" => RedisError::misconfigured("it is in protected mode"),
        "CROSSSLOT" => RedisError::misconfigured("it is a cluster (redis+cluster://)"),
        code => RedisError::Rejected { code: code.to_owned() },
    }
}

/// Whether the server said that it takes no writes or is no longer the one to ask, so that it must be looked for anew.
pub(crate) fn elsewhere(error: &redis::RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown | ServerErrorKind::BusyLoading)
    ) || error.code() == Some("UNBLOCKED")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_words_are_not_repeated() {
        let error = redis::make_extension_error("ODD".into(), Some("args beginning with: sesame".into()));
        let error = RedisError::from(error);
        assert_eq!(error.code(), Some("ODD"));
        assert!(!error.to_string().contains("sesame"));
    }

    #[test]
    fn later_and_never_are_told_apart() {
        assert!(from_code("READONLY").is_unavailable());
        assert!(from_code("OOM").is_unavailable());
        assert!(matches!(from_code("NOAUTH"), RedisError::Misconfigured(_)));
        assert_eq!(from_code("WRONGTYPE"), RedisError::Rejected { code: "WRONGTYPE".into() });
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        assert!(RedisError::from(redis::RedisError::from(refused)).is_unavailable());
    }
}
