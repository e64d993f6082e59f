//! A server that answers as it is told.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::Stream;
use futures::future::BoxFuture;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

pub type Answer = BoxFuture<'static, Result<(), Status>>;
pub type Items = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

/// What a replica does, and how often it was asked.
#[derive(Clone)]
pub struct Script {
    pub calls: Arc<AtomicUsize>,
    answer: Arc<dyn Fn(Request<HealthCheckRequest>) -> Answer + Send + Sync>,
    items: Arc<dyn Fn() -> Items + Send + Sync>,
}

impl Script {
    pub fn new<F>(answer: impl Fn(Request<HealthCheckRequest>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), Status>> + Send + 'static,
    {
        Self {
            calls: Arc::default(),
            answer: Arc::new(move |request| Box::pin(answer(request))),
            items: Arc::new(|| Box::pin(futures::stream::pending())),
        }
    }

    /// Answers at once.
    pub fn well() -> Self {
        Self::new(|_| async { Ok(()) })
    }

    /// Answers after a while.
    pub fn slow(pause: Duration) -> Self {
        Self::new(move |_| async move {
            tokio::time::sleep(pause).await;
            Ok(())
        })
    }

    /// Fails at once.
    pub fn failing(status: Status) -> Self {
        Self::new(move |_| {
            let status = status.clone();
            async move { Err(status) }
        })
    }

    /// Never answers.
    pub fn silent() -> Self {
        Self::new(|_| std::future::pending())
    }

    /// What it streams.
    pub fn streaming(mut self, items: impl Fn() -> Items + Send + Sync + 'static) -> Self {
        self.items = Arc::new(items);
        self
    }

    pub fn count(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// Serves connections, such as accepted ones, until they end or `shutdown` says goodbye.
    pub async fn serve<I, S>(self, incoming: S, shutdown: CancellationToken)
    where
        I: tokio::io::AsyncRead + tokio::io::AsyncWrite + tonic::transport::server::Connected + Unpin + Send + 'static,
        S: Stream<Item = std::io::Result<I>>,
    {
        let server = Server::builder().add_service(HealthServer::new(self));
        // A connection that broke is what a test wanted.
        let _ = server.serve_with_incoming_shutdown(incoming, shutdown.cancelled_owned()).await;
    }
}

#[tonic::async_trait]
impl Health for Script {
    type WatchStream = Items;

    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        (self.answer)(request).await.map(|()| Response::new(HealthCheckResponse::default()))
    }

    async fn watch(&self, _: Request<HealthCheckRequest>) -> Result<Response<Items>, Status> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        Ok(Response::new((self.items)()))
    }
}

/// Serves on a loopback port, on the test's own runtime: what the machine does to one, it does to all.
pub async fn serve_here(script: &Script) -> SocketAddr {
    let bound = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = bound.local_addr().unwrap();
    tokio::spawn(script.clone().serve(TcpListenerStream::new(bound), CancellationToken::new()));
    address
}

/// A replica on a loopback port, on a runtime of its own, so that it can be killed.
pub struct Replica {
    pub address: SocketAddr,
    pub script: Script,
    runtime: Option<Runtime>,
    shutdown: CancellationToken,
    ended: CancellationToken,
}

impl Replica {
    pub async fn start(script: Script) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), script).await
    }

    pub async fn start_at(address: SocketAddr, script: Script) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (shutdown, ended) = (CancellationToken::new(), CancellationToken::new());
        let bound = runtime.spawn(TcpListener::bind(address)).await.unwrap().unwrap();
        let address = bound.local_addr().unwrap();
        let serving = script.clone().serve(TcpListenerStream::new(bound), shutdown.clone());
        let end = ended.clone();
        runtime.spawn(async move {
            serving.await;
            end.cancel();
        });
        Self { address, script, runtime: Some(runtime), shutdown, ended }
    }

    pub fn count(&self) -> usize {
        self.script.count()
    }

    /// Says goodbye, finishes what it has, and closes.
    pub async fn stop(mut self) {
        self.shutdown.cancel();
        self.ended.cancelled().await;
        self.runtime.take().unwrap().shutdown_background();
    }

    /// Dies as it stands.
    pub async fn kill(mut self) {
        let runtime = self.runtime.take().unwrap();
        tokio::task::spawn_blocking(move || drop(runtime)).await.unwrap();
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
