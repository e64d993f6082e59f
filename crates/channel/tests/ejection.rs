//! Endpoints that fail are left out, tried again, and brought back; when all look bad, one is kept.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use support::network::{Names, Network};
use support::replica::Script;
use support::traffic::{failed, steady};
use support::{call, connect, metric};
use tonic::Status;
use wenzhen_channel::{Balanced, Settings};
use wenzhen_service::Metrics;

const SECOND: Duration = Duration::from_secs(1);

/// A channel with default settings to replicas that do as the scripts say.
async fn over(scripts: &[&Script], idempotent: bool) -> (Balanced, Metrics, Network) {
    let network = Network::default();
    let addresses: Vec<_> = (1..).zip(scripts).map(|(number, script)| network.start(number, script)).collect();
    let (channel, metrics) = connect(Settings {
        idempotent: Arc::new(move |_| idempotent),
        connector: Arc::new(network.clone()),
        resolver: Arc::new(Names::of(addresses)),
        seed: Some(1),
        ..Settings::default()
    });
    while channel.endpoints().ready < scripts.len() {
        tokio::time::sleep(SECOND / 1000).await;
    }
    (channel, metrics, network)
}

fn flaky(well: &Arc<AtomicBool>) -> Script {
    let well = Arc::clone(well);
    Script::new(move |_| {
        let well = well.load(Ordering::SeqCst);
        async move { if well { Ok(()) } else { Err(Status::unavailable("away")) } }
    })
}

#[tokio::test(start_paused = true)]
async fn who_fails_fast_gets_at_most_two_per_cent_after_five_seconds() {
    for idempotent in [true, false] {
        let (good, bad) = (Script::slow(SECOND / 200), Script::failing(Status::unavailable("away")));
        let (channel, metrics, _network) = over(&[&good, &good, &bad], idempotent).await;
        let first = steady(&channel, 200, SECOND * 5, SECOND).await;
        let before = bad.count();
        let later = steady(&channel, 200, SECOND * 10, SECOND).await;
        let share = (bad.count() - before) as f64 / later.len() as f64;
        assert!(share <= 0.02, "{share}");
        assert!(before <= 20, "{before} of {} in the first five seconds", first.len());
        assert!(metric(&metrics, "wenzhen_channel_ejections_total{target=\"http://agent.test:1\"}") >= 1);
        if idempotent {
            assert_eq!(failed(&first).len() + failed(&later).len(), 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_fails_half_of_the_time_gets_little() {
    let (good, turn) = (Script::well(), Arc::new(AtomicBool::new(false)));
    let bad = Script::new(move |_| {
        let fine = turn.fetch_xor(true, Ordering::SeqCst);
        async move { if fine { Ok(()) } else { Err(Status::unavailable("away")) } }
    });
    let (channel, _, _network) = over(&[&good, &bad], true).await;
    let calls = steady(&channel, 200, SECOND * 10, SECOND).await;
    assert_eq!(failed(&calls), []);
    assert!(bad.count() * 20 < calls.len(), "{} of {}", bad.count(), calls.len());
}

#[tokio::test(start_paused = true)]
async fn the_application_s_errors_are_no_reason() {
    let (good, strict) = (Script::well(), Script::failing(Status::invalid_argument("no such field")));
    let (channel, _, _network) = over(&[&good, &strict], true).await;
    steady(&channel, 200, SECOND * 8, SECOND).await;
    let (one, other) = (good.count() as f64, strict.count() as f64);
    assert!(one.max(other) / one.min(other) <= 1.2, "{one} {other}");
    assert_eq!(channel.endpoints().ejected, 0);
}

#[tokio::test(start_paused = true)]
async fn who_is_well_again_comes_back_slowly_to_its_full_share() {
    let well = Arc::new(AtomicBool::new(false));
    let (good, bad) = (Script::well(), flaky(&well));
    let (channel, _, _network) = over(&[&good, &bad], true).await;
    steady(&channel, 200, SECOND * 3, SECOND).await;
    assert_eq!(channel.endpoints().ejected, 1);
    well.store(true, Ordering::SeqCst);
    while channel.endpoints().ejected > 0 {
        call(&channel, SECOND).await.unwrap();
        tokio::time::sleep(SECOND / 200).await;
    }
    let before = bad.count();
    let first = steady(&channel, 200, SECOND, SECOND).await.len();
    assert!(bad.count() - before < first / 4, "{} of {first} in the first second", bad.count() - before);
    steady(&channel, 200, SECOND * 5, SECOND).await;
    let before = bad.count();
    let full = steady(&channel, 200, SECOND * 5, SECOND).await.len();
    assert!(bad.count() - before > full * 4 / 10, "{} of {full} at last", bad.count() - before);
}

#[tokio::test(start_paused = true)]
async fn when_all_fail_one_is_kept_calls_fail_fast_and_are_hardly_repeated() {
    let well = Arc::new(AtomicBool::new(true));
    let scripts = [flaky(&well), flaky(&well), flaky(&well)];
    let (channel, _, _network) = over(&[&scripts[0], &scripts[1], &scripts[2]], true).await;
    let asked = || scripts.iter().map(Script::count).sum::<usize>();
    steady(&channel, 100, SECOND * 5, SECOND).await;
    well.store(false, Ordering::SeqCst);
    let before = asked();
    let down = steady(&channel, 100, SECOND * 20, SECOND).await;
    assert!(down.iter().all(|outcome| outcome.status.is_err() && outcome.took < SECOND / 2));
    let ratio = (asked() - before) as f64 / down.len() as f64;
    assert!(ratio <= 1.2, "{ratio}");
    assert!(channel.endpoints().ready >= 1, "{:?}", channel.endpoints());

    well.store(true, Ordering::SeqCst);
    steady(&channel, 20, SECOND * 15, SECOND).await;
    assert_eq!(failed(&steady(&channel, 100, SECOND * 5, SECOND).await), []);
    assert_eq!(channel.endpoints().ready, 3);
}
