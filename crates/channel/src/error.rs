//! What is wrong with the configuration of a channel. Failures of calls are statuses, not these.

/// Why a channel cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Neither `http://` nor `https://` stands in front.
    #[error("{0:?}: expected http://HOST:PORT or https://HOST:PORT")]
    Scheme(String),
    /// The list mixes `http://` and `https://`.
    #[error("{0:?}: all addresses of a list must have the same scheme")]
    MixedSchemes(String),
    /// There is no port, or it is no number from 1 to 65535.
    #[error("{0:?}: a port from 1 to 65535 must follow the host, as in http://HOST:PORT")]
    Port(String),
    /// The host is neither a name nor an IP address (IPv6 in brackets).
    #[error("{0:?}: the host is neither a name nor an IP address")]
    Host(String),
    /// A path, a query, a fragment or a user name.
    #[error("{0:?}: nothing but HOST:PORT may follow the scheme")]
    Path(String),
    /// The same host and port twice.
    #[error("{0:?} stands twice in the list")]
    Twice(String),
    /// `https://` was asked for, but the settings have no TLS configuration.
    #[error("{0}: https needs a TLS configuration (certificate authority)")]
    TlsMissing(String),
}
