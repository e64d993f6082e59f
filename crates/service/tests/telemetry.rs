//! Traces leave the process, even from a runtime with one thread that is blocked in the flush at the end.
//! One test only: the subscriber is the process's.

mod support;

use std::convert::Infallible;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{Request, Response};
use support::{Unary, call, hello};
use tokio::sync::mpsc;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic_prost::ProstCodec;
use tower::Service;
use wenzhen_service::config::{LogArgs, LogFormat, OtlpArgs};
use wenzhen_service::local::in_process_guarded;
use wenzhen_service::{Guard, Limits, Metrics, Services, telemetry};

/// A collector that reads no field: it only tells that an export arrived.
#[derive(Clone)]
struct Collector(mpsc::Sender<()>);

impl NamedService for Collector {
    const NAME: &'static str = "opentelemetry.proto.collector.trace.v1.TraceService";
}

impl Service<Request<Body>> for Collector {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let arrived = self.0.clone();
        let receive = tower::service_fn(move |_: tonic::Request<()>| {
            let arrived = arrived.clone();
            async move {
                let _ = arrived.try_send(());
                Ok(tonic::Response::new(()))
            }
        });
        Box::pin(async move {
            let codec = ProstCodec::<(), ()>::default();
            Ok(tonic::server::Grpc::new(codec).unary(receive, request).await)
        })
    }
}

#[test]
fn spans_are_flushed_from_a_blocked_runtime() {
    let (arrived, mut exports) = mpsc::channel(8);
    let collector = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = collector.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let incoming = tonic::transport::server::TcpIncoming::from(listener);
    let routes = Routes::new(Collector(arrived));
    collector.spawn(tonic::transport::Server::builder().add_routes(routes).serve_with_incoming(incoming));

    let log = LogArgs { log_format: LogFormat::Json, log_filter: "warn".to_owned() };
    let otlp = OtlpArgs { otlp_endpoint: Some(endpoint), sample_ratio: 1.0 };
    let service = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    service.block_on(async {
        let traces = telemetry::init(&log, &otlp, "test").unwrap();
        assert!(telemetry::init(&log, &otlp, "test").is_err(), "one subscriber a process");
        let bad = LogArgs { log_filter: "wenzhen=loud".to_owned(), ..log.clone() };
        assert!(telemetry::init(&bad, &otlp, "test").is_err());
        let guard = Guard::new(Metrics::new(), Limits::default());
        let (channel, server) = in_process_guarded(Services::new().with(Unary::echo()), &guard);
        call(&channel, hello()).await.unwrap();
        server.stop().await;
        drop(traces);
    });
    assert!(exports.try_recv().is_ok(), "the span was exported before the guard was gone");
}
