//! For tests of binaries: starts one, reads its log, ends it, and holds it to what every service promises.
//!
//! Behind the feature `testing`, which only tests turn on.

mod lifecycle;
mod slow_pack;

use std::io;
use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStderr, Command};
use tonic::transport::{Channel, Endpoint};

pub use self::lifecycle::lifecycle;
pub use self::slow_pack::SlowPack;

/// Longest wait for anything; only a failing test comes near it.
const PATIENCE: Duration = Duration::from_secs(120);

/// A process under test; it is killed when this is dropped.
#[derive(Debug)]
pub struct Binary {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
    seen: Vec<String>,
}

/// How a process ended.
#[derive(Debug)]
pub struct Ended {
    /// With what.
    pub status: ExitStatus,
    /// Lines on standard error that are no log lines.
    pub lines: Vec<String>,
}

impl Binary {
    /// Starts a program with these arguments and variables, and nothing else in its environment.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(program: &str, arguments: &[&str], environment: &[(&str, &str)]) -> io::Result<Self> {
        let mut child = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stderr = child.stderr.take().ok_or_else(|| io::Error::other("no standard error"))?;
        Ok(Self { child, log: BufReader::new(stderr).lines(), seen: Vec::new() })
    }

    /// Starts a service on free ports with a log in JSON.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn service(program: &str, more: &[&str], environment: &[(&str, &str)]) -> io::Result<Self> {
        let own = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--log-format", "json"];
        Self::start(program, &[&own, more].concat(), environment)
    }

    /// Waits for the log line with this message.
    ///
    /// # Errors
    /// When the log ends before it comes.
    pub async fn event(&mut self, message: &str) -> io::Result<Value> {
        let wait = async {
            while let Some(line) = self.log.next_line().await? {
                let event: Value = serde_json::from_str(&line).unwrap_or_default();
                self.seen.push(line);
                if event["message"] == message {
                    return Ok(event);
                }
            }
            Err(io::Error::other(format!("no `{message}` in the log: {:#?}", self.seen)))
        };
        tokio::time::timeout(PATIENCE, wait).await?
    }

    /// The address that the next log line with this message names.
    ///
    /// # Errors
    /// As [`Binary::event`].
    pub async fn address(&mut self, message: &str) -> io::Result<SocketAddr> {
        let event = self.event(message).await?;
        event["address"].as_str().unwrap_or_default().parse().map_err(io::Error::other)
    }

    /// Sends SIGTERM.
    ///
    /// # Errors
    /// When it has ended already.
    pub async fn terminate(&self) -> io::Result<()> {
        let id = self.child.id().ok_or_else(|| io::Error::other("it has ended"))?;
        let sent = Command::new("kill").args(["-TERM", &id.to_string()]).status().await?;
        if sent.success() { Ok(()) } else { Err(io::Error::other("no such process")) }
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// When it does not come.
    pub async fn ended(mut self) -> io::Result<Ended> {
        let wait = async {
            while let Some(line) = self.log.next_line().await? {
                self.seen.push(line);
            }
            self.child.wait().await
        };
        let status = tokio::time::timeout(PATIENCE, wait).await??;
        let log = |line: &String| line.starts_with('{') || line.contains(" INFO ");
        Ok(Ended { status, lines: self.seen.into_iter().filter(|line| !log(line)).collect() })
    }
}

/// Runs a program that must not start: its exit code, and what it says.
///
/// # Errors
/// When it cannot be run, or runs on.
pub async fn refused(program: &str, arguments: &[&str]) -> io::Result<(Option<i32>, String)> {
    let ended = Binary::start(program, arguments, &[])?.ended().await?;
    Ok((ended.status.code(), ended.lines.join("\n")))
}

/// A channel that connects at its first call.
///
/// # Errors
/// Never for a socket address.
pub fn channel(address: SocketAddr) -> io::Result<Channel> {
    Ok(Endpoint::from_shared(format!("http://{address}")).map_err(io::Error::other)?.connect_lazy())
}

/// The status line of a page of the admin port.
///
/// # Errors
/// When it does not answer.
pub async fn admin(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await?;
    Ok(reply.lines().next().unwrap_or_default().to_owned())
}
