//! Asking the sentinels who the master is.

use redis::aio::MultiplexedConnection;

use crate::connect::{Connected, Login, multiplexed, server};
use crate::target::Host;
use crate::{RedisError, Settings};

/// The sentinels of one master, and the connection to the one that answered last.
pub(crate) struct Sentinels {
    hosts: Vec<Host>,
    master: String,
    known: Option<(usize, MultiplexedConnection)>,
}

impl Sentinels {
    pub(crate) fn new(hosts: Vec<Host>, master: String) -> Self {
        Self { hosts, master, known: None }
    }

    /// Connects to the master. A sentinel that names a server that is none any more is passed over.
    pub(crate) async fn connect(&mut self, settings: &Settings) -> Result<Connected, RedisError> {
        let mut last = RedisError::unavailable("no sentinel can be reached");
        let mut named = false;
        for at in self.order() {
            match self.ask(settings, at).await {
                Ok(Some(host)) => match server(settings, &host).await {
                    Ok(connected) => return Ok(connected),
                    Err(error) => (named, last) = (true, error),
                },
                Ok(None) if !named => {
                    last = RedisError::misconfigured(format!("the sentinels know no master {:?}", self.master));
                }
                Err(error) if !named && last.is_unavailable() => last = error,
                Ok(None) | Err(_) => {}
            }
        }
        Err(last)
    }

    /// Who the master is, by the first sentinel that answers; `None` when none does.
    pub(crate) async fn master(&mut self, settings: &Settings) -> Option<Host> {
        for at in self.order() {
            if let Ok(Some(host)) = self.ask(settings, at).await {
                return Some(host);
            }
        }
        None
    }

    /// All sentinels, the one that answered last first.
    fn order(&self) -> impl Iterator<Item = usize> + use<> {
        let (first, count) = (self.known.as_ref().map_or(0, |(at, _)| *at), self.hosts.len());
        (0..count).map(move |step| (first + step) % count)
    }

    async fn ask(&mut self, settings: &Settings, at: usize) -> Result<Option<Host>, RedisError> {
        let known = self.known.take().filter(|(known, _)| *known == at);
        let fresh = known.is_none();
        let connection = match known {
            Some((_, connection)) => connection,
            None => self.open(settings, at, Login::No).await?,
        };
        match self.query(connection, at).await {
            Err(RedisError::Misconfigured(_)) => {
                let connection = self.open(settings, at, Login::Yes).await?;
                self.query(connection, at).await
            }
            // A kept connection may have broken since.
            Err(_) if !fresh => {
                let connection = self.open(settings, at, Login::No).await?;
                self.query(connection, at).await
            }
            answer => answer,
        }
    }

    async fn open(&self, settings: &Settings, at: usize, login: Login) -> Result<MultiplexedConnection, RedisError> {
        // Sentinels have no databases; with one selected the login would fail.
        multiplexed(&settings.without_database(), &self.hosts[at], login, Some(settings.response_timeout)).await
    }

    async fn query(&mut self, mut connection: MultiplexedConnection, at: usize) -> Result<Option<Host>, RedisError> {
        let mut command = redis::cmd("SENTINEL");
        command.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.master);
        let answer: Option<(String, u16)> = command.query_async(&mut connection).await?;
        self.known = Some((at, connection));
        Ok(answer.map(|(name, port)| Host { name, port }))
    }
}
