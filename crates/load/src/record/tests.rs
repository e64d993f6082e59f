use super::*;
use crate::agent::Agent;
use crate::slo::Objective;
use proptest::prelude::*;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn window() -> Window {
    Window { from: ms(1000), to: ms(11_000), late_after: ms(10) }
}

fn recorder() -> Recorder {
    Recorder::new(Agent::Empathy.methods(), window())
}

fn sample(due: u64, lag: u64, service: u64, code: Code) -> Sample {
    Sample {
        method: 0,
        due: ms(due),
        sent: ms(due + lag),
        first: None,
        done: ms(due + lag + service),
        code,
        malformed: false,
        instance: Arc::from("one"),
        degraded: Vec::new(),
    }
}

fn measured(recorded: &Recorded, objective: &str) -> Option<f64> {
    let objective: Objective = objective.parse().unwrap();
    recorded.measure(objective.method.as_deref(), objective.measure)
}

#[test]
fn the_two_clocks_differ_by_the_lag() {
    let mut recorder = recorder();
    recorder.enter(&sample(2000, 40, 5, Code::Ok));
    let recorded = recorder.finish(ms(10_000));
    assert!((measured(&recorded, "p50<1ms").unwrap() - 45.0).abs() < 0.1);
    assert!((measured(&recorded, "service.p50<1ms").unwrap() - 5.0).abs() < 0.1);
    let (p99, late) = recorded.lag();
    assert!((p99 - 40.0).abs() < 0.1 && late == 1.0);
}

#[test]
fn the_warm_up_counts_for_nothing() {
    let mut recorder = recorder();
    recorder.enter(&sample(999, 500, 5, Code::Internal));
    recorder.refuse(0, ms(10));
    let recorded = recorder.finish(ms(10_000));
    assert_eq!(recorded.total.intended(), 0);
    assert_eq!(recorded.lag(), (0.0, 0.0));
    assert_eq!(measured(&recorded, "errors<1%"), None);
}

#[test]
fn shed_failed_malformed_and_never_sent_are_told_apart() {
    let mut recorder = recorder();
    for at in 0..6 {
        recorder.enter(&sample(2000 + at, 0, 5, Code::Ok));
    }
    recorder.enter(&sample(3000, 0, 1, Code::ResourceExhausted));
    recorder.enter(&sample(3000, 0, 9, Code::Unavailable));
    recorder.enter(&Sample { malformed: true, ..sample(3000, 0, 9, Code::Ok) });
    recorder.refuse(0, ms(3000));
    assert_eq!(recorder.counts(), [10, 6, 1, 3]);
    let recorded = recorder.finish(ms(10_000));
    assert_eq!(measured(&recorded, "errors<1%"), Some(0.3));
    assert_eq!(measured(&recorded, "shed<1%"), Some(0.1));
    assert_eq!(measured(&recorded, "rate>1"), Some(0.6));
    assert!((measured(&recorded, "shed.max<1s").unwrap() - 1.0).abs() < 0.01);
    assert_eq!(recorded.total.latency.count(), 6, "good answers alone make latencies");
    let codes: Vec<_> = recorded.total.codes.iter().map(|(code, count)| (*code, *count)).collect();
    assert_eq!(codes, [("MALFORMED", 1), ("OK", 6), ("RESOURCE_EXHAUSTED", 1), ("UNAVAILABLE", 1)]);
    assert_eq!(recorded.slices[2].refused, 1);
    assert_eq!(recorded.lag().1, 0.1, "what was never sent is late");
}

#[test]
fn methods_and_instances_have_their_own_books() {
    let mut recorder = recorder();
    recorder.enter(&sample(2000, 0, 5, Code::Ok));
    let other =
        Sample { method: 1, first: Some(ms(2007)), instance: Arc::from("two"), ..sample(2000, 0, 50, Code::Ok) };
    recorder.enter(&other);
    let recorded = recorder.finish(ms(10_000));
    assert!(measured(&recorded, "Assess.max<1s").unwrap() < 6.0);
    assert!((measured(&recorded, "Modulate.first.max<1s").unwrap() - 7.0).abs() < 0.1);
    assert_eq!(measured(&recorded, "Nothing.max<1s"), None);
    assert_eq!(recorded.instances.len(), 2);
    assert_eq!(recorded.instances["two"].ok, 1);
}

