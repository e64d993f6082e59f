//! How a channel behaves. The defaults suit agents in one cluster.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::backoff::Backoff;
use crate::connector::{Connect, Tcp};
use crate::health::EjectionRules;
use crate::resolve::{Dns, Resolve};
use crate::retry::RetryRules;

/// Says of a method's path (`/package.Service/Method`) whether doing it twice does no harm.
pub type Idempotent = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// Gives the TLS configuration of the next connection. It is asked each time, because certificates change.
pub type TlsSource = Arc<dyn Fn() -> Arc<rustls::ClientConfig> + Send + Sync>;

/// All that can be set.
#[derive(Clone)]
pub struct Settings {
    /// Which methods may be repeated. Default: none. A method whose requests are a stream must not be named.
    pub idempotent: Idempotent,
    /// For `https://` targets. Whatever it says about ALPN, `h2` is what is spoken.
    pub tls: Option<TlsSource>,
    /// Opens streams of bytes.
    pub connector: Arc<dyn Connect>,
    /// Finds addresses.
    pub resolver: Arc<dyn Resolve>,
    /// Time to a working connection: TCP, TLS and the server's first word. Also the longest that a call waits for a
    /// connection that is being made for the first time.
    pub connect_timeout: Duration,
    /// Wait after a connection could not be made.
    pub reconnect: Backoff,
    /// A connection that is silent for so long is probed by a ping, calls or not.
    pub keep_alive: Duration,
    /// A ping that is not answered within this time ends the connection.
    pub keep_alive_timeout: Duration,
    /// The name is looked up again after this time, give or take a fifth.
    pub resolve_interval: Duration,
    /// Troubles have it looked up at once, but never twice within this time.
    pub resolve_pause: Duration,
    /// When calls are made again.
    pub retry: RetryRules,
    /// When endpoints are left out.
    pub ejection: EjectionRules,
    /// Makes picks and jitter the same every time, for simulations. Default: different every time.
    pub seed: Option<u64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            idempotent: Arc::new(|_| false),
            tls: None,
            connector: Arc::new(Tcp),
            resolver: Arc::new(Dns),
            connect_timeout: Duration::from_secs(1),
            reconnect: Backoff { base: Duration::from_millis(100), cap: Duration::from_secs(2) },
            keep_alive: Duration::from_secs(10),
            keep_alive_timeout: Duration::from_secs(5),
            resolve_interval: Duration::from_secs(5),
            resolve_pause: Duration::from_secs(1),
            retry: RetryRules::default(),
            ejection: EjectionRules::default(),
            seed: None,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("tls", &self.tls.is_some())
            .field("connect_timeout", &self.connect_timeout)
            .field("reconnect", &self.reconnect)
            .field("keep_alive", &self.keep_alive)
            .field("keep_alive_timeout", &self.keep_alive_timeout)
            .field("resolve_interval", &self.resolve_interval)
            .field("resolve_pause", &self.resolve_pause)
            .field("retry", &self.retry)
            .field("ejection", &self.ejection)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}
