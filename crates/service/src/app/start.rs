//! From the command line to the end of the process.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use http::HeaderValue;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::file::{self, Refused};
use super::{App, AppArgs, Ended, Failure, Inner, chain};
use crate::admin::{self, Admin};
use crate::config::ListenArgs;
use crate::health::Readiness;
use crate::layers::metrics::Metrics;
use crate::layers::workers;
use crate::server::{Gate, Serving};
use crate::telemetry::{self, TelemetryError};
use crate::tls::{self, Tls};
use crate::{install_crypto, shutdown};

pub(super) fn run<A, B>(common: fn(&A) -> &AppArgs, body: B) -> ExitCode
where
    A: clap::Parser,
    B: AsyncFnOnce(A, App) -> Result<(), Failure>,
{
    let name = A::command().get_name().to_owned();
    let ended = match file::parse::<A>(std::env::args_os().collect()) {
        Ok(args) => process(&name, args, common, body),
        Err(Refused::Wrong(failure)) => Err(failure),
        Err(Refused::Shown(text)) => text.exit(),
    };
    let Err(failure) = ended else { return ExitCode::SUCCESS };
    // Whoever has closed standard error does not want to know.
    let _ = writeln!(std::io::stderr().lock(), "{name}: {}", failure.line());
    ExitCode::from(failure.code())
}

fn process<A, B>(name: &str, args: A, common: fn(&A) -> &AppArgs, body: B) -> Result<(), Failure>
where
    B: AsyncFnOnce(A, App) -> Result<(), Failure>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers()).enable_all().build()?;
    let app = common(&args).clone();
    let ended = runtime.block_on(async {
        let _telemetry = telemetry::init(&app.log, &app.otlp, name).map_err(about_telemetry)?;
        install_crypto();
        let (app, _admin) = start(&app, shutdown::on_signals()?).await?;
        tokio::select! {
            ended = body(args, app.clone()) => ended,
            ended = app.ended_early() => ended,
        }
    });
    // Work that blocks, such as the loading of a pack, must not hold up the end.
    runtime.shutdown_background();
    ended
}

/// Opens both ports and begins to serve, with the gate still closed.
async fn start(args: &AppArgs, signals: CancellationToken) -> Result<(App, Admin), Failure> {
    apart(&args.listen)?;
    let tls = Tls::load(&args.tls)?;
    let (listen, admin_listen) = (args.listen.listen, args.listen.admin_listen);
    let listener = TcpListener::bind(listen).await.map_err(|e| Failure::of(format!("--listen {listen}"), &e))?;
    let (readiness, metrics, stopping) = (Readiness::new(), Metrics::new(), CancellationToken::new());
    let services = readiness.dependency("services");
    let admin = admin::open(admin_listen, readiness.clone(), metrics.clone())
        .map_err(|e| Failure::of(format!("--admin-listen {admin_listen}"), &e))?;
    tracing::info!(address = %admin.address(), "admin port");
    if let Some(tls) = &tls {
        tls.watch(tls::CHECK_EVERY, &metrics);
    }
    let (gate, instance, limits) = (Gate::closed(), args.instance(), args.limits.limits());
    let serving = Serving {
        listener,
        services: gate.clone(),
        readiness: readiness.clone(),
        metrics: metrics.clone(),
        limits: limits.clone(),
        tls: tls.clone(),
        instance: HeaderValue::from_str(&instance).ok(),
        shutdown: stopping.clone(),
    };
    tokio::spawn(drain(signals, readiness.clone(), Duration::from_millis(args.drain_delay_ms), stopping.clone()));
    let ended = spawn(serving);
    let opened = AtomicBool::new(false);
    let inner = Inner { readiness, metrics, limits, tls, instance, gate, opened, services, stopping, ended };
    Ok((App(Arc::new(inner)), admin))
}

/// The way from a signal to the closing of the port.
async fn drain(signals: CancellationToken, readiness: Readiness, delay: Duration, stopping: CancellationToken) {
    signals.cancelled().await;
    let known = readiness.is_ready();
    readiness.drain();
    // Nobody has to notice the end of a process that was never ready.
    if known {
        tokio::time::sleep(delay).await;
    }
    stopping.cancel();
}

/// Serves in a task of its own, and lets many hear how that ends.
fn spawn(serving: Serving) -> watch::Receiver<Ended> {
    let (done, ended) = watch::channel(None);
    tokio::spawn(async move {
        let result = serving.serve().await.map_err(|error| chain(&error));
        // Fails when nobody waits any more.
        let _ = done.send(Some(result));
    });
    ended
}

/// Two sockets cannot have one port.
fn apart(listen: &ListenArgs) -> Result<(), Failure> {
    let any = |address: SocketAddr| address.ip().is_unspecified();
    let (one, other) = (listen.listen, listen.admin_listen);
    let same = one.ip() == other.ip() || any(one) || any(other);
    if one.port() != 0 && one.port() == other.port() && same {
        return Err(Failure::configuration(format!("--listen {one} and --admin-listen {other} have the same port")));
    }
    Ok(())
}

fn about_telemetry(error: TelemetryError) -> Failure {
    let flag = match error {
        TelemetryError::Filter(_) => "--log-filter",
        TelemetryError::Exporter(_) => "--otlp-endpoint",
        TelemetryError::Runtime(_) | TelemetryError::Twice(_) => return error.into(),
    };
    Failure::configuration(format!("{flag}: {}", chain(&error)))
}
