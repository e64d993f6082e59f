//! Replicas share the calls: alike when they are alike, and less for who is busy or slow.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use rand::{Rng, SeedableRng};
use support::network::{Names, Network};
use support::replica::{Replica, Script, serve_here};
use support::{call, caller, connect, many, quick, until};
use tonic_health::pb::HealthCheckRequest;
use wenzhen_channel::{Endpoints, Settings};

const DEADLINE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn three_replicas_share_alike_one_call_at_a_time_or_many() {
    for at_once in [1, 32] {
        let scripts = [(); 3].map(|()| Script::well());
        let names =
            Names::of([serve_here(&scripts[0]).await, serve_here(&scripts[1]).await, serve_here(&scripts[2]).await]);
        let (channel, _) = connect(Settings { resolver: Arc::new(names), ..quick() });
        until(|| channel.endpoints().ready == 3).await;
        let outcomes = many(3_000, at_once, |_| call(&channel, DEADLINE)).await;
        assert!(outcomes.iter().all(Result::is_ok));
        assert_eq!(scripts.iter().map(Script::count).sum::<usize>(), 3_000);
        assert_alike(scripts.iter().map(Script::count), &format!("{at_once} at once"));
    }
}

#[tokio::test(start_paused = true)]
async fn three_replicas_share_alike_when_some_answers_take_long() {
    for (at_once, seed) in [(1, 1), (8, 2), (64, 3)] {
        let network = Network::default();
        let scripts = [1_u64, 2, 3].map(|number| uneven(seed * 10 + number));
        let addresses: Vec<_> = (1..).zip(&scripts).map(|(number, script)| network.start(number, script)).collect();
        let (connector, resolver) = (Arc::new(network), Arc::new(Names::of(addresses)));
        let (channel, _) = connect(Settings { connector, resolver, seed: Some(seed), ..Settings::default() });
        until(|| channel.endpoints().ready == 3).await;
        // Enough that each has its share of the long ones, which keep it busy.
        let outcomes = many(6_000, at_once, |_| call(&channel, DEADLINE)).await;
        assert!(outcomes.iter().all(Result::is_ok));
        assert_alike(scripts.iter().map(Script::count), &format!("{at_once} at once"));
    }
}

/// Most answers take a few milliseconds, one in a hundred a quarter of a second.
fn uneven(seed: u64) -> Script {
    let dice = parking_lot::Mutex::new(rand::rngs::StdRng::seed_from_u64(seed));
    Script::new(move |_| {
        let mut dice = dice.lock();
        let millis = if dice.random_ratio(1, 100) { 250 } else { dice.random_range(1..8) };
        drop(dice);
        async move {
            tokio::time::sleep(Duration::from_millis(millis)).await;
            Ok(())
        }
    })
}

fn assert_alike(counts: impl Iterator<Item = usize>, what: &str) {
    let counts: Vec<usize> = counts.collect();
    let skew = *counts.iter().max().unwrap() as f64 / *counts.iter().min().unwrap() as f64;
    assert!(skew <= 1.2, "{what}: {counts:?}");
}

#[tokio::test]
async fn a_stream_counts_until_it_ends() {
    let (busy, idle) = (Replica::start(Script::well()).await, Replica::start(Script::well()).await);
    let names = Names::of([busy.address]);
    let (channel, _) = connect(Settings { resolver: Arc::new(names.clone()), ..quick() });
    channel.ready().await;
    let mut streams = Vec::new();
    for _ in 0..5 {
        streams.push(caller(&channel).watch(HealthCheckRequest::default()).await.unwrap().into_inner());
    }
    names.set(Some(vec![busy.address, idle.address]));
    until(|| channel.endpoints().ready == 2).await;
    let before = busy.count();
    assert!(many(100, 1, |_| call(&channel, DEADLINE)).await.iter().all(Result::is_ok));
    assert_eq!((busy.count() - before, idle.count()), (0, 100));

    drop(streams);
    many(100, 1, |_| call(&channel, DEADLINE)).await;
    assert!(busy.count() - before > 25, "{}", busy.count() - before);
}

#[tokio::test]
async fn a_slow_replica_gets_little() {
    let (slow, fast) =
        (Replica::start(Script::slow(Duration::from_millis(200))).await, Replica::start(Script::well()).await);
    let names = Names::of([slow.address, fast.address]);
    let (channel, _) = connect(Settings { resolver: Arc::new(names), ..quick() });
    until(|| channel.endpoints() == Endpoints { ready: 2, ..Endpoints::default() }).await;
    many(500, 1, |_| call(&channel, DEADLINE)).await;
    assert!(slow.count() < 25, "{} of 500", slow.count());
}
