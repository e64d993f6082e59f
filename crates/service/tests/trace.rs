//! Traces: one trace from caller to callee's callee, and no payload in a span or a log line.

mod support;

use std::io;
use std::sync::Arc;

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use parking_lot::Mutex;
use support::{Unary, call, hello};
use tonic::Status;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt;
use wenzhen_service::local::in_process_guarded;
use wenzhen_service::{Guard, Limits, Metrics, Services};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn guard() -> Guard {
    Guard::new(Metrics::new(), Limits::default())
}

#[tokio::test]
async fn the_callers_trace_goes_on_with_a_new_span_at_every_hop() {
    wenzhen_service::layers::trace::export();
    let provider = SdkTracerProvider::builder().build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let _installed = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));

    let last = Unary::new(|request| async move {
        let parent = request.metadata().get("traceparent").and_then(|value| value.to_str().ok());
        Ok(parent.unwrap_or("none").to_owned())
    });
    let (next, _last) = in_process_guarded(Services::new().with(last), &guard());
    let first = Unary::new(move |_| {
        let next = next.clone();
        async move { call(&next, hello()).await }
    });
    let (channel, _first) = in_process_guarded(Services::new().with(first), &guard());

    let mut request = hello();
    request.metadata_mut().insert("traceparent", PARENT.parse().unwrap());
    let seen = call(&channel, request).await.unwrap();
    let parts: Vec<_> = seen.split('-').collect();
    let [version, trace, span, flags] = parts[..] else { panic!("{seen}") };
    assert_eq!((version, trace, flags), ("00", "0af7651916cd43dd8448eb211c80319c", "01"));
    assert_ne!(span, "b7ad6b7169203331", "the span of the hop between, not the caller's");
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_payload_reaches_no_span_and_no_line() {
    let lines = Lines::default();
    let writer = lines.clone();
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_span_events(FmtSpan::FULL)
        .with_writer(move || writer.clone());
    let all_of_ours = Targets::new().with_target("wenzhen", tracing::Level::TRACE);
    let _installed = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer).with(all_of_ours));

    let service = Unary::new(|request| async move {
        let words = request.into_inner();
        match words.len() % 2 {
            0 => Ok(words),
            _ => Err(Status::internal(words)),
        }
    });
    let (channel, _server) = in_process_guarded(Services::new().with(service), &guard());
    for words in ["private", "private!"] {
        let _ = call(&channel, tonic::Request::new(words.to_owned())).await;
    }
    let text = String::from_utf8(lines.0.lock().clone()).unwrap();
    assert!(text.contains("KgService/Describe") && text.contains("INTERNAL"), "{text}");
    assert!(!text.contains("private"), "{text}");
}
