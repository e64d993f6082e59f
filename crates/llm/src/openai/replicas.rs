//! The servers, and which of them is asked next.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::Uri;
use parking_lot::Mutex;

use super::SettingsError;

/// How long a server that failed is left alone while there are others.
const COOL_DOWN: Duration = Duration::from_secs(2);

/// One server.
#[derive(Debug)]
pub(super) struct Replica {
    pub(super) https: bool,
    pub(super) host: String,
    pub(super) port: u16,
    /// Host and port as the `Host` header has them.
    pub(super) authority: String,
    /// Path of the completions.
    pub(super) path: String,
    flying: AtomicUsize,
    failed: Mutex<Option<Instant>>,
}

/// All servers.
#[derive(Debug)]
pub(super) struct Replicas {
    all: Vec<Replica>,
    turn: AtomicUsize,
}

/// A request in flight to a server.
pub(super) struct Flight<'a>(pub(super) &'a Replica);

impl Replicas {
    pub(super) fn new(urls: &[String]) -> Result<Self, SettingsError> {
        let all: Vec<Replica> = urls.iter().map(|url| Replica::parse(url.trim())).collect::<Result<_, _>>()?;
        if all.is_empty() { Err(SettingsError::NoUrl) } else { Ok(Self { all, turn: AtomicUsize::new(0) }) }
    }

    pub(super) fn any_https(&self) -> bool {
        self.all.iter().any(|replica| replica.https)
    }

    /// The server with the fewest requests in flight, those that failed just now last; ties go round. `None` where
    /// `but` is the only one.
    pub(super) fn pick(&self, but: Option<&Replica>) -> Option<Flight<'_>> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let others = self.all.iter().enumerate().filter(|(_, r)| !but.is_some_and(|but| std::ptr::eq(*r, but)));
        let best = others.min_by_key(|(at, replica)| {
            let place = (at + self.all.len() - turn % self.all.len()) % self.all.len();
            (replica.cools_down(), replica.flying.load(Ordering::Relaxed), place)
        });
        best.map(|(_, replica)| {
            replica.flying.fetch_add(1, Ordering::Relaxed);
            Flight(replica)
        })
    }
}

impl Replica {
    fn parse(url: &str) -> Result<Self, SettingsError> {
        let shown = url.rsplit_once('@').map_or(url, |(_, rest)| rest);
        let wrong = || SettingsError::Url { url: shown.to_owned() };
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let https = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong()),
        };
        let authority = uri.authority().ok_or_else(wrong)?;
        if authority.as_str().contains('@') || uri.query().is_some() || url.contains('#') || authority.host().is_empty()
        {
            return Err(wrong());
        }
        Ok(Self {
            https,
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(if https { 443 } else { 80 }),
            authority: authority.as_str().to_owned(),
            path: format!("{}/chat/completions", uri.path().trim_end_matches('/')),
            flying: AtomicUsize::new(0),
            failed: Mutex::new(None),
        })
    }

    fn cools_down(&self) -> bool {
        self.failed.lock().is_some_and(|failed| failed.elapsed() < COOL_DOWN)
    }

    /// Remembers whether it answered.
    pub(super) fn answered(&self, well: bool) {
        *self.failed.lock() = (!well).then(Instant::now);
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.0.flying.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replicas(urls: &[&str]) -> Result<Replicas, SettingsError> {
        Replicas::new(&urls.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn the_least_busy_server_is_asked_and_failed_ones_last() {
        let replicas = replicas(&["http://a/v1", "http://b/v1/", "http://c"]).unwrap();
        let flights: Vec<Flight<'_>> = (0..6).filter_map(|_| replicas.pick(None)).collect();
        assert!(replicas.all.iter().all(|r| r.flying.load(Ordering::Relaxed) == 2));
        let hosts: Vec<&str> = flights.iter().map(|flight| flight.0.host.as_str()).collect();
        drop(flights);
        assert_eq!(hosts.iter().filter(|host| **host == "b").count(), 2, "{hosts:?}");
        replicas.all[0].answered(false);
        for _ in 0..6 {
            assert_ne!(replicas.pick(None).unwrap().0.host, "a", "it failed just now");
        }
        let b = &replicas.all[1];
        assert!((0..4).all(|_| replicas.pick(Some(b)).unwrap().0.host == "c"));
        replicas.all[0].answered(true);
        assert_eq!(replicas.all[1].path, "/v1/chat/completions");
        assert_eq!(replicas.all[2].path, "/chat/completions");
    }

    #[test]
    fn there_is_no_other_than_the_only_one() {
        let replicas = replicas(&["https://[::1]:8443/v1"]).unwrap();
        let only = &replicas.all[0];
        assert_eq!((only.host.as_str(), only.port, only.https), ("::1", 8443, true));
        assert!(replicas.pick(Some(only)).is_none() && replicas.pick(None).is_some());
    }

    #[test]
    fn what_is_no_server_is_refused_and_no_password_is_shown() {
        for bad in ["", "a", "ftp://a", "http://", "http://a?b=c", "http://a#b", "http://user:secret@a", "/v1"] {
            let error = replicas(&[bad]).unwrap_err().to_string();
            assert!(error.contains("http(s)://HOST") && !error.contains("secret"), "{bad}: {error}");
        }
        assert!(matches!(replicas(&[]), Err(SettingsError::NoUrl)));
    }
}
