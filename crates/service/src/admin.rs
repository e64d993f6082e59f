//! The admin port: liveness, readiness and metrics in plain HTTP. It has a thread and a runtime of its own, so that a
//! busy data plane does not look dead.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio_util::sync::CancellationToken;

use crate::health::Readiness;
use crate::layers::metrics::Metrics;

/// A running admin port; it closes when this is dropped.
#[derive(Debug)]
pub struct Admin {
    address: SocketAddr,
    shutdown: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

#[derive(Clone)]
struct Sources {
    readiness: Readiness,
    metrics: Metrics,
}

/// Opens the admin port: `/livez`, `/readyz` (JSON with a reason per dependency, 503 when not ready) and `/metrics`
/// (OpenMetrics). Port 0 takes a free one.
///
/// # Errors
/// When the address cannot be bound or the thread cannot be started.
pub fn open(listen: SocketAddr, readiness: Readiness, metrics: Metrics) -> io::Result<Admin> {
    let listener = TcpListener::bind(listen)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    metrics.register(|registry| registry.register_collector(Box::new(readiness.clone())));
    let routes = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(text))
        .with_state(Sources { readiness, metrics });
    let thread = std::thread::Builder::new().name("admin".to_owned()).spawn(move || {
        runtime.block_on(async move {
            let served = async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                axum::serve(listener, routes).await
            };
            // Open connections of a scraper must not hold up the end of the process.
            tokio::select! {
                ended = served => if let Err(error) = ended { tracing::error!(%error, "admin port failed") },
                () = stop.cancelled() => {}
            }
        });
    })?;
    Ok(Admin { address, shutdown, thread: Some(thread) })
}

impl Admin {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.shutdown.cancel();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has ended as well.
            let _ = thread.join();
        }
    }
}

async fn ready(State(sources): State<Sources>) -> impl IntoResponse {
    let snapshot = sources.readiness.snapshot();
    let code = if snapshot.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = serde_json::to_string(&snapshot).unwrap_or_else(|_| "{}".to_owned());
    (code, [(CONTENT_TYPE, "application/json")], body)
}

async fn text(State(sources): State<Sources>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], sources.metrics.text())
}
