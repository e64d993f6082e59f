//! Replicas that are there but say nothing: stopped processes, black holes, ports that only accept.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use support::network::{Names, Network, address};
use support::replica::{Replica, Script};
use support::traffic::{failed, percentile, steady};
use support::{call, connect, many, quick};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tonic::Code;
use wenzhen_channel::{Balanced, Connect, Endpoints, Io, Settings};

const SECOND: Duration = Duration::from_secs(1);

async fn over(scripts: &[Script], idempotent: bool) -> (Balanced, Network) {
    let network = Network::default();
    let addresses: Vec<_> = (1..).zip(scripts).map(|(number, script)| network.start(number, script)).collect();
    let (channel, _) = connect(Settings {
        idempotent: Arc::new(move |_| idempotent),
        connector: Arc::new(network.clone()),
        resolver: Arc::new(Names::of(addresses)),
        seed: Some(2),
        ..Settings::default()
    });
    while channel.endpoints().ready < scripts.len() {
        tokio::time::sleep(SECOND / 1000).await;
    }
    (channel, network)
}

#[tokio::test(start_paused = true)]
async fn a_stopped_replica_costs_few_errors_and_the_tail_is_back_within_fifteen_seconds() {
    let scripts = [(); 3].map(|()| Script::slow(SECOND / 200));
    let (channel, network) = over(&scripts, true).await;
    let before = steady(&channel, 100, SECOND * 3, SECOND * 2).await;
    let normal = percentile(before.into_iter(), 0.99);

    network.hold(1, true);
    let during = steady(&channel, 100, SECOND * 30, SECOND * 2).await;
    let errors = failed(&during).len() as f64 / during.len() as f64;
    assert!(errors <= 0.005, "{errors} {:?}", failed(&during));
    let later = during.iter().filter(|outcome| outcome.at >= SECOND * 15).cloned();
    assert!(percentile(later, 0.99) <= normal * 2, "{normal:?}");

    network.hold(1, false);
    steady(&channel, 20, SECOND * 20, SECOND * 2).await;
    let count = scripts[0].count();
    assert_eq!(failed(&steady(&channel, 100, SECOND * 5, SECOND * 2).await), []);
    assert!(scripts[0].count() - count > 125, "it has its share again: {}", scripts[0].count() - count);
}

#[tokio::test(start_paused = true)]
async fn calls_that_must_not_be_repeated_fail_but_few() {
    let scripts = [(); 3].map(|()| Script::slow(SECOND / 200));
    let (channel, network) = over(&scripts, false).await;
    steady(&channel, 100, SECOND * 3, SECOND * 2).await;
    network.hold(1, true);
    let during = steady(&channel, 100, SECOND * 30, SECOND * 2).await;
    let errors = failed(&during).len() as f64 / during.len() as f64;
    assert!(errors <= 0.005, "{errors}");
}

#[tokio::test(start_paused = true)]
async fn keep_alives_end_a_silent_connection_within_fifteen_seconds() {
    let (channel, network) = over(&[Script::well()], false).await;
    call(&channel, SECOND).await.unwrap();
    network.hold(1, true);
    let since = Instant::now();
    let lost = call(&channel, SECOND * 60).await.unwrap_err();
    assert_eq!(lost.code(), Code::Unavailable);
    assert!(since.elapsed() <= SECOND * 16, "{:?}", since.elapsed());
    // It still accepts connections, as a stopped process does, but is not taken to be there.
    tokio::time::sleep(SECOND * 5).await;
    assert_eq!(channel.endpoints(), Endpoints { connecting: 1, ..Endpoints::default() });
    network.hold(1, false);
    tokio::time::timeout(SECOND * 5, channel.ready()).await.unwrap();
    call(&channel, SECOND).await.unwrap();
}

#[tokio::test]
async fn a_port_that_accepts_and_never_speaks_gets_no_call() {
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let replica = Replica::start(Script::well()).await;
    let names = Names::of([mute.local_addr().unwrap(), replica.address]);
    let (channel, _) = connect(Settings { resolver: Arc::new(names), ..quick() });
    // It is connected to, or the test would show nothing.
    let (mut silent, _) = mute.accept().await.unwrap();
    let outcomes = many(200, 8, |_| call(&channel, SECOND)).await;
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(replica.count(), 200);
    assert_eq!(channel.endpoints(), Endpoints { ready: 1, connecting: 1, ejected: 0 });
    // What was given up is closed, not leaked.
    tokio::time::timeout(SECOND * 5, silent.read_to_end(&mut Vec::new())).await.unwrap().unwrap();
}

/// A network in which the packets to one address vanish.
struct BlackHole(Network);

impl Connect for BlackHole {
    fn connect(&self, to: SocketAddr) -> BoxFuture<'static, io::Result<Box<dyn Io>>> {
        if to == address(9) { Box::pin(std::future::pending()) } else { self.0.connect(to) }
    }
}

#[tokio::test(start_paused = true)]
async fn a_black_hole_delays_nobody() {
    let network = Network::default();
    let names = Names::of([address(9), network.start(1, &Script::well())]);
    let connector = Arc::new(BlackHole(network));
    let (channel, _) = connect(Settings { connector, resolver: Arc::new(names), ..Settings::default() });
    let outcomes = steady(&channel, 100, SECOND * 10, SECOND).await;
    assert_eq!(failed(&outcomes), []);
    assert!(outcomes.iter().all(|outcome| outcome.took < SECOND / 10));
}
