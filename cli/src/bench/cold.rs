//! A process of its own: how long until it asks, and how much memory it takes.

use std::process::Stdio;
use std::time::Instant;

use super::driver::Script;
use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// Starts to take the median of.
const STARTS: usize = 5;
/// Turns after which memory is read.
const TURNS: usize = 4;

/// Median milliseconds from starting the program to its first question, pack loaded and all.
pub async fn start_ms(script: &Script) -> anyhow::Result<f64> {
    let mut times = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        let began = Instant::now();
        let mut chat = Chat::start()?;
        chat.say(script.words(0, 0)).await?;
        times.push(began.elapsed().as_secs_f64() * 1000.0);
        chat.end().await?;
    }
    times.sort_by(f64::total_cmp);
    times.get(STARTS / 2).copied().context("no start was timed")
}

/// Resident memory of a process that has held a consultation, in MiB.
pub async fn resident_mib(script: &Script) -> anyhow::Result<f64> {
    let mut chat = Chat::start()?;
    for turn in 0..TURNS {
        chat.say(script.words(0, turn)).await?;
    }
    let pid = chat.child.id().context("the chat has ended")?;
    let status = tokio::fs::read_to_string(format!("/proc/{pid}/status")).await?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    chat.end().await?;
    Ok(kib / 1024.0)
}

struct Chat {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Chat {
    fn start() -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["chat", "--json", "--memory"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().context("no input")?;
        let output = BufReader::new(child.stdout.take().context("no output")?).lines();
        Ok(Self { child, input, output })
    }

    /// Says something and waits for the end of the turn.
    async fn say(&mut self, words: &str) -> anyhow::Result<()> {
        self.input.write_all(format!("{words}\n").as_bytes()).await?;
        while let Some(line) = self.output.next_line().await? {
            if line.contains("\"completed\"") {
                return Ok(());
            }
        }
        anyhow::bail!("the chat ended before its turn did")
    }

    async fn end(self) -> anyhow::Result<()> {
        let Self { mut child, input, .. } = self;
        drop(input);
        child.wait().await?;
        Ok(())
    }
}
