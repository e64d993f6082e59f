//! One process of the cluster: a binary of this workspace, started on free ports.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Time for a process to say where it listens, and to become ready.
const START: Duration = Duration::from_secs(60);
/// Lines of its log that are kept.
const TAIL: usize = 200;
/// Places that are kept of a word that was looked for.
const PLACES: usize = 5;

/// A running binary. It is killed when this is dropped.
pub struct Program {
    name: String,
    child: Child,
    places: watch::Receiver<Places>,
    log: Arc<Mutex<Vec<String>>>,
    reader: JoinHandle<()>,
}

/// Where a process listens, as its log says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Places {
    grpc: Option<SocketAddr>,
    admin: Option<SocketAddr>,
}

/// Looks for words in all that programs say, and keeps a few places where each was found.
#[derive(Debug, Default)]
pub struct Watch {
    words: Vec<String>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    texts: usize,
    found: BTreeMap<String, Vec<String>>,
}

impl Watch {
    /// Looks for these.
    pub fn new(words: impl IntoIterator<Item = String>) -> Self {
        Self { words: words.into_iter().collect(), seen: Mutex::default() }
    }

    /// Looks at a text.
    pub fn see(&self, text: &str) {
        let mut seen = self.seen.lock();
        seen.texts += 1;
        for word in self.words.iter().filter(|word| text.contains(word.as_str())) {
            let places = seen.found.entry(word.clone()).or_default();
            if places.len() < PLACES {
                places.push(text.to_owned());
            }
        }
    }

    /// Texts looked at.
    pub fn texts(&self) -> usize {
        self.seen.lock().texts
    }

    /// Texts that hold a word; a few of them.
    pub fn found(&self, word: &str) -> Vec<String> {
        self.seen.lock().found.get(word).cloned().unwrap_or_default()
    }
}

impl Program {
    /// Starts a binary of this workspace. `listen` is `ADDRESS:PORT`, port 0 for a free one.
    ///
    /// # Errors
    /// When the binary was not built.
    pub fn start(binary: &str, listen: &str, arguments: &[String]) -> anyhow::Result<Self> {
        Self::watched(binary, listen, arguments, None)
    }

    /// The same, with somebody who looks at every line of its log.
    ///
    /// # Errors
    /// When the binary was not built.
    pub fn watched(
        binary: &str,
        listen: &str,
        arguments: &[String],
        watch: Option<Arc<Watch>>,
    ) -> anyhow::Result<Self> {
        let path = find(binary)?;
        let mut child = Command::new(&path)
            .args(["--listen", listen, "--admin-listen", "127.0.0.1:0", "--log-format", "json"])
            .args(arguments)
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", path.display()))?;
        let stderr = child.stderr.take().context("no standard error")?;
        let (said, places) = watch::channel(Places::default());
        let log = Arc::new(Mutex::new(Vec::new()));
        let kept = log.clone();
        let reader = tokio::spawn(async move {
            let mut lines = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                said.send_modify(|places| note(places, &line));
                if let Some(watch) = &watch {
                    watch.see(&line);
                }
                let mut kept = kept.lock();
                if kept.len() == TAIL {
                    kept.remove(0);
                }
                kept.push(line);
            }
        });
        Ok(Self { name: binary.to_owned(), child, places, log, reader })
    }

    /// Where it serves gRPC.
    ///
    /// # Errors
    /// When it ends or says nothing.
    pub async fn address(&self) -> anyhow::Result<SocketAddr> {
        self.place(|places| places.grpc).await
    }

    /// Where its probes and metrics are.
    ///
    /// # Errors
    /// When it ends or says nothing.
    pub async fn admin(&self) -> anyhow::Result<SocketAddr> {
        self.place(|places| places.admin).await
    }

    async fn place(&self, which: fn(&Places) -> Option<SocketAddr>) -> anyhow::Result<SocketAddr> {
        let mut places = self.places.clone();
        let said = tokio::time::timeout(START, places.wait_for(|places| which(places).is_some())).await;
        let place = said.ok().and_then(|waited| waited.ok().and_then(|places| which(&places)));
        place.with_context(|| format!("{} did not say where it listens:\n{}", self.name, self.tail()))
    }

    /// Waits until `/readyz` says yes.
    ///
    /// # Errors
    /// When it does not within a minute.
    pub async fn ready(&self) -> anyhow::Result<()> {
        let until = tokio::time::Instant::now() + START;
        let mut pause = tokio::time::interval(Duration::from_millis(20));
        while tokio::time::Instant::now() < until {
            pause.tick().await;
            if self.get("/readyz").await.is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
                return Ok(());
            }
        }
        bail!("{} is not ready: {}\n{}", self.name, self.get("/readyz").await.unwrap_or_default(), self.tail())
    }

    /// The answer of its admin port, headers and all.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn get(&self, path: &str) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(self.admin().await?).await?;
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    /// The sum of all samples of a metric whose labels contain `labels`.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn metric(&self, name: &str, labels: &str) -> anyhow::Result<f64> {
        let text = self.get("/metrics").await?;
        let sample = |line: &str| {
            let rest = line.strip_prefix(name).filter(|rest| rest.starts_with(['{', ' ']) && rest.contains(labels))?;
            rest.rsplit(' ').next()?.trim().parse::<f64>().ok()
        };
        Ok(text.lines().filter_map(sample).sum())
    }

    /// Sends a signal: `TERM`, `KILL`, `STOP`, `CONT`.
    ///
    /// # Errors
    /// When the process is gone.
    pub async fn signal(&self, signal: &str) -> anyhow::Result<()> {
        let pid = self.child.id().with_context(|| format!("{} has ended", self.name))?;
        let status = Command::new("kill").args([&format!("-{signal}"), &pid.to_string()]).status().await?;
        if status.success() { Ok(()) } else { bail!("cannot send {signal} to {}", self.name) }
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When that cannot be waited for.
    pub async fn ended(&mut self) -> anyhow::Result<ExitStatus> {
        Ok(self.child.wait().await?)
    }

    /// SIGTERM, and its exit status.
    ///
    /// # Errors
    /// When it is gone already.
    pub async fn stop(&mut self) -> anyhow::Result<ExitStatus> {
        self.signal("TERM").await?;
        self.ended().await
    }

    /// The last lines of its log, once it has ended and everything was read.
    pub async fn whole_log(&mut self) -> String {
        // A reader that was lost has read what it could.
        let _ = (&mut self.reader).await;
        self.tail()
    }

    /// The last lines of its log.
    pub fn tail(&self) -> String {
        self.log.lock().join("\n")
    }
}

/// Enters what a line of the log says about addresses.
fn note(places: &mut Places, line: &str) {
    let Ok(entry) = serde_json::from_str::<Value>(line) else { return };
    let field = |name: &str| entry.pointer(&format!("/fields/{name}")).or_else(|| entry.get(name));
    let (Some(message), Some(address)) = (field("message"), field("address")) else { return };
    let address = address.as_str().and_then(|text| text.parse().ok());
    match message.as_str() {
        Some("serving") => places.grpc = address,
        Some("admin port") => places.admin = address,
        _ => {}
    }
}

/// The binary next to the running one, or next to the folder of tests that holds it.
fn find(binary: &str) -> anyhow::Result<PathBuf> {
    let here = std::env::current_exe()?;
    let folders = here.ancestors().skip(1).take(2);
    let found = folders.map(|folder| folder.join(binary)).find(|path| path.is_file());
    found.with_context(|| format!("{binary} is not built; `cargo build --bins` builds it"))
}
