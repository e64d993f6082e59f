//! The bound on calls in flight: over all connections, with RetryInfo, and not for probes.

mod support;

use std::sync::Arc;

use futures::StreamExt;
use support::{Running, Unary, call, hello};
use tokio::sync::{Notify, mpsc};
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt;
use wenzhen_service::{Limits, Services};

#[tokio::test]
async fn what_does_not_fit_is_shed_with_a_delay_on_any_connection() {
    let (started, mut starts) = mpsc::channel(4);
    let release = Arc::new(Notify::new());
    let held = Arc::clone(&release);
    let service = Unary::new(move |request| {
        let (started, held) = (started.clone(), Arc::clone(&held));
        async move {
            started.send(()).await.unwrap();
            held.notified().await;
            Ok(request.into_inner())
        }
    });
    let limits = Limits { max_in_flight: 1, max_waiting: 0, ..Limits::default() };
    let delay = limits.retry_after;
    let server = Running::start(Services::new().with(service), limits).await;
    let (one, two) = (server.channel().await, server.channel().await);
    let first = tokio::spawn({
        let one = one.clone();
        async move { call(&one, hello()).await }
    });
    starts.recv().await.unwrap();

    for channel in [&one, &two] {
        let shed = call(channel, hello()).await.unwrap_err();
        assert_eq!(shed.code(), Code::ResourceExhausted);
        assert_eq!(shed.get_details_retry_info().unwrap().retry_delay, Some(delay));
    }
    HealthClient::new(two.clone()).check(HealthCheckRequest::default()).await.unwrap();

    release.notify_one();
    assert_eq!(first.await.unwrap().unwrap(), "hello");
    release.notify_one();
    assert_eq!(call(&two, hello()).await.unwrap(), "hello", "the permit came back");
    server.stop().await;
}

#[tokio::test]
async fn a_caller_who_leaves_gives_the_permit_back() {
    let (started, mut starts) = mpsc::channel(4);
    let service = Unary::new(move |_| {
        let started = started.clone();
        async move {
            started.send(()).await.unwrap();
            std::future::pending().await
        }
    });
    let limits = Limits { max_in_flight: 1, ..Limits::default() };
    let server = Running::start(Services::new().with(service), limits).await;
    let channel = server.channel().await;
    for left in 1..=3 {
        let leaving = tokio::spawn({
            let channel = channel.clone();
            async move { call(&channel, hello()).await }
        });
        starts.recv().await.expect("admitted, though the one before never finished");
        leaving.abort();
        let counted = format!(r#"Describe",code="CANCELLED"}} {left}"#);
        while !server.metrics.text().contains(&counted) {
            tokio::task::yield_now().await;
        }
    }
    server.stop().await;
}

/// A request longer than a frame is still on its way when it is turned away.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_outlasts_thousands_of_calls_that_are_turned_away() {
    let (started, mut starts) = mpsc::channel(1);
    let service = Unary::new(move |_| {
        let started = started.clone();
        async move {
            started.send(()).await.unwrap();
            std::future::pending().await
        }
    });
    let limits = Limits { max_in_flight: 1, max_waiting: 0, ..Limits::default() };
    let server = Running::start(Services::new().with(service), limits).await;
    let channel = server.channel().await;
    let busy = tokio::spawn({
        let channel = channel.clone();
        async move { call(&channel, hello()).await }
    });
    starts.recv().await.unwrap();
    let text = "x".repeat(40 << 10);
    let sheds = (0..8000).map(|_| call(&channel, tonic::Request::new(text.clone())));
    let mut sheds = futures::stream::iter(sheds).buffer_unordered(64);
    while let Some(shed) = sheds.next().await {
        assert_eq!(shed.unwrap_err().code(), Code::ResourceExhausted);
    }
    assert!(!busy.is_finished(), "the call on the same connection goes on");
    busy.abort();
    server.stop().await;
}
