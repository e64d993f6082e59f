//! A collector that takes connections and never answers: calls do not wait for it, and neither does the end.
//! One test only: the subscriber is the process's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::time::{Duration, Instant};

use support::{Unary, call, hello};
use wenzhen_service::config::{LogArgs, LogFormat, OtlpArgs};
use wenzhen_service::local::in_process_guarded;
use wenzhen_service::{Guard, Limits, Metrics, Services, telemetry};

/// More than the exporter's queue holds (2,048 spans).
const CALLS: u32 = 2500;

#[test]
fn a_collector_that_never_answers_slows_nothing_down() {
    let blackhole = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", blackhole.local_addr().unwrap());
    let held = std::thread::spawn(move || blackhole.accept().map(|(stream, _)| stream));
    let log = LogArgs { log_format: LogFormat::Json, log_filter: "error".to_owned() };
    let otlp = OtlpArgs { otlp_endpoint: Some(endpoint), sample_ratio: 1.0 };
    // One worker: whatever blocks, blocks everything.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (slowest, ended) = runtime.block_on(async {
        let traces = telemetry::init(&log, &otlp, "test").unwrap();
        let guard = Guard::new(Metrics::new(), Limits::default());
        let (channel, server) = in_process_guarded(Services::new().with(Unary::echo()), &guard);
        let mut slowest = Duration::ZERO;
        for _ in 0..CALLS {
            let begun = Instant::now();
            call(&channel, hello()).await.unwrap();
            slowest = slowest.max(begun.elapsed());
        }
        server.stop().await;
        let begun = Instant::now();
        drop(traces);
        (slowest, begun.elapsed())
    });
    // An export is given up after three seconds; no call may come near that.
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    assert!(ended < Duration::from_secs(10), "{ended:?}");
    assert!(held.is_finished(), "the collector was called");
}
