//! Names are followed: new addresses are used, those that are gone are left, and a name server's troubles change nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use support::network::{Names, Network, address};
use support::replica::{Replica, Script};
use support::traffic::{failed, steady};
use support::{call, connect, many, quick, until};
use tokio::sync::Notify;
use tokio::time::Instant;
use tonic::Code;
use wenzhen_channel::{Balanced, Settings};

const SECOND: Duration = Duration::from_secs(1);

fn in_memory(network: &Network, names: &Names) -> Balanced {
    let (connector, resolver) = (Arc::new(network.clone()), Arc::new(names.clone()));
    connect(Settings { connector, resolver, ..Settings::default() }).0
}

#[tokio::test]
async fn who_is_gone_finishes_its_calls_and_gets_no_more() {
    let (entered, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (inside, left) = (Arc::clone(&entered), Arc::clone(&leave));
    let old = Script::new(move |_| {
        let (inside, left) = (Arc::clone(&inside), Arc::clone(&left));
        async move {
            inside.notify_one();
            left.notified().await;
            Ok(())
        }
    });
    let (old, new) = (Replica::start(old).await, Replica::start(Script::well()).await);
    let names = Names::of([old.address]);
    let (channel, _) = connect(Settings { resolver: Arc::new(names.clone()), ..quick() });
    let running = tokio::spawn({
        let channel = channel.clone();
        async move { call(&channel, SECOND * 10).await }
    });
    entered.notified().await;

    names.set(Some(vec![new.address]));
    until(|| channel.endpoints().ready == 1 && names.asked() > 3).await;
    call(&channel, SECOND).await.unwrap();
    let outcomes = many(50, 4, |_| call(&channel, SECOND)).await;
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!((old.count(), new.count()), (1, 51));
    leave.notify_one();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_name_server_that_is_away_or_empty_takes_nobody_away() {
    let replica = Replica::start(Script::well()).await;
    let names = Names::of([replica.address]);
    let (channel, _) = connect(Settings { resolver: Arc::new(names.clone()), ..quick() });
    channel.ready().await;
    for trouble in [None, Some(Vec::new())] {
        names.set(trouble);
        let before = names.asked();
        until(|| names.asked() > before + 2).await;
        call(&channel, SECOND).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_replica_serves_within_ten_seconds_with_default_settings() {
    let (network, script) = (Network::default(), Script::well());
    let names = Names::of([network.start(1, &Script::well())]);
    let channel = in_memory(&network, &names);
    channel.ready().await;
    // The worst moment: just after a look-up.
    let asked = names.asked();
    until(|| names.asked() > asked).await;
    names.set(Some(vec![address(1), network.start(2, &script)]));
    let since = Instant::now();
    while script.count() == 0 {
        call(&channel, SECOND).await.unwrap();
        tokio::time::sleep(SECOND / 100).await;
    }
    assert!(since.elapsed() <= SECOND * 10, "{:?}", since.elapsed());
}

#[tokio::test(start_paused = true)]
async fn it_starts_with_nobody_there_and_finds_who_comes() {
    let (network, names) = (Network::default(), Names::default());
    let channel = in_memory(&network, &names);
    let refused = call(&channel, SECOND * 5).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert_eq!(refused.message(), "no endpoint of http://agent.test:1 is reachable");
    names.set(Some(vec![network.start(1, &Script::well())]));
    let since = Instant::now();
    while call(&channel, SECOND).await.is_err() {
        tokio::time::sleep(SECOND / 100).await;
    }
    assert!(since.elapsed() <= SECOND * 2, "calls that find nobody have the name looked up: {:?}", since.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_failure_has_the_name_looked_up_at_once_but_not_without_end() {
    let network = Network::default();
    let names = Names::of([network.start(1, &Script::well())]);
    let channel = in_memory(&network, &names);
    channel.ready().await;
    tokio::time::sleep(SECOND * 2).await;
    network.kill(1);
    names.set(Some(vec![network.start(2, &Script::well())]));
    let since = Instant::now();
    while call(&channel, SECOND).await.is_err() {
        tokio::time::sleep(SECOND / 100).await;
    }
    assert!(since.elapsed() < SECOND, "{:?}", since.elapsed());

    network.kill(2);
    let asked = names.asked();
    steady(&channel, 20, SECOND * 20, SECOND).await;
    assert!(names.asked() - asked <= 21, "{} look-ups in 20 s", names.asked() - asked);
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_is_replaced_every_few_seconds_costs_no_call() {
    let network = Network::default();
    let names = Names::of([network.start(1, &Script::well()), network.start(2, &Script::well())]);
    let channel = in_memory(&network, &names);
    channel.ready().await;
    let traffic = tokio::spawn({
        let channel = channel.clone();
        async move { steady(&channel, 50, SECOND * 60, SECOND).await }
    });
    for number in 3..10 {
        names.set(Some(vec![address(number - 1), network.start(number, &Script::slow(SECOND / 100))]));
        tokio::time::sleep(SECOND * 7).await;
        network.stop(number - 2);
    }
    assert_eq!(failed(&traffic.await.unwrap()), []);
}
