//! Nobody there: calls are told so at once, after a short grace for a first connection, and never later than asked.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use support::network::{Names, Network, address};
use support::replica::Script;
use support::traffic::{failed, steady};
use support::{call, caller, connect, metric, quick};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use wenzhen_channel::{Authority, Connect, Io, Resolve, Settings};

const SECOND: Duration = Duration::from_secs(1);

struct Nowhere;

impl Connect for Nowhere {
    fn connect(&self, _: SocketAddr) -> BoxFuture<'static, io::Result<Box<dyn Io>>> {
        Box::pin(std::future::pending())
    }
}

struct Never;

impl Resolve for Never {
    fn resolve(&self, _: &Authority) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn a_closed_port_is_unavailable_at_once() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (channel, metrics) = connect(Settings { resolver: Arc::new(Names::of([closed])), ..quick() });
    for _ in 0..20 {
        let since = Instant::now();
        let refused = call(&channel, SECOND * 10).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unavailable);
        assert_eq!(refused.message(), "no endpoint of http://agent.test:1 is reachable");
        assert!(since.elapsed() < SECOND, "{:?}", since.elapsed());
    }
    let line = "wenzhen_channel_calls_total{target=\"http://agent.test:1\",code=\"UNAVAILABLE\"}";
    assert_eq!(metric(&metrics, line), 20);
}

#[tokio::test(start_paused = true)]
async fn the_grace_for_a_first_connection_is_no_longer_than_connecting_may_take() {
    let names = Names::of([address(1)]);
    let (channel, _) =
        connect(Settings { connector: Arc::new(Nowhere), resolver: Arc::new(names), ..Settings::default() });
    let since = Instant::now();
    let refused = call(&channel, SECOND * 10).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert!((SECOND * 9 / 10..=SECOND * 11 / 10).contains(&since.elapsed()), "{:?}", since.elapsed());
    let since = Instant::now();
    assert_eq!(call(&channel, SECOND * 10).await.unwrap_err().code(), Code::Unavailable);
    assert!(since.elapsed() < SECOND / 100, "there is no second grace: {:?}", since.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_deadline_covers_the_wait_for_an_address_and_for_a_connection() {
    let unresolved = Settings { resolver: Arc::new(Never), ..Settings::default() };
    let unconnected =
        Settings { connector: Arc::new(Nowhere), resolver: Arc::new(Names::of([address(1)])), ..Settings::default() };
    for settings in [unresolved, unconnected] {
        let (channel, _) = connect(settings);
        let since = Instant::now();
        let late = call(&channel, SECOND / 4).await.unwrap_err();
        assert_eq!(late.code(), Code::DeadlineExceeded);
        assert!((SECOND / 4..SECOND * 3 / 10).contains(&since.elapsed()), "{:?}", since.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn who_comes_within_the_grace_is_waited_for() {
    let (network, names) = (Network::default(), Names::of([address(1)]));
    let (connector, resolver) = (Arc::new(network.clone()), Arc::new(names));
    network.start(1, &Script::well());
    network.hold(1, true);
    let (channel, _) = connect(Settings { connector, resolver, ..Settings::default() });
    let waiting = tokio::spawn({
        let channel = channel.clone();
        async move { caller(&channel).check(HealthCheckRequest::default()).await }
    });
    tokio::time::sleep(SECOND / 2).await;
    network.hold(1, false);
    waiting.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_is_wholly_down_is_not_called_at_all_and_found_when_it_is_back() {
    let (network, script) = (Network::default(), Script::well());
    let names = Names::of([network.start(1, &script), network.start(2, &script)]);
    let (connector, resolver) = (Arc::new(network.clone()), Arc::new(names));
    let settings = Settings { connector, resolver, idempotent: Arc::new(|_| true), ..Settings::default() };
    let (channel, metrics) = connect(settings);
    assert_eq!(failed(&steady(&channel, 100, SECOND * 2, SECOND).await), []);
    network.kill(1);
    network.kill(2);
    let down = steady(&channel, 100, SECOND * 10, SECOND).await;
    assert_eq!(failed(&down).len(), down.len());
    assert!(down.iter().all(|outcome| outcome.took < SECOND / 2));
    assert!(metric(&metrics, "wenzhen_channel_retries_total{target=\"http://agent.test:1\"}") <= 5);
    network.start(1, &script);
    tokio::time::sleep(SECOND * 3).await;
    assert_eq!(failed(&steady(&channel, 100, SECOND, SECOND).await), []);
}
