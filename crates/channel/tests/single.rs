//! The channel of one process, and what a balanced channel is to its users.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use support::network::Names;
use support::replica::{Replica, Script};
use support::{call, caller, connect, metric, quick, until};
use tonic::service::Routes;
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_server::HealthServer;
use wenzhen_channel::{Balanced, Endpoints, Settings};
use wenzhen_service::{Deadline, in_process};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn the_channel_of_one_process_is_passed_through() {
    let script = Script::well();
    let (channel, server) = in_process(Routes::new(HealthServer::new(script.clone())));
    let channel = Balanced::single(channel);
    channel.ready().await;
    assert_eq!(channel.endpoints(), Endpoints { ready: 1, ..Endpoints::default() });
    call(&channel, SECOND).await.unwrap();
    assert_eq!(script.count(), 1);
    server.stop().await;
    assert_eq!(call(&channel, SECOND).await.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn a_timeout_is_deadline_exceeded_in_one_process_and_over_the_network() {
    let (single, _server) = in_process(Routes::new(HealthServer::new(Script::silent())));
    let replica = Replica::start(Script::silent()).await;
    let names = Names::of([replica.address]);
    let (network, _) = connect(Settings { resolver: std::sync::Arc::new(names), ..quick() });
    for channel in [Balanced::single(single), network] {
        assert_eq!(call(&channel, SECOND / 5).await.unwrap_err().code(), Code::DeadlineExceeded);
    }
}

#[tokio::test]
async fn the_deadline_of_the_task_is_the_call_s() {
    let replica = Replica::start(Script::silent()).await;
    let (channel, _) = connect(Settings { resolver: std::sync::Arc::new(Names::of([replica.address])), ..quick() });
    let deadline = Deadline::after(SECOND / 5);
    let mut caller = caller(&channel);
    let late = deadline.scope(caller.check(HealthCheckRequest::default())).await.unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn calls_are_counted_by_code_and_no_address_is_a_label() {
    let replica = Replica::start(Script::well()).await;
    let names = Names::of([replica.address]);
    let (channel, metrics) = connect(Settings { resolver: std::sync::Arc::new(names), ..quick() });
    for _ in 0..3 {
        call(&channel, SECOND).await.unwrap();
    }
    let line = |code| format!("wenzhen_channel_calls_total{{target=\"http://agent.test:1\",code=\"{code}\"}}");
    assert_eq!(metric(&metrics, &line("OK")), 3);
    assert_eq!(metric(&metrics, "wenzhen_channel_endpoints{target=\"http://agent.test:1\",state=\"ready\"}"), 1);
    assert!(!metrics.text().contains("127.0.0.1"), "{}", metrics.text());

    // A stream that its reader leaves is a call that was cancelled.
    let items = caller(&channel).watch(Request::new(HealthCheckRequest::default())).await.unwrap();
    drop(items);
    until(|| metric(&metrics, &line("CANCELLED")) == 1).await;
}

#[tokio::test]
async fn open_streams_outlive_the_channel_and_then_the_connection_closes() {
    let replica = Replica::start(Script::well()).await;
    let (channel, _) = connect(Settings { resolver: std::sync::Arc::new(Names::of([replica.address])), ..quick() });
    let mut items = caller(&channel).watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    drop(channel);
    let next = tokio::time::timeout(SECOND / 2, items.message()).await;
    assert!(next.is_err(), "the stream is still open: {next:?}");
    drop(items);
    // A server that says goodbye waits for its connections; it would wait for ever for one that is leaked.
    tokio::time::timeout(SECOND * 10, replica.stop()).await.unwrap();
}
