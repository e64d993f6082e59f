//! A scripted service and a raw client for it. The messages are `google.protobuf.StringValue` (prost's `String`), so
//! that no contract of ours is needed.
#![allow(dead_code, clippy::unwrap_used, reason = "each test uses a part; a failed setup fails the test")]

pub mod certificates;
pub mod wire;

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::Stream;
use futures::future::BoxFuture;
use http::uri::PathAndQuery;
use http::{Request, Response};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::server::{NamedService, ServerStreamingService, UnaryService};
use tonic::transport::{Channel, Endpoint};
use tonic::{Status, Streaming};
use tonic_prost::ProstCodec;
use tower::Service;
use wenzhen_service::server::{Drained, ServeError};
use wenzhen_service::{Client, Limits, Metrics, Readiness, Services, Serving, Tls};

/// A unary method of the descriptor set.
pub const UNARY: &str = "/wenzhen.kg.v1.KgService/Describe";
/// A method of the descriptor set that streams responses.
pub const STREAM: &str = "/wenzhen.orchestrator.v1.OrchestratorService/WatchConsultation";

/// The name of the server.
pub const INSTANCE: &str = "replica-7";

pub type Reply<T> = BoxFuture<'static, Result<tonic::Response<T>, Status>>;
pub type Items = Pin<Box<dyn Stream<Item = Result<String, Status>> + Send>>;

/// Answers each unary call with what a function returns.
#[derive(Clone)]
pub struct Unary(Arc<dyn Fn(tonic::Request<String>) -> Reply<String> + Send + Sync>);

impl Unary {
    pub fn new<F>(answer: impl Fn(tonic::Request<String>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<String, Status>> + Send + 'static,
    {
        Self(Arc::new(move |request| {
            let answer = answer(request);
            Box::pin(async move { answer.await.map(tonic::Response::new) })
        }))
    }

    pub fn echo() -> Self {
        Self::new(|request| async { Ok(request.into_inner()) })
    }
}

/// Answers each streaming call with what a function returns.
#[derive(Clone)]
pub struct Streams(Arc<dyn Fn() -> Items + Send + Sync>);

impl Streams {
    pub fn new<S>(items: impl Fn() -> S + Send + Sync + 'static) -> Self
    where
        S: Stream<Item = Result<String, Status>> + Send + 'static,
    {
        Self(Arc::new(move || Box::pin(items())))
    }
}

impl NamedService for Unary {
    const NAME: &'static str = "wenzhen.kg.v1.KgService";
}

impl NamedService for Streams {
    const NAME: &'static str = "wenzhen.orchestrator.v1.OrchestratorService";
}

impl UnaryService<String> for Unary {
    type Response = String;
    type Future = Reply<String>;

    fn call(&mut self, request: tonic::Request<String>) -> Self::Future {
        (self.0)(request)
    }
}

impl ServerStreamingService<String> for Streams {
    type Response = String;
    type ResponseStream = Items;
    type Future = Reply<Items>;

    fn call(&mut self, _: tonic::Request<String>) -> Self::Future {
        let items = (self.0)();
        Box::pin(async { Ok(tonic::Response::new(items)) })
    }
}

macro_rules! serve_with {
    ($service:ty, $method:ident) => {
        impl Service<Request<Body>> for $service {
            type Response = Response<Body>;
            type Error = Infallible;
            type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

            fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
                Poll::Ready(Ok(()))
            }

            fn call(&mut self, request: Request<Body>) -> Self::Future {
                let service = self.clone();
                Box::pin(async move {
                    let codec = ProstCodec::<String, String>::default();
                    Ok(tonic::server::Grpc::new(codec).$method(service, request).await)
                })
            }
        }
    };
}

serve_with!(Unary, unary);
serve_with!(Streams, server_streaming);

/// A server on a loopback port.
pub struct Running {
    pub address: SocketAddr,
    pub readiness: Readiness,
    pub metrics: Metrics,
    pub shutdown: CancellationToken,
    pub task: JoinHandle<Result<Drained, ServeError>>,
}

impl Running {
    pub async fn start(services: Services, limits: Limits) -> Self {
        Self::secure(services, limits, None).await
    }

    pub async fn secure(services: Services, limits: Limits, tls: Option<Tls>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (readiness, metrics, shutdown) = (Readiness::new(), Metrics::new(), CancellationToken::new());
        let serving = Serving {
            listener,
            services: services.into(),
            readiness: readiness.clone(),
            metrics: metrics.clone(),
            limits,
            tls,
            instance: Some(http::HeaderValue::from_static(INSTANCE)),
            shutdown: shutdown.clone(),
        };
        Self { address, readiness, metrics, shutdown, task: tokio::spawn(serving.serve()) }
    }

    pub async fn channel(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.address)).unwrap().connect().await.unwrap()
    }

    pub async fn stop(self) -> Drained {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap()
    }
}

/// A unary call with our client around the channel.
pub async fn call(channel: &Channel, request: tonic::Request<String>) -> Result<String, Status> {
    let mut grpc = tonic::client::Grpc::new(Client::new(channel.clone()));
    grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let path = PathAndQuery::from_static(UNARY);
    grpc.unary(request, path, ProstCodec::<String, String>::default()).await.map(tonic::Response::into_inner)
}

/// Opens a response stream.
pub async fn open(channel: &Channel, request: tonic::Request<String>) -> Result<Streaming<String>, Status> {
    let mut grpc = tonic::client::Grpc::new(Client::new(channel.clone()));
    grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let path = PathAndQuery::from_static(STREAM);
    let codec = ProstCodec::<String, String>::default();
    grpc.server_streaming(request, path, codec).await.map(tonic::Response::into_inner)
}

pub fn hello() -> tonic::Request<String> {
    tonic::Request::new("hello".to_owned())
}
