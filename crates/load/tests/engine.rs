//! Runs against a service on a loopback port that sheds, fails, stalls and lies as it is told.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod fake;

use std::sync::atomic::Ordering;

use fake::{Fake, Orders, load, load_until, options};
use tokio_util::sync::CancellationToken;
use wenzhen_load::settings::Goal;
use wenzhen_load::target::Balance;
use wenzhen_load::{LoadError, Options, Verdict};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shed_failed_and_hollow_answers_are_told_apart() {
    let fake = Fake::start(Orders { shed_every: 5, fail_every: 7, hollow_every: 11, ..Orders::default() }).await;
    // Nothing is left out as warm-up, so that both sides count the same.
    let report = load(&Options { warmup: Some("0s".parse().unwrap()), ..options(&[&fake]) }).await;
    let total = &report.total;
    let calls = *fake.seen.calls.borrow();
    assert!(calls > 100, "{calls}");
    assert_eq!(total.intended, calls);
    assert_eq!((total.shed, total.failed, total.refused), (fake.count(0), fake.count(1) + fake.count(2), 0));
    assert_eq!(total.codes["RESOURCE_EXHAUSTED"], fake.count(0));
    assert_eq!(total.codes["UNAVAILABLE"], fake.count(1));
    assert_eq!(total.codes["MALFORMED"], fake.count(2));
    assert_eq!(total.ok + total.shed + total.failed, calls);
    assert_eq!(total.latency.as_ref().unwrap().count, total.ok);
    assert_eq!(total.shed_answer.as_ref().unwrap().count, total.shed);
    assert_eq!(report.verdict, Verdict::Passed, "without an objective errors are only counted");
    let modulate = &report.methods["Modulate"];
    assert_eq!(modulate.first_item.as_ref().unwrap().count, modulate.ok);
    assert!(report.methods["Assess"].first_item.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stall_is_felt_by_every_call_that_was_due_in_it() {
    let fake = Fake::start(Orders::default()).await;
    fake.seen.close_at_next.store(true, Ordering::SeqCst);
    let options = Options { warmup: Some("0s".parse().unwrap()), rate: Some(200.0), ..options(&[&fake]) };
    let (report, ()) = tokio::join!(load(&options), async {
        // A hundred calls at 200 a second: the stall takes half a second.
        fake.has_seen(100).await;
        fake.seen.gate.send_replace(true);
    });
    let latency = report.total.latency.unwrap();
    let slow: f64 = latency.bars.iter().filter(|[end, _]| *end > 100.0).map(|[_, count]| count).sum();
    // Of the hundred that waited, four fifths waited for longer than a tenth of a second.
    assert!(slow >= 60.0, "only {slow} calls felt the stall: {:?}", latency.bars);
    assert!(latency.max_ms >= 300.0, "{} ms", latency.max_ms);
    assert_eq!(report.total.failed + report.total.shed, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_sent_is_counted_and_fails_the_run() {
    let fake = Fake::start(Orders::default()).await;
    fake.seen.gate.send_replace(false);
    let options = Options {
        max_in_flight: Some(3),
        // Past the end of the run: a server learns later than the client that a call was given up, and would see it
        // beside the one that was sent in its place.
        timeout: Some("2s".parse().unwrap()),
        warmup: Some("0s".parse().unwrap()),
        max_late: Some("1%".parse().unwrap()),
        slo: Some("p99<1h".parse().unwrap()),
        ..options(&[&fake])
    };
    let report = load(&options).await;
    assert!(report.total.refused > 50, "{}", report.total.refused);
    assert_eq!(report.total.codes.keys().collect::<Vec<_>>(), ["DEADLINE_EXCEEDED"]);
    assert_eq!(fake.seen.most_inside.load(Ordering::SeqCst), 3, "no more than --max-in-flight");
    assert_eq!(report.verdict, Verdict::GeneratorLagged);
    assert_eq!(report.verdict.exit_code(), 3);
    let said = report.remarks.join(" ");
    assert!(said.contains("never sent") && said.contains("--max-in-flight"), "{said}");
    assert!(!report.objectives[0].met, "nothing measured meets nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_generator_that_is_late_fails_its_own_run() {
    let fake = Fake::start(Orders::default()).await;
    let strict = Options { max_lag_p99: Some("1us".parse().unwrap()), ..options(&[&fake]) };
    let report = load(&strict).await;
    assert!(report.lag.p99_ms > 0.001 && !report.lag.kept_up);
    assert_eq!(report.verdict, Verdict::GeneratorLagged);
    assert!(report.total.ok > 100, "its figures are told all the same");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_are_known_by_their_header_else_by_their_address() {
    let name = |name: &str| Orders { name: name.to_owned(), ..Orders::default() };
    let (first, second) = (Fake::start(name("pod-a")).await, Fake::start(name("pod-b")).await);
    for balance in [Balance::Turn, Balance::P2c] {
        let report = load(&Options { balance: Some(balance), ..options(&[&first, &second]) }).await;
        let mut names: Vec<_> = report.instances.iter().map(|instance| instance.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["pod-a", "pod-b"], "{balance:?}");
        assert!(report.skew.unwrap() < 1.5, "{balance:?}: {:?}", report.skew);
        assert_eq!(report.total.ok, report.total.intended);
    }
    let nameless = Fake::start(Orders::default()).await;
    let turn = load(&Options { balance: Some(Balance::Turn), ..options(&[&nameless]) }).await;
    assert_eq!(turn.instances[0].name, nameless.address.to_string());
    let balanced = load(&options(&[&nameless])).await;
    assert_eq!(balanced.instances[0].name, "unknown");
    assert_eq!((balanced.target.version.as_str(), balanced.skew), ("9.9", None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_loop_has_as_many_calls_as_clients() {
    let fake = Fake::start(Orders::default()).await;
    let closed = Options { closed: Some(4), rate: None, duration: Some("300ms".parse().unwrap()), ..options(&[&fake]) };
    let report = load(&closed).await;
    assert!(report.total.ok > 20);
    assert!(fake.seen.most_inside.load(Ordering::SeqCst) <= 4);
    assert_eq!(report.settings["loop"], "closed, 4 clients");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_run_tells_what_ran() {
    let fake = Fake::start(Orders::default()).await;
    let stop = CancellationToken::new();
    let long = Options { duration: Some("1h".parse().unwrap()), ..options(&[&fake]) };
    let (report, ()) = tokio::join!(load_until(&long, stop.clone()), async {
        fake.has_seen(100).await;
        stop.cancel();
    });
    let report = report.unwrap();
    assert!(report.stopped_early && report.measured_s < 60.0);
    assert!(report.total.ok > 10 && report.total.ok == report.total.intended, "what was in flight was waited for");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_finds_what_a_service_can_do() {
    let fake = Fake::start(Orders { capacity: Some(150.0), ..Orders::default() }).await;
    let options = Options {
        search: Some(Goal::MaxRps),
        search_precision: Some("20%".parse().unwrap()),
        search_confirm: Some(1),
        slo: Some("shed<5%".parse().unwrap()),
        rate: Some(50.0),
        duration: Some("600ms".parse().unwrap()),
        arrivals: Some(wenzhen_load::schedule::Spacing::Constant),
        ..options(&[&fake])
    };
    let report = load(&options).await;
    let search = report.search.as_ref().unwrap();
    let rate = search.rate.unwrap();
    assert!((100.0..=190.0).contains(&rate), "{rate}: {:?}", search.trials);
    assert_eq!(search.trials[0].rate, 50.0);
    assert!(search.trials.iter().any(|trial| trial.confirming));
    assert!(search.trials.iter().any(|trial| !trial.missed.is_empty() && trial.shed_share > 0.05));
    assert_eq!((report.verdict, report.objectives[0].met), (Verdict::Passed, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missed_objective_is_exit_code_1() {
    let fake = Fake::start(Orders { fail_every: 4, ..Orders::default() }).await;
    let report = load(&Options { slo: Some("errors<1%,Assess.p50<1h".parse().unwrap()), ..options(&[&fake]) }).await;
    assert_eq!((report.verdict, report.verdict.exit_code()), (Verdict::Missed, 1));
    assert_eq!(report.objectives.iter().map(|judged| judged.met).collect::<Vec<_>>(), [false, true]);
    let away = Fake::start(Orders { fail_every: 1, ..Orders::default() }).await;
    let report = load(&options(&[&away])).await;
    assert_eq!(report.verdict, Verdict::Missed, "nothing answered is no pass, objectives or not");
    assert!(report.remarks[0].contains("UNAVAILABLE"), "{:?}", report.remarks);
}

#[tokio::test]
async fn a_target_that_cannot_be_loaded_is_said_before_anything_is_sent() {
    let stranger = Fake::start(Orders { digest: "f".repeat(64), ..Orders::default() }).await;
    let refused = load_until(&options(&[&stranger]), CancellationToken::new()).await.unwrap_err();
    assert!(matches!(refused, LoadError::Pack { .. }) && refused.to_string().contains("--pack"), "{refused}");
    assert_eq!(*stranger.seen.calls.borrow(), 0);
    // A port that was free a moment ago: nobody listens there.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for balance in [Balance::Turn, Balance::P2c] {
        let target = vec![format!("http://{gone}")];
        let away = Options { target, balance: Some(balance), ..options(&[]) };
        let refused = load_until(&away, CancellationToken::new()).await.unwrap_err();
        assert!(matches!(refused, LoadError::Unreachable { .. }), "{balance:?}: {refused}");
    }
}
