//! What is tried again, how often, when, and what never is.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use support::network::{Names, Network};
use support::replica::Script;
use support::traffic::steady;
use support::{call, caller, connect, metric};
use tokio::time::Instant;
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use wenzhen_channel::{Balanced, Settings};
use wenzhen_service::{Metrics, status};

const SECOND: Duration = Duration::from_secs(1);
const RETRIES: &str = "wenzhen_channel_retries_total{target=\"http://agent.test:1\"}";

async fn over(scripts: &[&Script], idempotent: bool) -> (Balanced, Metrics) {
    let network = Network::default();
    let addresses: Vec<_> = (1..).zip(scripts).map(|(number, script)| network.start(number, script)).collect();
    let (channel, metrics) = connect(Settings {
        idempotent: Arc::new(move |path| idempotent && path == "/grpc.health.v1.Health/Check"),
        connector: Arc::new(network),
        resolver: Arc::new(Names::of(addresses)),
        ..Settings::default()
    });
    while channel.endpoints().ready < scripts.len() {
        tokio::time::sleep(SECOND / 1000).await;
    }
    (channel, metrics)
}

/// Fails so often, with this status, then answers.
fn at_first(failures: usize, status: Status) -> Script {
    let seen = AtomicUsize::new(0);
    Script::new(move |_| {
        let well = seen.fetch_add(1, Ordering::SeqCst) >= failures;
        let status = status.clone();
        async move { if well { Ok(()) } else { Err(status) } }
    })
}

#[tokio::test(start_paused = true)]
async fn a_call_is_made_at_most_three_times_and_elsewhere_first() {
    let scripts = [(); 4].map(|()| Script::failing(Status::unavailable("away")));
    let (channel, metrics) = over(&[&scripts[0], &scripts[1], &scripts[2], &scripts[3]], true).await;
    let failed = call(&channel, SECOND * 5).await.unwrap_err();
    assert_eq!((failed.code(), failed.message()), (Code::Unavailable, "away"));
    let counts: Vec<usize> = scripts.iter().map(Script::count).collect();
    assert_eq!(counts.iter().sum::<usize>(), 3, "{counts:?}");
    assert_eq!(counts.iter().max(), Some(&1), "{counts:?}");
    assert_eq!(metric(&metrics, RETRIES), 2);
}

#[tokio::test(start_paused = true)]
async fn only_what_may_be_repeated_is_and_only_while_away() {
    let (channel, _) = over(&[&at_first(2, Status::unavailable("away"))], true).await;
    call(&channel, SECOND).await.unwrap();
    for (idempotent, status) in [
        (false, Status::unavailable("away")),
        (true, Status::internal("broken")),
        (true, Status::invalid_argument("wrong")),
        (true, Status::resource_exhausted("busy")),
        (true, Status::aborted("conflict")),
    ] {
        let code = status.code();
        let script = at_first(1, status);
        let (channel, metrics) = over(&[&script], idempotent).await;
        assert_eq!(call(&channel, SECOND).await.unwrap_err().code(), code);
        assert_eq!((script.count(), metric(&metrics, RETRIES)), (1, 0), "{code:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_when_is_asked_then() {
    let wait = Duration::from_millis(700);
    for shed in [status::resource_exhausted("busy", wait), with_header(Status::resource_exhausted("busy"), "700")] {
        let script = at_first(1, shed);
        let (channel, _) = over(&[&script], true).await;
        let since = Instant::now();
        call(&channel, SECOND * 5).await.unwrap();
        assert!((wait..wait + SECOND / 10).contains(&since.elapsed()), "{:?}", since.elapsed());
        assert_eq!(channel.endpoints().ejected, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_never_or_too_late_is_not_asked_again() {
    for status in [
        with_header(Status::unavailable("away"), "-1"),
        with_header(Status::resource_exhausted("busy"), "soon"),
        status::resource_exhausted("busy", SECOND * 10),
    ] {
        let code = status.code();
        let script = at_first(1, status);
        let (channel, _) = over(&[&script], true).await;
        let since = Instant::now();
        assert_eq!(call(&channel, SECOND * 2).await.unwrap_err().code(), code);
        assert_eq!(script.count(), 1);
        assert!(since.elapsed() < SECOND / 10);
    }
}

fn with_header(mut status: Status, value: &'static str) -> Status {
    status.metadata_mut().insert("grpc-retry-pushback-ms", value.parse().unwrap());
    status
}

#[tokio::test(start_paused = true)]
async fn retries_stay_within_the_budget() {
    // It fails every third call: never five in a row, never half of them.
    let turn = AtomicUsize::new(0);
    let script = Script::new(move |_| {
        let away = turn.fetch_add(1, Ordering::SeqCst).is_multiple_of(3);
        async move { if away { Err(Status::unavailable("away")) } else { Ok(()) } }
    });
    let (channel, metrics) = over(&[&script], true).await;
    let calls = steady(&channel, 200, SECOND * 10, SECOND).await.len();
    let retries = metric(&metrics, RETRIES) as f64;
    assert!(retries > 250.0, "{retries}");
    assert!(retries <= 0.2 * calls as f64 + 10.0 * 11.0, "{retries} for {calls} calls");
}

#[tokio::test(start_paused = true)]
async fn a_long_request_is_sent_once() {
    for (length, attempts) in [(200 << 10, 2), (300 << 10, 1)] {
        let script = at_first(1, Status::unavailable("away"));
        let (channel, _) = over(&[&script], true).await;
        let request = HealthCheckRequest { service: "x".repeat(length) };
        let outcome = caller(&channel).check(request).await;
        assert_eq!((outcome.is_ok(), script.count()), (attempts == 2, attempts), "{length}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_attempt_carries_the_request_whole_and_the_time_that_is_left() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let script = Script::new(move |request: Request<HealthCheckRequest>| {
        let left = request.metadata().get("grpc-timeout").unwrap().to_str().unwrap();
        let millis = left.strip_suffix('u').unwrap().parse::<u64>().unwrap() / 1000;
        let mut seen = noted.lock();
        let away = seen.is_empty();
        let before =
            request.metadata().get("grpc-previous-rpc-attempts").map(|count| count.to_str().unwrap().to_owned());
        seen.push((request.get_ref().service.clone(), request.metadata().get("x-mark").cloned(), millis, before));
        let wait = with_header(Status::unavailable("away"), "500");
        async move { if away { Err(wait) } else { Ok(()) } }
    });
    let (channel, _) = over(&[&script], true).await;
    let mut request = Request::new(HealthCheckRequest { service: "s".to_owned() });
    request.set_timeout(SECOND * 2);
    request.metadata_mut().insert("x-mark", "m".parse().unwrap());
    caller(&channel).check(request).await.unwrap();
    let seen = seen.lock().clone();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|(service, mark, ..)| service == "s" && mark.as_ref().unwrap() == "m"));
    assert!(seen[0].2 > 1_900 && (1_300..=1_500).contains(&seen[1].2), "{seen:?}");
    assert_eq!((&seen[0].3, &seen[1].3), (&None, &Some("1".to_owned())));
}
