//! A real redis-server on a free port, with its data in a folder that goes with it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::{Child, Command};
use wenzhen_redis::{Redis, Settings};

/// Whatever is waited for longer hangs.
pub const HANGS: Duration = Duration::from_secs(20);

/// The server; killed when it is dropped.
pub struct RedisServer {
    folder: TempDir,
    port: u16,
    process: Child,
}

impl RedisServer {
    /// Starts one that writes an append-only file, and waits until it answers.
    pub async fn start() -> Self {
        let mut folder = tempfile::tempdir().unwrap();
        // The port is free until somebody else takes it; then the next one is tried.
        for _ in 0..10 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut server = Self { process: run(&folder, port), folder, port };
            if server.answers().await {
                return server;
            }
            folder = server.folder;
        }
        panic!("redis-server does not start; is it installed?")
    }

    /// A fresh connection to it.
    pub async fn connect(&self) -> Redis {
        Redis::connect(self.settings(), HANGS).await.unwrap()
    }

    fn settings(&self) -> Settings {
        Settings::at(&format!("redis://127.0.0.1:{}", self.port)).unwrap()
    }

    /// Ends it as a crash would.
    pub async fn kill(&mut self) {
        self.process.kill().await.unwrap();
    }

    /// Starts it again where it was, with what it had written.
    pub async fn restart(&mut self) {
        self.process = run(&self.folder, self.port);
        assert!(self.answers().await, "redis-server does not come back");
    }

    /// Waits for PONG; `false` when the process ends before.
    async fn answers(&mut self) -> bool {
        let settings = self.settings();
        tokio::select! {
            _ = self.process.wait() => false,
            connected = Redis::connect(settings, HANGS) => connected.is_ok(),
        }
    }
}

fn run(folder: &TempDir, port: u16) -> Child {
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"]);
    command.args(["--appendfsync", "always", "--maxmemory-policy", "noeviction", "--dir"]).arg(folder.path());
    command.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    command.spawn().expect("redis-server must be installed")
}

/// Looks until there is an answer.
pub async fn until<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let answer = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        loop {
            ticks.tick().await;
            if let Some(answer) = look().await {
                return answer;
            }
        }
    };
    tokio::time::timeout(HANGS, answer).await.expect("it did not happen in time")
}
