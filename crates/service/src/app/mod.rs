//! A service as a process of its own: what every `main` does, so that each reads as a script.
//!
//! In this order: configuration, telemetry, certificates, the gRPC port and the admin port. Both answer from then on,
//! NOT_SERVING, while `main` gets its packs and stores ready. [`App::serve`] opens the services. SIGTERM or SIGINT make
//! the process NOT_SERVING, then, after a delay, close its port, and give calls one budget of time to finish.
//!
//! Exit codes: 0 after an orderly end; 2 where the configuration is wrong in itself; 1 where something around the
//! process is (a port is taken, a file is missing), or where calls had to be cut off. Either is one line on standard
//! error.

mod args;
mod failure;
mod file;
mod start;

use std::num::NonZero;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use self::args::AppArgs;
pub use self::failure::{Failure, chain};
use crate::health::{Dependency, Readiness};
use crate::layers::Limits;
use crate::layers::metrics::Metrics;
use crate::server::{Drained, Gate};
use crate::services::Services;
use crate::tls::Tls;

/// The default of `--max-in-flight` for services that compute and wait for nobody: some calls for each core. More at
/// once would make all of them slower, and those who are turned away would wait for their answer behind them.
pub fn cpu_bound() -> &'static str {
    const EACH: usize = 8;
    static CALLS: LazyLock<String> = LazyLock::new(|| {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        (cores * EACH).to_string()
    });
    &CALLS
}

/// How serving ended: as [`crate::Serving::serve`] says, errors as their text.
type Ended = Option<Result<Drained, String>>;

/// The process as its `main` sees it; clones share it.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    readiness: Readiness,
    metrics: Metrics,
    limits: Limits,
    tls: Option<Tls>,
    instance: String,
    gate: Gate,
    opened: AtomicBool,
    services: Dependency,
    stopping: CancellationToken,
    ended: watch::Receiver<Ended>,
}

/// Runs a service: `args` finds the common flags in the program's own, `body` is the service's part, which ends with
/// [`App::serve`]. See the module for the rest.
pub fn run<A, B>(args: fn(&A) -> &AppArgs, body: B) -> ExitCode
where
    A: clap::Parser,
    B: AsyncFnOnce(A, App) -> Result<(), Failure>,
{
    start::run(args, body)
}

impl App {
    /// Readiness of the process; `main` adds what it depends on, such as a store.
    pub fn readiness(&self) -> &Readiness {
        &self.0.readiness
    }

    /// Metrics of the process.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// What the server takes on.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Certificates, where the flags name any; for those who call others.
    pub fn tls(&self) -> Option<&Tls> {
        self.0.tls.as_ref()
    }

    /// The name of this process among its replicas.
    pub fn instance(&self) -> &str {
        &self.0.instance
    }

    /// Cancelled when the port closes; for tasks in the background.
    pub fn stopping(&self) -> CancellationToken {
        self.0.stopping.clone()
    }

    /// Does work that takes its time on a thread that may block. Until it is done, the process is not ready for want of
    /// what `name` says.
    ///
    /// # Errors
    /// Those of the work.
    pub async fn prepare<T, E>(
        &self,
        name: &'static str,
        work: impl FnOnce() -> Result<T, E> + Send + 'static,
    ) -> Result<T, Failure>
    where
        T: Send + 'static,
        E: Send + 'static,
        Failure: From<E>,
    {
        let (dependency, began) = (self.0.readiness.dependency(name), Instant::now());
        let done = tokio::task::spawn_blocking(work).await.map_err(|_| format!("preparing {name} failed"))?;
        match done {
            Ok(value) => {
                let elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
                tracing::info!(what = name, elapsed_ms, "prepared");
                dependency.up();
                Ok(value)
            }
            Err(error) => {
                dependency.down("failed");
                Err(error.into())
            }
        }
    }

    /// Opens the services and serves them until the process has drained.
    ///
    /// # Errors
    /// When the transport fails, or when calls had to be cut off because the drain's budget was spent.
    pub async fn serve(&self, services: Services) -> Result<(), Failure> {
        self.0.gate.open(services);
        self.0.opened.store(true, Ordering::Relaxed);
        self.0.services.up();
        self.ended().await
    }

    /// Waits for an end that comes before the services were opened, such as a signal while packs load.
    async fn ended_early(&self) -> Result<(), Failure> {
        let ended = self.ended().await;
        if self.0.opened.load(Ordering::Relaxed) {
            // The body hears of it as well, and may have to tidy up.
            std::future::pending::<()>().await;
        }
        ended
    }

    async fn ended(&self) -> Result<(), Failure> {
        let mut watch = self.0.ended.clone();
        let ended = watch.wait_for(Option::is_some).await.map(|ended| ended.clone());
        match ended {
            Ok(Some(Ok(Drained::Clean))) => Ok(()),
            Ok(Some(Ok(Drained::Cut))) => {
                let budget = self.0.limits.drain_budget.as_millis();
                Err(format!("calls were cut off: they still ran when the drain budget of {budget} ms was spent").into())
            }
            Ok(Some(Err(error))) => Err(error.into()),
            Ok(None) | Err(_) => Err("the server ended without a word".into()),
        }
    }
}
