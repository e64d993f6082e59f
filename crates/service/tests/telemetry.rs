//! Traces leave the process, even from a runtime with one thread that is blocked in the flush at the end; what leaves
//! is the method and nothing that was said. One test only: the subscriber is the process's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use support::{UNARY, Unary, call};
use tokio::sync::mpsc;
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use wenzhen_service::config::{LogArgs, LogFormat, OtlpArgs};
use wenzhen_service::local::in_process_guarded;
use wenzhen_service::{Guard, Limits, Metrics, Services, telemetry};

/// What is said and must not leave.
const CANARY: &str = "kanarienvogel";

struct Collector(mpsc::Sender<ExportTraceServiceRequest>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.try_send(request.into_inner()).map_err(|_| Status::resource_exhausted("the test reads too slowly"))?;
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[test]
fn a_call_makes_one_span_with_its_method_and_without_its_words() {
    let (arrived, mut exports) = mpsc::channel(8);
    let collector = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = collector.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let incoming = tonic::transport::server::TcpIncoming::from(listener);
    let routes = Routes::new(TraceServiceServer::new(Collector(arrived)));
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
        let echo_or_fail = Unary::new(|request| async move { Err(Status::internal(request.into_inner())) });
        let (channel, server) = in_process_guarded(Services::new().with(echo_or_fail), &guard);
        let mut request = Request::new(CANARY.to_owned());
        request.metadata_mut().insert("authorization", CANARY.parse().unwrap());
        assert!(call(&channel, request).await.is_err());
        server.stop().await;
        drop(traces);
    });

    let export = exports.try_recv().expect("exported before the guard was gone");
    assert!(exports.try_recv().is_err(), "in one batch");
    let resource = export.resource_spans[0].resource.as_ref().unwrap();
    assert!(format!("{resource:?}").contains("test"), "{resource:?}");
    let spans: Vec<_> = export.resource_spans.iter().flat_map(|r| &r.scope_spans).flat_map(|s| &s.spans).collect();
    let [span] = spans[..] else { panic!("{spans:?}") };
    assert_eq!((span.name.as_str(), span.kind()), (&UNARY[1..], SpanKind::Server));
    let all = format!("{export:?}");
    assert!(all.contains("rpc.grpc.status_code") && !all.contains(CANARY), "{all}");
}
