//! A Redis server of one's own.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

const START: Duration = Duration::from_secs(20);

/// When a write is on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sync {
    /// Before it is acknowledged: nothing is lost when the machine dies.
    #[default]
    Always,
    /// At most a second later, as the manifests under `deploy/` have it.
    EverySecond,
}

/// A redis-server on a free port that keeps its writes on disk. It is killed when this is dropped.
pub struct RedisServer {
    port: u16,
    sync: Sync,
    folder: TempDir,
    child: Option<Child>,
}

impl RedisServer {
    /// Starts one that has every write on disk before it acknowledges it, and waits until it answers.
    ///
    /// # Errors
    /// When redis-server is not installed or does not start.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_with(Sync::default()).await
    }

    /// Starts one and waits until it answers.
    ///
    /// # Errors
    /// When redis-server is not installed or does not start.
    pub async fn start_with(sync: Sync) -> anyhow::Result<Self> {
        // Free when we looked; Redis takes no inherited socket.
        let port = TcpListener::bind("127.0.0.1:0").await?.local_addr()?.port();
        let mut server = Self { port, sync, folder: tempfile::tempdir()?, child: None };
        server.restart().await?;
        Ok(server)
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Kills it, as a power cut would.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill().await?;
        }
        Ok(())
    }

    /// Starts it again on the data that it left.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        let sync = match self.sync {
            Sync::Always => "always",
            Sync::EverySecond => "everysec",
        };
        let child = Command::new("redis-server")
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(["--appendonly", "yes", "--appendfsync", sync, "--maxmemory-policy", "noeviction"])
            .arg("--dir")
            .arg(self.folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        self.child = Some(child.context("redis-server is not installed; `apt-get install redis-server` does that")?);
        let until = tokio::time::Instant::now() + START;
        let mut pause = tokio::time::interval(Duration::from_millis(10));
        while tokio::time::Instant::now() < until {
            pause.tick().await;
            if self.ping().await.is_ok_and(|answer| answer.starts_with("+PONG")) {
                return Ok(());
            }
        }
        bail!("redis-server did not answer on port {}", self.port)
    }

    async fn ping(&self) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        stream.write_all(b"PING\r\n").await?;
        let mut answer = [0; 16];
        let length = stream.read(&mut answer).await?;
        Ok(String::from_utf8_lossy(answer.get(..length).unwrap_or_default()).into_owned())
    }
}
