//! Follows which addresses a target has: looks its names up again and again, begins to use what is new and leaves what
//! is gone.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;

use futures::future::join_all;
use rustls_pki_types::ServerName;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::backoff::jittered;
use crate::connection::Tls;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::pool::Pool;
use crate::settings::Settings;
use crate::target::{Authority, Scheme, Target};

/// One host of the target.
struct Host {
    authority: Authority,
    /// As requests have it.
    named: http::uri::Authority,
    tls: Option<Tls>,
    /// Its addresses when it last had any.
    known: Vec<SocketAddr>,
}

/// The task that follows a target.
pub struct Discovery {
    hosts: Vec<Host>,
    pool: Arc<Pool>,
    stop: CancellationToken,
}

impl Discovery {
    /// Prepares the hosts of a target; `stop` ends the task and all connections.
    ///
    /// # Errors
    /// [`Error::TlsMissing`], [`Error::Host`].
    pub fn new(target: &Target, pool: Arc<Pool>, stop: CancellationToken) -> Result<Self, Error> {
        let hosts = target.authorities().iter().map(|authority| Host::new(target, authority, &pool.settings));
        Ok(Self { hosts: hosts.collect::<Result<_, _>>()?, pool, stop })
    }

    /// Looks up until it is stopped.
    pub async fn run(mut self) {
        loop {
            let stop = self.stop.clone();
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.look_up() => {}
            }
            let settings = &self.pool.settings;
            let now = Instant::now();
            let next = now + jittered(settings.resolve_interval, self.pool.dice.unit());
            let earliest = now + settings.resolve_pause;
            let wanted = async {
                self.pool.wanted.notified().await;
                sleep_until(earliest).await;
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = wanted => {}
                () = sleep_until(next) => {}
            }
        }
    }

    async fn look_up(&mut self) {
        let settings = &self.pool.settings;
        let answers = self.hosts.iter().map(|host| {
            let answer = settings.resolver.resolve(&host.authority);
            timeout(settings.resolve_interval, answer)
        });
        let answers = join_all(answers).await;
        for (host, answer) in self.hosts.iter_mut().zip(answers) {
            match answer {
                Ok(Ok(addresses)) if !addresses.is_empty() => host.known = addresses,
                // A name server that is away, or knows nothing for a moment, must not take an agent away.
                Ok(Ok(_)) => tracing::debug!(target = self.pool.target, "a look-up found no address"),
                Ok(Err(error)) => tracing::debug!(target = self.pool.target, error = %error.kind(), "a look-up failed"),
                Err(_) => tracing::debug!(target = self.pool.target, "a look-up took too long"),
            }
        }
        self.apply();
    }

    /// Brings the pool's endpoints in line with the addresses known.
    fn apply(&self) {
        let before = self.pool.endpoints();
        let mut seen = HashSet::new();
        let mut after = Vec::new();
        let mut new = Vec::new();
        for host in &self.hosts {
            for address in host.known.iter().filter(|address| seen.insert(**address)) {
                match before.iter().find(|endpoint| endpoint.address == *address) {
                    Some(endpoint) => after.push(Arc::clone(endpoint)),
                    None => {
                        let endpoint = Arc::new(self.endpoint(host, *address));
                        new.push(Arc::clone(&endpoint));
                        after.push(endpoint);
                    }
                }
            }
        }
        let gone: Vec<_> = before.iter().filter(|endpoint| !seen.contains(&endpoint.address)).collect();
        if new.is_empty() && gone.is_empty() {
            return self.pool.looked_up();
        }
        tracing::info!(target = self.pool.target, all = after.len(), new = new.len(), gone = gone.len(), "endpoints");
        self.pool.set_endpoints(after);
        gone.iter().for_each(|endpoint| endpoint.gone.cancel());
        for endpoint in new {
            tokio::spawn(endpoint.keep_connected(Arc::clone(&self.pool)));
        }
    }

    fn endpoint(&self, host: &Host, address: SocketAddr) -> Endpoint {
        let gone = self.stop.child_token();
        Endpoint::new(address, host.named.clone(), host.tls.clone(), gone, &self.pool.settings)
    }
}

impl Host {
    fn new(target: &Target, authority: &Authority, settings: &Settings) -> Result<Self, Error> {
        let bad = || Error::Host(authority.to_string());
        let tls = match target.scheme() {
            Scheme::Http => None,
            Scheme::Https => {
                let source = settings.tls.clone().ok_or_else(|| Error::TlsMissing(target.to_string()))?;
                let name = ServerName::try_from(authority.host().to_owned()).map_err(|_| bad())?;
                Some(Tls { source, name })
            }
        };
        let named = authority.to_string().parse().map_err(|_| bad())?;
        Ok(Self { authority: authority.clone(), named, tls, known: Vec::new() })
    }
}
