//! Replicas that are restarted one after the other, as an upgrade does, cost no call.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use support::network::{Names, Network};
use support::replica::{Replica, Script};
use support::traffic::{failed, steady};
use support::{connect, quick, until};
use wenzhen_channel::Settings;

const SECOND: Duration = Duration::from_secs(1);

fn script() -> Script {
    Script::slow(Duration::from_millis(5))
}

/// Restarts three replicas under 200 calls a second; gives the failures.
async fn roll(idempotent: bool, crash: bool) -> Vec<(Duration, tonic::Code, String)> {
    let mut replicas = Vec::new();
    for _ in 0..3 {
        replicas.push(Replica::start(script()).await);
    }
    let names = Names::of(replicas.iter().map(|replica| replica.address));
    let resolver = Arc::new(names);
    let (channel, _) = connect(Settings { resolver, idempotent: Arc::new(move |_| idempotent), ..quick() });
    until(|| channel.endpoints().ready == 3).await;
    let traffic = tokio::spawn({
        let channel = channel.clone();
        async move { steady(&channel, 200, SECOND * 3, SECOND * 2).await }
    });
    for place in 0..3 {
        let seen = replicas[place].count();
        until(|| replicas[place].count() > seen + 20).await;
        let old = replicas.remove(place);
        let address = old.address;
        if crash {
            old.kill().await
        } else {
            old.stop().await
        }
        replicas.insert(place, Replica::start_at(address, script()).await);
        until(|| channel.endpoints().ready == 3).await;
    }
    let outcomes = traffic.await.unwrap();
    assert!(outcomes.len() >= 590, "{}", outcomes.len());
    failed(&outcomes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_fails_no_call() {
    assert_eq!(roll(true, false).await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn not_even_calls_that_must_not_be_repeated() {
    assert_eq!(roll(false, false).await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_crash_fail_no_call_that_may_be_repeated() {
    assert_eq!(roll(true, true).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_single_replica_that_closes_its_connections_for_age_fails_no_call() {
    let (network, script) = (Network::default(), script());
    let names = Names::of([network.start(1, &script)]);
    let (connector, resolver) = (Arc::new(network.clone()), Arc::new(names));
    let (channel, _) = connect(Settings { connector, resolver, ..Settings::default() });
    let traffic = tokio::spawn({
        let channel = channel.clone();
        async move { steady(&channel, 200, SECOND * 15, SECOND).await }
    });
    for _ in 0..10 {
        tokio::time::sleep(SECOND * 3 / 2).await;
        // A new one takes new connections while the old one finishes: what a connection's age limit looks like.
        network.stop(1);
        network.start(1, &script);
    }
    assert_eq!(failed(&traffic.await.unwrap()), []);
}
