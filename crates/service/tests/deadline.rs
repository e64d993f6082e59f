//! Deadlines: the server's default, the caller's, on streams, and handed on to the next call.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::StreamExt;
use support::{STREAM, Streams, UNARY, Unary, call, hello, open};
use tonic::{Code, Status};
use tower::{Layer, ServiceExt};
use wenzhen_service::local::in_process_guarded;
use wenzhen_service::{Deadline, Guard, Limits, Metrics, Services, status};

fn guard() -> (Guard, Metrics) {
    let metrics = Metrics::new();
    (Guard::new(metrics.clone(), Limits::default()), metrics)
}

fn stuck() -> Unary {
    Unary::new(|_| std::future::pending())
}

#[tokio::test(start_paused = true)]
async fn a_stuck_handler_is_answered_for_after_the_default_deadline() {
    let (guard, metrics) = guard();
    let (channel, _server) = in_process_guarded(Services::new().with(stuck()), &guard);
    let begun = tokio::time::Instant::now();
    let status = call(&channel, hello()).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(status::reason(&status).as_deref(), Some("DEADLINE_EXCEEDED"), "the server's own answer");
    assert_eq!(begun.elapsed().as_secs(), Limits::default().default_deadline.as_secs());
    assert!(metrics.text().contains(r#"Describe",code="DEADLINE_EXCEEDED"} 1"#), "{}", metrics.text());
}

#[tokio::test(start_paused = true)]
async fn the_callers_deadline_is_never_a_cancellation() {
    let (guard, _) = guard();
    let (channel, _server) = in_process_guarded(Services::new().with(stuck()), &guard);
    for millis in [1, 7, 50, 1000] {
        let mut request = hello();
        request.set_timeout(Duration::from_millis(millis));
        assert_eq!(call(&channel, request).await.unwrap_err().code(), Code::DeadlineExceeded);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_left_is_handed_on() {
    let (guard, _) = guard();
    let last = Unary::new(|request| async move {
        let left = Deadline::of(&request).map(Deadline::remaining).unwrap_or_default();
        Ok(left.as_millis().to_string())
    });
    let (next, _last) = in_process_guarded(Services::new().with(last), &guard);
    let first = Unary::new(move |_| {
        let next = next.clone();
        async move {
            tokio::time::advance(Duration::from_millis(1500)).await;
            call(&next, hello()).await
        }
    });
    let (channel, _first) = in_process_guarded(Services::new().with(first), &guard);
    let mut request = hello();
    request.set_timeout(Duration::from_secs(4));
    let left: u64 = call(&channel, request).await.unwrap().parse().unwrap();
    assert!((2000..=2500).contains(&left), "{left} ms left of 4 s after 1.5 s");
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_deadline_has_passed_is_neither_sent_nor_handled() {
    let handled = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&handled);
    let counting = Unary::new(move |request| {
        count.fetch_add(1, Ordering::Relaxed);
        async { Ok(request.into_inner()) }
    });
    let (guard, _) = guard();
    let services = Services::new().with(counting);
    let late = http::Request::post(UNARY).header("grpc-timeout", "0n").body(tonic::body::Body::empty()).unwrap();
    let response = guard.layer(services.clone().into_routes()).oneshot(late).await.unwrap();
    assert_eq!(Status::from_header_map(response.headers()).unwrap().code(), Code::DeadlineExceeded);

    let (channel, _server) = in_process_guarded(services, &guard);
    let mut request = hello();
    request.extensions_mut().insert(Deadline::after(Duration::ZERO));
    assert_eq!(call(&channel, request).await.unwrap_err().code(), Code::DeadlineExceeded);
    assert_eq!(handled.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_at_its_deadline_or_when_it_idles() {
    let (guard, metrics) = guard();
    let one = Streams::new(|| futures::stream::iter([Ok("one".to_owned())]).chain(futures::stream::pending()));
    let (channel, _server) = in_process_guarded(Services::new().with(one), &guard);

    let mut request = hello();
    request.set_timeout(Duration::from_secs(2));
    let mut items = open(&channel, request).await.unwrap();
    assert_eq!(items.message().await.unwrap().as_deref(), Some("one"));
    assert_eq!(items.message().await.unwrap_err().code(), Code::DeadlineExceeded);

    let mut items = open(&channel, hello()).await.unwrap();
    assert_eq!(items.message().await.unwrap().as_deref(), Some("one"));
    let idle = items.message().await.unwrap_err();
    assert_eq!((idle.code(), status::reason(&idle).as_deref()), (Code::Unavailable, Some("STREAM_IDLE")));
    let in_flight = format!(r#"in_flight{{method="{}"}} 0"#, &STREAM[1..]);
    assert!(metrics.text().contains(&in_flight), "{}", metrics.text());
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_never_pauses_ends_at_its_deadline_too() {
    let (guard, _) = guard();
    let endless = Streams::new(|| futures::stream::repeat_with(|| Ok("again".to_owned())));
    let (channel, _server) = in_process_guarded(Services::new().with(endless), &guard);
    let mut request = hello();
    request.set_timeout(Duration::from_secs(2));
    let mut items = open(&channel, request).await.unwrap();
    assert_eq!(items.message().await.unwrap().as_deref(), Some("again"));
    tokio::time::advance(Duration::from_secs(3)).await;
    for _ in 0..100_000 {
        match items.message().await {
            Ok(item) => assert_eq!(item.as_deref(), Some("again")),
            Err(status) => return assert_eq!(status.code(), Code::DeadlineExceeded),
        }
    }
    panic!("it goes on after its deadline");
}
