use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::*;
use crate::agent::Agent;
use crate::options::Options;
use crate::record::{Recorder, Sample, Window};
use crate::report::{Circumstances, TargetReport, build};
use crate::settings::Settings;
use tonic::Code;

/// A run of a minute at 50 calls a second, whose latencies scatter around some milliseconds.
fn report(agent: Agent, millis: f64, failed_of_1000: u64, lag: u64) -> Report {
    let options = Options { agent: Some(agent), ..Options::default() };
    let settings = Settings::new(&options).unwrap();
    let window = Window { from: Duration::ZERO, to: Duration::from_secs(60), late_after: settings.lag.late_after };
    let mut recorder = Recorder::new(agent.methods(), window);
    for call in 0..3000u64 {
        let scatter = crate::workload::scatter(call ^ millis.to_bits()) % 1000;
        let due = Duration::from_millis(call * 20);
        let sent = due + Duration::from_millis(lag);
        // Half to one and a half times the mean.
        let took = Duration::from_secs_f64(millis / 1000.0 * (0.5 + scatter as f64 / 1000.0));
        let code = if call % 1000 < failed_of_1000 { Code::Unavailable } else { Code::Ok };
        let (malformed, degraded) = (false, Vec::new());
        let method = usize::try_from(call).unwrap() % agent.methods().len();
        let sample = Sample {
            method,
            due,
            sent,
            first: None,
            done: sent + took,
            code,
            malformed,
            instance: Arc::from("a"),
            degraded,
        };
        recorder.enter(&sample);
    }
    let target = TargetReport::default();
    let around = Circumstances { started: SystemTime::UNIX_EPOCH, target, stopped_early: false, consultations: None };
    build(&settings, &recorder.finish(Duration::from_secs(60)), around)
}

fn change(comparison: &Comparison, name: &str) -> Change {
    comparison.rows.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("no row {name}")).change
}

#[test]
fn the_same_load_twice_is_the_same() {
    let comparison = compare(&report(Agent::Kg, 10.0, 0, 0), &report(Agent::Kg, 10.05, 0, 0), 0.1).unwrap();
    assert!(comparison.rows.iter().all(|row| row.change == Change::Same), "{}", table(&comparison));
    assert_eq!((comparison.exit_code(), comparison.warnings.len()), (0, 0));
}

#[test]
fn slower_is_a_regression_and_faster_is_none() {
    let (fast, slow) = (report(Agent::Kg, 10.0, 0, 0), report(Agent::Kg, 13.0, 0, 0));
    let worse = compare(&fast, &slow, 0.1).unwrap();
    for name in ["p50", "p99", "mean", "service p99"] {
        assert_eq!(change(&worse, name), Change::Worse, "{name}: {}", table(&worse));
    }
    assert_eq!((change(&worse, "answered"), worse.exit_code()), (Change::Same, 1));
    let better = compare(&slow, &fast, 0.1).unwrap();
    assert_eq!((change(&better, "p50"), better.exit_code()), (Change::Better, 0));
    let tolerated = compare(&fast, &slow, 0.5).unwrap();
    assert_eq!(tolerated.exit_code(), 0, "within the threshold");
    assert!(table(&worse).contains("WORSE"));
}

#[test]
fn more_errors_are_a_regression() {
    let comparison = compare(&report(Agent::Kg, 10.0, 0, 0), &report(Agent::Kg, 10.0, 30, 0), 0.1).unwrap();
    assert_eq!((change(&comparison, "errors"), comparison.exit_code()), (Change::Worse, 1));
    assert_eq!(change(&comparison, "shed"), Change::Same);
    let few = compare(&report(Agent::Kg, 10.0, 2, 0), &report(Agent::Kg, 10.0, 4, 0), 0.1).unwrap();
    assert_eq!(change(&few, "errors"), Change::Noise, "six and twelve of 3000 may be chance");
}

#[test]
fn methods_are_compared_where_there_are_several() {
    let comparison = compare(&report(Agent::Guidance, 10.0, 0, 0), &report(Agent::Guidance, 20.0, 0, 0), 0.1).unwrap();
    assert_eq!(change(&comparison, "Ask p50"), Change::Worse);
    let same = compare(&report(Agent::Guidance, 10.0, 0, 0), &report(Agent::Guidance, 10.02, 0, 0), 0.0).unwrap();
    assert_ne!(change(&same, "Ask p99"), Change::Worse, "intervals that meet prove nothing");
}

#[test]
fn a_lagging_generator_is_not_believed_and_differences_are_named() {
    let (good, mut bad) = (report(Agent::Kg, 10.0, 0, 0), report(Agent::Kg, 10.0, 0, 50));
    bad.settings.insert("rate".to_owned(), "7".to_owned());
    let comparison = compare(&good, &bad, 0.1).unwrap();
    assert_eq!(comparison.exit_code(), 3);
    let said = comparison.warnings.join("\n");
    assert!(said.contains("second run lagged") && said.contains("differ in rate"), "{said}");
    let other = compare(&good, &report(Agent::Expert, 10.0, 0, 0), 0.1).unwrap_err();
    assert!(other.is_usage() && other.to_string().contains("expert"));
}

#[test]
fn a_few_slices_allow_no_judgement() {
    let (mut before, mut after) = (report(Agent::Kg, 10.0, 0, 0), report(Agent::Kg, 20.0, 0, 0));
    before.slices.truncate(3);
    after.slices.truncate(3);
    let comparison = compare(&before, &after, 0.1).unwrap();
    assert_eq!((change(&comparison, "p50"), comparison.exit_code()), (Change::Unknown, 0));
}
