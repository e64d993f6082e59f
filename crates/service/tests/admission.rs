//! Waiting for a permit: order, bounds, those who leave, and five times overload. All in the test's own time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use support::{Streams, Unary, call, hello, open};
use tokio::sync::Notify;
use tokio::task::{JoinSet, yield_now};
use tokio::time::Instant;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use wenzhen_service::layers::admission::{Bounds, Entry, Permit, Shed, ShedReason};
use wenzhen_service::local::in_process_guarded;
use wenzhen_service::{Admission, Deadline, Guard, Limits, Metrics, Priority, Services};

const METHOD: &str = "test";

fn admission(permits: usize, waiting: usize) -> (Admission, Metrics) {
    let metrics = Metrics::new();
    let (wait, retry_after) = (Duration::from_millis(100), Duration::from_millis(250));
    (Admission::new(Bounds { permits, waiting, wait, retry_after }, metrics.admission()), metrics)
}

async fn enter(admission: &Admission, priority: Priority) -> Result<Permit, Shed> {
    admission.admit(METHOD, priority, None).await
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_are_served_by_priority_and_then_by_arrival() {
    let (admission, metrics) = admission(1, 100);
    let held = enter(&admission, Priority::New).await.unwrap();
    let served = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = JoinSet::new();
    for round in 0..3 {
        for priority in [Priority::New, Priority::Urgent, Priority::Ongoing] {
            let (admission, served) = (admission.clone(), Arc::clone(&served));
            tasks.spawn(async move {
                let _permit = enter(&admission, priority).await.unwrap();
                served.lock().push((priority, round));
                yield_now().await;
            });
            yield_now().await;
        }
    }
    assert!(metrics.text().contains(r#"wenzhen_admission_queue_depth{method="test"} 9"#), "{}", metrics.text());
    drop(held);
    tasks.join_all().await;
    let expected: Vec<_> = Priority::ALL.into_iter().flat_map(|priority| (0..3).map(move |n| (priority, n))).collect();
    assert_eq!(*served.lock(), expected);
    assert!(metrics.text().contains(r#"wenzhen_admission_queue_depth{method="test"} 0"#), "{}", metrics.text());
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_the_bound_or_than_the_deadline() {
    let (admission, metrics) = admission(1, 10);
    let _held = enter(&admission, Priority::Urgent).await.unwrap();
    for (deadline, expected) in [(None, 100), (Some(30), 30), (Some(5000), 100)] {
        let begun = Instant::now();
        let deadline = deadline.map(|millis| Deadline::after(Duration::from_millis(millis)));
        let shed = admission.admit(METHOD, Priority::Urgent, deadline).await.unwrap_err();
        assert_eq!((shed.reason, begun.elapsed().as_millis()), (ShedReason::Waited, expected));
        let status = Status::from(shed);
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert_eq!(status.get_details_retry_info().unwrap().retry_delay, Some(Duration::from_millis(250)));
    }
    let counted = r#"wenzhen_admission_shed_total{method="test",reason="waited"} 3"#;
    assert!(metrics.text().contains(counted), "{}", metrics.text());
}

#[tokio::test(start_paused = true)]
async fn who_leaves_frees_its_place_and_loses_no_permit() {
    let (admission, _) = admission(1, 1);
    let held = enter(&admission, Priority::Ongoing).await.unwrap();
    for _ in 0..5 {
        let Ok(Entry::Waits(waiting)) = admission.enter(METHOD, Priority::Ongoing, None) else { panic!("a place") };
        let Err(full) = admission.enter(METHOD, Priority::Ongoing, None) else { panic!("the line is full") };
        assert_eq!(full.reason, ShedReason::Full);
        drop(waiting);
    }
    // A permit on its way to somebody who leaves before reading of it.
    let Ok(Entry::Waits(waiting)) = admission.enter(METHOD, Priority::Ongoing, None) else { panic!("a place") };
    drop(held);
    drop(waiting);
    let Ok(Entry::Admitted(_held)) = admission.enter(METHOD, Priority::New, None) else { panic!("the permit is back") };
}

#[tokio::test(start_paused = true)]
async fn an_urgent_call_takes_the_place_of_a_new_one() {
    let (admission, metrics) = admission(1, 2);
    let held = enter(&admission, Priority::New).await.unwrap();
    let new = [0, 1].map(|_| {
        tokio::spawn({
            let admission = admission.clone();
            async move { enter(&admission, Priority::New).await }
        })
    });
    yield_now().await;
    let urgent = tokio::spawn({
        let admission = admission.clone();
        async move { enter(&admission, Priority::Urgent).await }
    });
    yield_now().await;
    let [first, second] = new;
    assert_eq!(second.await.unwrap().unwrap_err().reason, ShedReason::Displaced, "the last to come");
    drop(held);
    drop(urgent.await.unwrap().unwrap());
    drop(first.await.unwrap().unwrap());
    let counted = r#"wenzhen_admission_shed_total{method="test",reason="displaced"} 1"#;
    assert!(metrics.text().contains(counted), "{}", metrics.text());
}

/// A service that works for 10 ms on each call, four calls at once.
fn busy() -> (Channel, wenzhen_service::local::LocalServer, Metrics) {
    let work = Unary::new(|request| async move {
        tokio::time::sleep(Duration::from_millis(10)).await;
        Ok(request.into_inner())
    });
    let wait = Duration::from_millis(50);
    let limits = Limits { max_in_flight: 4, max_waiting: 32, max_wait: wait, ..Limits::default() };
    let metrics = Metrics::new();
    let (channel, server) = in_process_guarded(Services::new().with(work), &Guard::new(metrics.clone(), limits));
    (channel, server, metrics)
}

/// Calls at a steady rate for one second; per priority, code and time of each.
async fn load(
    channel: &Channel,
    every: Duration,
    priority: impl Fn(usize) -> Priority,
) -> BTreeMap<Priority, Vec<(Code, Duration)>> {
    let (mut ticks, mut calls) = (tokio::time::interval(every), JoinSet::new());
    let number = usize::try_from(Duration::from_secs(1).as_micros() / every.as_micros()).unwrap();
    for n in 0..number {
        ticks.tick().await;
        let (channel, priority) = (channel.clone(), priority(n));
        calls.spawn(async move {
            let (begun, mut request) = (Instant::now(), hello());
            priority.mark(&mut request);
            let answer = call(&channel, request).await;
            let retry = |status: &Status| status.get_details_retry_info().is_some();
            assert!(answer.as_ref().err().is_none_or(retry), "{answer:?}");
            (priority, answer.err().map_or(Code::Ok, |status| status.code()), begun.elapsed())
        });
    }
    let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
    while let Some(done) = calls.join_next().await {
        let (priority, code, elapsed) = done.unwrap();
        all.entry(priority).or_default().push((code, elapsed));
    }
    all
}

fn with(code: Code, calls: &[(Code, Duration)]) -> Vec<Duration> {
    calls.iter().filter(|(found, _)| *found == code).map(|(_, elapsed)| *elapsed).collect()
}

#[tokio::test(start_paused = true)]
async fn five_times_overload_costs_no_goodput_and_is_shed_at_once() {
    // Four at once for 10 ms each: 400 calls a second, 2,000 are sent.
    let (channel, _server, metrics) = busy();
    let all = load(&channel, Duration::from_micros(500), |_| Priority::Ongoing).await;
    let calls = &all[&Priority::Ongoing];
    let (good, mut shed) = (with(Code::Ok, calls), with(Code::ResourceExhausted, calls));
    assert_eq!(good.len() + shed.len(), calls.len(), "nothing else happened");
    assert!(good.len() * 10 >= 400 * 9, "goodput {} of 400", good.len());
    shed.sort();
    let late = shed.iter().filter(|elapsed| **elapsed > Duration::from_millis(10)).count();
    assert!(late * 100 <= shed.len(), "{late} of {} sheds after 10 ms, {:?} at worst", shed.len(), shed.last());
    assert!(good.iter().all(|elapsed| *elapsed <= Duration::from_millis(75)), "50 ms in line, 10 of work");

    let begun = Instant::now();
    assert_eq!(call(&channel, hello()).await.unwrap(), "hello");
    assert!(begun.elapsed() <= Duration::from_millis(15), "recovered: {:?}", begun.elapsed());
    assert!(metrics.text().contains("wenzhen_admission_queue_depth"), "{}", metrics.text());
}

#[tokio::test(start_paused = true)]
async fn under_overload_what_matters_goes_first() {
    let (channel, _server, _) = busy();
    // Of ten calls one is urgent and three are of consultations under way: 200 and 600 a second, for 400 places.
    let priority = |n: usize| match n % 10 {
        0 => Priority::Urgent,
        1..=3 => Priority::Ongoing,
        _ => Priority::New,
    };
    let all = load(&channel, Duration::from_micros(500), priority).await;
    let share = |priority| {
        let calls: &Vec<_> = &all[&priority];
        100 * with(Code::Ok, calls).len() / calls.len()
    };
    let (urgent, ongoing, new) = (share(Priority::Urgent), share(Priority::Ongoing), share(Priority::New));
    assert!(urgent >= 99 && ongoing >= 25 && new <= 3, "served: {urgent} %, {ongoing} %, {new} %");
}

#[tokio::test(start_paused = true)]
async fn a_method_has_its_own_limit_beside_the_servers_and_a_watch_takes_no_place() {
    let (started, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let unary = Unary::new({
        let (started, release) = (Arc::clone(&started), Arc::clone(&release));
        move |request| {
            let (started, release) = (Arc::clone(&started), Arc::clone(&release));
            async move {
                started.notify_one();
                release.notified().await;
                Ok(request.into_inner())
            }
        }
    });
    let watch = Streams::new(futures::stream::pending);
    let limits = Limits {
        max_in_flight: 2,
        max_waiting: 0,
        max_watches: 3,
        methods: vec!["KgService/Describe=1".parse().unwrap()],
        ..Limits::default()
    };
    let guard = Guard::new(Metrics::new(), limits);
    let (channel, _server) = in_process_guarded(Services::new().with(unary).with(watch), &guard);
    let mut watches = Vec::new();
    for _ in 0..3 {
        watches.push(open(&channel, hello()).await.unwrap());
    }
    assert_eq!(open(&channel, hello()).await.unwrap_err().code(), Code::ResourceExhausted, "watches have a bound too");

    let both = [0, 1].map(|_| {
        tokio::spawn({
            let channel = channel.clone();
            async move { call(&channel, hello()).await }
        })
    });
    started.notified().await;
    // One is handled, one waits for the method's permit, though the server has another.
    let third = call(&channel, hello()).await.unwrap_err();
    assert_eq!(third.code(), Code::ResourceExhausted);
    for done in both {
        release.notify_one();
        assert_eq!(done.await.unwrap().unwrap(), "hello");
    }
}
