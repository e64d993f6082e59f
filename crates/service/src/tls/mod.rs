//! Transport security whose certificates are exchanged while the process runs.
//!
//! One certificate serves both sides: it is shown to those who call and to those who are called. The files are looked
//! at every second; a new set is taken over when it is complete and belongs together, and until then the last good one
//! stays in use. Connections that are open keep the certificate that they were made with.

mod accept;
mod args;
mod certificate;
mod config;
mod metrics;

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::RwLock;
use rustls::{ClientConfig, ServerConfig};

pub(crate) use self::accept::accept;
pub use self::args::{ClientAuth, TlsArgs};
pub use self::certificate::Identity;
use self::config::{Files, Loaded};
pub use self::metrics::TlsMetrics;
use crate::layers::metrics::Metrics;

/// How often the files are looked at.
pub const CHECK_EVERY: Duration = Duration::from_secs(1);

/// What is wrong with the certificates or with the flags about them.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A flag is given without the one that it needs.
    #[error("{flag} needs {needs}")]
    Needs {
        /// The flag.
        flag: &'static str,
        /// What it needs.
        needs: &'static str,
    },
    /// A file cannot be read.
    #[error("{flag} {}", path.display())]
    Unreadable {
        /// The flag that names it.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{flag} {}: {reason}", path.display())]
    Content {
        /// The flag that names it.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// What was expected there.
        reason: String,
    },
    /// The files do not make a configuration together, such as a key that belongs to another certificate.
    #[error("--tls-cert and --tls-key")]
    Together(#[source] rustls::Error),
    /// No CA is known whose servers could be trusted.
    #[error("calling over TLS needs --tls-ca")]
    NoCa,
}

impl TlsError {
    /// Whether the flags contradict each other, whatever the files hold.
    pub fn is_contradiction(&self) -> bool {
        matches!(self, Self::Needs { .. } | Self::NoCa)
    }
}

/// What came of looking at the files.
#[derive(Debug)]
pub enum Reload {
    /// They hold what they held.
    Unchanged,
    /// A new set is in use from now on.
    Changed,
    /// They changed, but do not belong together yet: somebody may be writing them.
    Unsettled,
    /// They changed, stayed as they are, and cannot be used: the last good set stays.
    Refused(TlsError),
}

/// The certificates of this process; clones share them.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    args: TlsArgs,
    state: RwLock<State>,
}

struct State {
    good: Loaded,
    /// The files as they were last seen, good or bad.
    seen: Option<Files>,
    /// They were found bad, and that was said.
    refused: bool,
}

impl Tls {
    /// Loads the files that the flags name; nothing where they name none.
    ///
    /// # Errors
    /// When flags contradict each other, or a file is missing, malformed, expired or of another set.
    pub fn load(args: &TlsArgs) -> Result<Option<Self>, TlsError> {
        if !args.any()? {
            return Ok(None);
        }
        let files = Files::read(args)?;
        let good = files.load(args)?;
        let state = State { good, seen: Some(files), refused: false };
        Ok(Some(Self(Arc::new(Inner { args: args.clone(), state: RwLock::new(state) }))))
    }

    /// For the next connection that comes in; nothing without a certificate of our own.
    pub fn server(&self) -> Option<Arc<ServerConfig>> {
        self.0.state.read().good.server.clone()
    }

    /// For the next connection that goes out: trusts the CA, shows our certificate, speaks HTTP/2.
    ///
    /// # Errors
    /// [`TlsError::NoCa`] without `--tls-ca`.
    pub fn client(&self) -> Result<Arc<ClientConfig>, TlsError> {
        self.0.state.read().good.client.clone().ok_or(TlsError::NoCa)
    }

    /// When our certificate expires, in seconds since 1970.
    pub fn expires(&self) -> Option<i64> {
        self.0.state.read().good.expires
    }

    /// Looks at the files. Blocks while it reads them.
    pub fn reload(&self) -> Reload {
        self.0.reload()
    }

    /// Looks at the files again and again, for as long as a clone of this is there; needs a tokio runtime around it.
    pub fn watch(&self, every: Duration, metrics: &Metrics) {
        let metrics = metrics.tls();
        metrics.expires(self.expires());
        tokio::spawn(watch(Arc::downgrade(&self.0), every, metrics));
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Tls").field(&self.0.args).finish()
    }
}

impl Inner {
    fn reload(&self) -> Reload {
        let (files, trouble) = match Files::read(&self.args) {
            Ok(files) => (Some(files), None),
            Err(error) => (None, Some(error)),
        };
        let mut state = self.state.write();
        let settled = state.seen == files;
        if settled && (state.refused || trouble.is_none() && state.good.from == files) {
            return Reload::Unchanged;
        }
        let loaded = files.as_ref().map(|files| files.load(&self.args));
        state.seen = files;
        state.refused = false;
        let error = match (loaded, trouble) {
            (Some(Ok(good)), _) => {
                state.good = good;
                return Reload::Changed;
            }
            (Some(Err(error)), _) | (None, Some(error)) => error,
            (None, None) => return Reload::Unchanged,
        };
        if !settled {
            return Reload::Unsettled;
        }
        state.refused = true;
        Reload::Refused(error)
    }
}

async fn watch(tls: Weak<Inner>, every: Duration, metrics: TlsMetrics) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(tls) = tls.upgrade() else { return };
        // A task that was stopped with the runtime has nothing to say.
        let Ok((outcome, expires)) = tokio::task::spawn_blocking(move || {
            let outcome = tls.reload();
            let expires = tls.state.read().good.expires;
            (outcome, expires)
        })
        .await
        else {
            return;
        };
        match outcome {
            Reload::Unchanged | Reload::Unsettled => {}
            Reload::Changed => {
                tracing::info!(expires, "certificates exchanged");
                metrics.reloaded("ok");
                metrics.expires(expires);
            }
            Reload::Refused(error) => {
                let error = crate::app::chain(&error);
                tracing::error!(error, "new certificates cannot be used, the last good ones stay");
                metrics.reloaded("failed");
            }
        }
    }
}