#[test]
fn labels_are_bounded() {
    let mut recorder = recorder();
    for name in 0..1000 {
        recorder.enter(&Sample { instance: Arc::from(format!("i{name}")), ..sample(2000, 0, 1, Code::Ok) });
    }
    let recorded = recorder.finish(ms(10_000));
    assert_eq!(recorded.instances.len(), MOST_LABELS + 1);
    assert_eq!(recorded.instances[OTHERS].ok, 1000 - MOST_LABELS as u64);
}

#[test]
fn a_stall_leaves_a_gap_and_then_its_latencies() {
    let mut recorder = recorder();
    for at in 0..10 {
        // Ten a second; nothing is answered from second 3 to 6.
        for call in 0..10 {
            let due = 1000 + at * 1000 + call * 100;
            let service = if (3..6).contains(&at) { (7000 - due).max(1) } else { 1 };
            recorder.enter(&sample(due, 0, service, Code::Ok));
        }
    }
    let recorded = recorder.finish(ms(10_000));
    let ok: Vec<u64> = recorded.slices.iter().map(|slice| slice.ok).collect();
    assert_eq!(ok, [10, 10, 10, 0, 0, 0, 40, 10, 10, 10]);
    assert_eq!(recorded.slices[4].p99_ms, None);
    assert!(recorded.slices[6].max_ms.unwrap() >= 2990.0);
    let start: Vec<f64> = recorded.slices.iter().map(|slice| slice.start_s).collect();
    assert_eq!(start[9], 9.0);
}

#[test]
fn what_ends_after_the_end_has_a_latency_but_no_slice() {
    let mut recorder = recorder();
    recorder.enter(&sample(10_900, 0, 60_000, Code::Ok));
    let recorded = recorder.finish(ms(10_000));
    assert_eq!(recorded.slices.len(), 10);
    assert!(recorded.slices.iter().all(|slice| slice.ok == 0));
    assert_eq!((recorded.total.ok, recorded.total.ok_in_time), (1, 0));
    assert!(measured(&recorded, "max<1s").unwrap() > 59_000.0);
}

#[test]
fn slices_of_a_long_run_are_longer() {
    assert_eq!(Slices::new(ms(10_000)).length(), ms(1000));
    assert_eq!(Slices::new(Duration::from_secs(600)).length(), ms(1000));
    assert_eq!(Slices::new(Duration::from_secs(3600)).length(), ms(6000));
}

#[test]
fn a_report_of_times_has_its_curve_and_its_bars() {
    let mut times = Times::new();
    for micros in 1..=10_000u64 {
        times.record(Duration::from_micros(micros));
    }
    let latency = times.latency().unwrap();
    assert_eq!(latency.count, 10_000);
    assert!((latency.p50_ms - 5.0).abs() < 0.01 && (latency.p9999_ms - 10.0).abs() < 0.02);
    assert_eq!(latency.bars.iter().map(|bar| bar[1]).sum::<f64>(), 10_000.0);
    assert!(latency.curve.windows(2).all(|pair| pair[0][0] <= pair[1][0] && pair[0][1] <= pair[1][1]));
    assert!(latency.curve.len() < 200 && latency.bars.len() < 60);
    assert!(Times::new().latency().is_none());
}

proptest! {
    #[test]
    fn nothing_is_lost_and_nothing_counted_twice(
        calls in proptest::collection::vec((0u64..12_000, 0u64..50, 0u64..3000, 0i32..17, any::<bool>()), 0..300),
        refused in 0u64..20,
    ) {
        let mut recorder = recorder();
        let mut expected = 0;
        for (due, lag, service, code, malformed) in &calls {
            expected += u64::from(*due >= 1000);
            recorder.enter(&Sample { malformed: *malformed, ..sample(*due, *lag, *service, Code::from(*code)) });
        }
        for _ in 0..refused {
            recorder.refuse(1, ms(5000));
        }
        let recorded = recorder.finish(ms(10_000));
        let total = &recorded.total;
        prop_assert_eq!(total.intended(), expected + refused);
        prop_assert_eq!(total.ok + total.shed + total.failed, expected);
        prop_assert_eq!(total.codes.values().sum::<u64>(), expected);
        prop_assert_eq!(total.latency.count(), total.ok);
        prop_assert_eq!(total.shed_times.count(), total.shed);
        prop_assert_eq!(recorded.lag.times.count(), expected);
        let by_instance: u64 = recorded.instances.values().map(|i| i.ok + i.shed + i.failed).sum();
        prop_assert_eq!(by_instance, expected);
    }
}
