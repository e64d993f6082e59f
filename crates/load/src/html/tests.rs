use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tonic::Code;

use super::*;
use crate::agent::Agent;
use crate::options::Options;
use crate::record::{Recorder, Sample, Window};
use crate::report::{Circumstances, Consultations, SearchReport, TargetReport, Trial, build};
use crate::search::{Judgement, Limit};
use crate::settings::Settings;

fn report(calls: u64) -> Report {
    let slo = Some("p99<1ms,errors<50%".parse().unwrap());
    let settings = Settings::new(&Options { agent: Some(Agent::Empathy), slo, ..Options::default() }).unwrap();
    let window = Window { from: Duration::ZERO, to: Duration::from_secs(20), late_after: settings.lag.late_after };
    let mut recorder = Recorder::new(Agent::Empathy.methods(), window);
    for call in 0..calls {
        let due = Duration::from_millis(call * 20);
        let took = Duration::from_micros(500 + crate::workload::scatter(call) % 9000);
        let code = [Code::Ok, Code::Ok, Code::Ok, Code::ResourceExhausted, Code::Unavailable][(call % 5) as usize];
        let instance = Arc::from(["<b>one</b>", "two"][(call % 2) as usize]);
        let first = Some(due + took / 2);
        let degraded = if call % 10 == 0 { vec!["kg: deadline".to_owned()] } else { Vec::new() };
        recorder.enter(&Sample {
            method: (call % 2) as usize,
            due,
            sent: due,
            first,
            done: due + took,
            code,
            malformed: false,
            instance,
            degraded,
        });
    }
    let consultations = Some(Consultations { started: 3, ..Consultations::default() });
    let around = Circumstances {
        started: SystemTime::UNIX_EPOCH,
        target: TargetReport::default(),
        stopped_early: true,
        consultations,
    };
    let mut report = build(&settings, &recorder.finish(Duration::from_secs(20)), around);
    let trial = |rate, judgement| Trial {
        rate,
        confirming: false,
        judgement,
        answered: rate,
        p50_ms: Some(1.0),
        p99_ms: Some(rate / 10.0),
        error_share: 0.0,
        shed_share: 0.0,
        lag_p99_ms: 0.1,
        missed: Vec::new(),
    };
    let trials = vec![trial(50.0, Judgement::Met), trial(100.0, Judgement::Missed), trial(200.0, Judgement::Lagged)];
    report.search = Some(SearchReport { rate: Some(50.0), limit: Limit::System, trials });
    report
}

/// Every element is closed in order, which a browser would forgive and a reader of the file would not.
fn assert_well_formed(page: &str) {
    let mut open: Vec<&str> = Vec::new();
    let body = page.split_once("<html").unwrap().1;
    let body = body.split_once("</style>").unwrap().1;
    for tag in body.split('<').skip(1).map(|rest| rest.split_once('>').expect("a tag that ends").0) {
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        match tag {
            _ if tag.starts_with('/') && matches!(name, "head" | "html") => {}
            _ if tag.starts_with('/') => assert_eq!(open.pop(), Some(name), "{tag} closes something else"),
            _ if tag.ends_with('/') => {}
            _ => open.push(name),
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
}

#[test]
fn a_page_needs_nothing_else_and_is_well_formed() {
    for calls in [0, 1, 1000] {
        let page = page(&report(calls));
        for outside in ["<script", "src=", "href=", "url(", "@import", "http:", "https:"] {
            assert!(!page.contains(outside), "{outside} in a page that must need nothing else");
        }
        assert_well_formed(&page);
        assert!(!page.contains("NaN") && !page.contains("inf"), "a number that is none, with {calls} calls");
    }
}

#[test]
fn what_comes_from_outside_is_shown_as_text() {
    let page = page(&report(100));
    assert!(page.contains("&lt;b&gt;one&lt;/b&gt;") && !page.contains("<b>one"));
}

#[test]
fn every_picture_has_words_and_a_table() {
    let page = page(&report(1000));
    let pictures = page.matches("role=\"img\"").count();
    assert_eq!(pictures, 5);
    assert_eq!(page.matches("<desc id=").count(), pictures);
    assert_eq!(page.matches("<details>").count(), pictures);
    for words in [
        "prefers-color-scheme: dark",
        "RESOURCE_EXHAUSTED",
        "stopped early",
        "✗ missed",
        "✓ met",
        "kg: deadline",
        "p99.99",
    ] {
        assert!(page.contains(words), "{words}");
    }
}
