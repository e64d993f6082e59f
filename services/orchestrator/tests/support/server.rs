//! A redis-server of a test's own.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::until;

const MISSING: &str = "redis-server is not installed; `apt-get install redis-server` (or ./test) installs it";

/// A server on a free port, with a folder of its own; killed on drop.
pub struct Server {
    pub port: u16,
    folder: TempDir,
    arguments: Vec<String>,
    process: Option<Child>,
}

impl Server {
    /// A server that keeps nothing on disk.
    pub async fn volatile() -> Self {
        Self::with(&["--appendonly", "no"]).await
    }

    /// A server that has on disk what it has acknowledged.
    pub async fn durable() -> Self {
        Self::with(&["--appendonly", "yes", "--appendfsync", "always"]).await
    }

    /// A server with more arguments.
    pub async fn with(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::inside(folder, arguments).await
    }

    /// A server with these arguments, in a folder that may hold files for it.
    pub async fn inside(folder: TempDir, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(ToString::to_string).collect();
        let mut server = Self { port: free_port(), folder, arguments, process: None };
        server.start().await;
        server
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it (again, on the same port with the same folder) and waits until it answers.
    pub async fn start(&mut self) {
        let port = self.port.to_string();
        let mut command = Command::new("redis-server");
        // A file of settings, where there is one, must be the first argument.
        let file = usize::from(self.arguments.first().is_some_and(|argument| !argument.starts_with("--")));
        let (file, more) = self.arguments.split_at(file);
        command.args(file).args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--dir"]).arg(self.folder());
        command.args(["--repl-diskless-sync-delay", "0"]).args(more);
        let log = File::options().create(true).append(true).open(self.log()).unwrap();
        command.stdin(Stdio::null()).stdout(log).stderr(Stdio::null());
        self.process = Some(command.spawn().unwrap_or_else(|error| panic!("{MISSING}: {error}")));
        until("redis-server answers", async || {
            let ended = self.process.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "redis-server ended: {}", std::fs::read_to_string(self.log()).unwrap_or_default());
            answers(self.port).await
        })
        .await;
    }

    /// Kills it at once, as `kill -9` does.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Stops it without ending it: connections stay, answers do not come.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.process.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    fn log(&self) -> PathBuf {
        self.folder().join("log")
    }

    /// Asks it directly; again where it closes the connection, as one does that is made a master.
    pub async fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let client = redis::Client::open(self.url()).unwrap();
        let mut answer = None;
        until("it is answered", async || {
            let asked = async {
                let mut connection = client.get_multiplexed_async_connection().await?;
                redis::Cmd::new().arg(words).query_async::<T>(&mut connection).await
            };
            answer = Some(asked.await).filter(|asked| !asked.as_ref().is_err_and(redis::RedisError::is_io_error));
            answer.is_some()
        })
        .await;
        answer.unwrap().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn answers(port: u16) -> bool {
    let ping = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
        stream.write_all(b"PING\r\n").await.ok()?;
        let mut answer = [0; 7];
        stream.read_exact(&mut answer).await.ok()?;
        // One that wants a password answers as well.
        (answer.starts_with(b"+PONG") || answer.starts_with(b"-NOAUTH")).then_some(())
    };
    matches!(tokio::time::timeout(Duration::from_millis(200), ping).await, Ok(Some(())))
}

/// A free port below those that outgoing connections take: a client that keeps asking an absent server on one of
/// those could come to be connected to itself.
pub fn free_port() -> u16 {
    loop {
        let port = 12_000 + rand::random::<u16>() % 20_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
