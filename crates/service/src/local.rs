//! gRPC inside one process: the same clients, servers and frames as over the network, on an in-memory pipe.
//!
//! The client's connector makes a pipe and hands its far end to the server; when a connection breaks, the next call
//! makes a new one. No port is opened.

use std::convert::Infallible;
use std::io;

use http::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::transport::{Channel, Endpoint};
use tower::{Layer, Service};

use crate::layers::Guard;
use crate::server::builder;
use crate::services::Services;

/// Bytes that one direction of a pipe holds.
const PIPE: usize = 256 << 10;
/// Flow-control windows, in bytes: as large as the server's, so that neither side waits for the other.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
/// Pipes that wait to be accepted.
const BACKLOG: usize = 8;

/// The serving side of an in-process channel. It runs until [`LocalServer::stop`], or until every clone of the channel
/// is gone; dropping this handle does not end it.
#[derive(Debug)]
pub struct LocalServer {
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), tonic::transport::Error>>,
}

impl LocalServer {
    /// Takes no new connection, lets calls in flight finish, then returns.
    pub async fn stop(self) {
        self.shutdown.cancel();
        // A task that failed has nothing left to stop.
        let _ = self.task.await;
    }
}

/// Serves bare routes in this process: no limits, deadlines, metrics or spans. Needs a tokio runtime around it.
pub fn in_process(routes: Routes) -> (Channel, LocalServer) {
    start(routes.prepare())
}

/// Serves services in this process under a guard, as [`crate::Serving`] does over TCP. Needs a tokio runtime around it.
pub fn in_process_guarded(services: Services, guard: &Guard) -> (Channel, LocalServer) {
    start(guard.layer(services.into_routes()))
}

fn start<S, B>(service: S) -> (Channel, LocalServer)
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (pipes, accepted) = mpsc::channel::<io::Result<DuplexStream>>(BACKLOG);
    let shutdown = CancellationToken::new();
    let stopped = shutdown.clone().cancelled_owned();
    let server = builder().serve_with_incoming_shutdown(service, ReceiverStream::new(accepted), stopped);
    let task = tokio::spawn(server);
    (connect(pipes), LocalServer { shutdown, task })
}

fn connect(pipes: mpsc::Sender<io::Result<DuplexStream>>) -> Channel {
    let connector = tower::service_fn(move |_: Uri| {
        let pipes = pipes.clone();
        async move {
            let (near, far) = tokio::io::duplex(PIPE);
            pipes.send(Ok(far)).await.map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
            Ok::<_, io::Error>(TokioIo::new(near))
        }
    });
    // The name is never resolved; it only fills the `:authority` header.
    Endpoint::from_static("http://in-process.invalid")
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .connect_with_connector_lazy(connector)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Readiness;
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_client::HealthClient;

    fn serve(runtime: &tokio::runtime::Handle, pipe: io::Result<DuplexStream>) {
        let routes = Routes::new(Readiness::new().service(&[]));
        let once = tokio_stream::once(pipe);
        runtime.spawn(builder().serve_with_incoming(routes, once));
    }

    #[tokio::test]
    async fn a_broken_connection_is_replaced_at_the_next_call() {
        let (pipes, mut accepted) = mpsc::channel(BACKLOG);
        let mut client = HealthClient::new(connect(pipes));
        let first = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let doomed = first.handle().clone();
        let second = tokio::runtime::Handle::current();
        let acceptor = tokio::spawn(async move {
            serve(&doomed, accepted.recv().await.unwrap());
            serve(&second, accepted.recv().await.unwrap());
        });
        client.check(HealthCheckRequest::default()).await.unwrap();
        // Ends the first connection's tasks where they stand, as a crash would.
        tokio::task::spawn_blocking(move || drop(first)).await.unwrap();
        // The call that meets the broken connection may fail; after it, there is a new one.
        let met = client.check(HealthCheckRequest::default()).await;
        assert!(met.is_ok() || client.check(HealthCheckRequest::default()).await.is_ok());
        acceptor.await.unwrap();
    }

    #[tokio::test]
    async fn a_stopped_server_is_unavailable_at_once() {
        let (channel, server) = in_process(Routes::new(Readiness::new().service(&[])));
        let mut client = HealthClient::new(channel);
        client.check(HealthCheckRequest::default()).await.unwrap();
        server.stop().await;
        let refused = client.check(HealthCheckRequest::default()).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::Unavailable);
    }
}
