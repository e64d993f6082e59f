//! Two reports side by side: what changed, and whether that is more than noise.

use crate::error::LoadError;
use crate::report::{Latency, Report, Slice, Verdict};
use crate::stats;

/// A share that grows by less is no regression, however sure it is.
const LEAST_SHARE: f64 = 0.001;
/// Standard errors from which on a difference of shares is believed (99 %).
const SURE: f64 = 2.58;

/// What is to be thought of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Within the threshold.
    Same,
    /// Better by more than the threshold, and surely.
    Better,
    /// Worse by more than the threshold, and surely: a regression.
    Worse,
    /// More than the threshold, but it may be noise.
    Noise,
    /// Too few samples for a judgement.
    Unknown,
}

/// One measure of both runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What was measured.
    pub name: String,
    /// Unit of the values.
    pub unit: &'static str,
    /// The first run.
    pub before: f64,
    /// The second run.
    pub after: f64,
    /// 95 % interval of the change, as shares (0.1 is 10 % more).
    pub interval: Option<[f64; 2]>,
    /// What to think of it.
    pub change: Change,
}

impl Row {
    /// The change as a share; `None` from nothing to something.
    pub fn share(&self) -> Option<f64> {
        (self.before != 0.0).then(|| self.after / self.before - 1.0)
    }
}

/// Two runs compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Measures.
    pub rows: Vec<Row>,
    /// What makes the comparison doubtful.
    pub warnings: Vec<String>,
    /// One of the runs cannot be believed.
    pub unbelievable: bool,
}

impl Comparison {
    /// Whether anything got worse.
    pub fn regressed(&self) -> bool {
        self.rows.iter().any(|row| row.change == Change::Worse)
    }

    /// The exit code of the command: 3 when a generator lagged, 1 on a regression, else 0.
    pub fn exit_code(&self) -> u8 {
        match (self.unbelievable, self.regressed()) {
            (true, _) => Verdict::GeneratorLagged.exit_code(),
            (false, true) => Verdict::Missed.exit_code(),
            (false, false) => Verdict::Passed.exit_code(),
        }
    }
}

/// Compares two runs; a change counts from `threshold` on, as a share.
///
/// # Errors
/// [`LoadError::Incomparable`] when they loaded different agents.
pub fn compare(before: &Report, after: &Report, threshold: f64) -> Result<Comparison, LoadError> {
    if before.agent != after.agent {
        let text = format!("{} and {} cannot be compared: load the same agent twice", before.agent, after.agent);
        return Err(LoadError::Incomparable(text));
    }
    let mut rows = latencies(before, after, threshold);
    rows.extend(rate(before, after, threshold));
    rows.extend(shares(before, after, threshold));
    rows.extend(methods(before, after, threshold));
    let lagged = |report: &Report| report.verdict == Verdict::GeneratorLagged;
    Ok(Comparison { rows, warnings: warnings(before, after), unbelievable: lagged(before) || lagged(after) })
}

/// The reader of a value of a slice, and of the whole run.
type Reader = (&'static str, fn(&Slice) -> Option<f64>, fn(&Latency) -> f64, bool);

const READERS: [Reader; 5] = [
    ("p50", |slice| slice.p50_ms, |latency| latency.p50_ms, false),
    ("p99", |slice| slice.p99_ms, |latency| latency.p99_ms, false),
    ("mean", |slice| slice.mean_ms, |latency| latency.mean_ms, false),
    ("service p50", |slice| slice.service_p50_ms, |latency| latency.p50_ms, true),
    ("service p99", |slice| slice.service_p99_ms, |latency| latency.p99_ms, true),
];

fn latencies(before: &Report, after: &Report, threshold: f64) -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, of_slice, of_run, service) in READERS {
        let run = |report: &Report| {
            let latency = if service { &report.total.service } else { &report.total.latency };
            latency.as_ref().map(of_run)
        };
        let slices = |report: &Report| -> Vec<f64> { report.slices.iter().filter_map(of_slice).collect() };
        if let (Some(was), Some(is)) = (run(before), run(after)) {
            let interval = stats::ratio(&slices(before), &slices(after));
            rows.push(judged(name.to_owned(), "ms", (was, is), interval, (threshold, false)));
        }
    }
    rows
}

fn rate(before: &Report, after: &Report, threshold: f64) -> Option<Row> {
    let slices = |report: &Report| -> Vec<f64> {
        report.slices.iter().map(|slice| slice.ok as f64 / report.slice_s.max(1e-9)).collect()
    };
    // A slice without any answer has no logarithm: half an answer stands for it.
    let filled = |samples: Vec<f64>, report: &Report| -> Vec<f64> {
        samples.into_iter().map(|rate| rate.max(0.5 / report.slice_s.max(1e-9))).collect()
    };
    let interval = stats::ratio(&filled(slices(before), before), &filled(slices(after), after));
    let both = (before.total.rate, after.total.rate);
    (both.0 > 0.0).then(|| judged("answered".to_owned(), "/s", both, interval, (threshold, true)))
}

/// A row whose interval is one of ratios; `more_is_better` turns the judgement round.
fn judged(
    name: String,
    unit: &'static str,
    (before, after): (f64, f64),
    ratio: Option<[f64; 2]>,
    (threshold, more_is_better): (f64, bool),
) -> Row {
    let interval = ratio.map(|[low, high]| [low - 1.0, high - 1.0]);
    let share = if before > 0.0 { after / before - 1.0 } else { 0.0 };
    let change = match interval {
        _ if share.abs() <= threshold => Change::Same,
        None => Change::Unknown,
        Some([low, high]) if low <= 0.0 && high >= 0.0 => Change::Noise,
        // The slices and the whole run must agree on the direction.
        Some([low, _]) if (low > 0.0) != (share > 0.0) => Change::Noise,
        Some(_) if (share > 0.0) == more_is_better => Change::Better,
        Some(_) => Change::Worse,
    };
    Row { name, unit, before, after, interval, change }
}

fn shares(before: &Report, after: &Report, threshold: f64) -> Vec<Row> {
    let row = |name: &str, of: fn(&Report) -> (u64, u64)| {
        let (was, is) = (of(before), of(after));
        let share = |(part, whole): (u64, u64)| part as f64 / whole.max(1) as f64;
        let (a, b) = (share(was), share(is));
        let apart = stats::shares(was, is);
        let large = (b - a).abs() >= LEAST_SHARE && (b - a).abs() > a * threshold;
        let change = match (large, apart > SURE, apart < -SURE) {
            (false, _, _) => Change::Same,
            (true, true, _) => Change::Worse,
            (true, _, true) => Change::Better,
            (true, false, false) => Change::Noise,
        };
        Row { name: name.to_owned(), unit: "%", before: a * 100.0, after: b * 100.0, interval: None, change }
    };
    vec![
        row("errors", |report| (report.total.failed + report.total.refused, report.total.intended)),
        row("shed", |report| (report.total.shed, report.total.intended)),
    ]
}

/// Each method by the intervals of its own quantiles: they must not meet.
fn methods(before: &Report, after: &Report, threshold: f64) -> Vec<Row> {
    let mut rows = Vec::new();
    if before.methods.len() < 2 && after.methods.len() < 2 {
        return rows;
    }
    for (method, was) in &before.methods {
        let is = after.methods.get(method).and_then(|figures| figures.latency.as_ref());
        let (Some(was), Some(is)) = (was.latency.as_ref(), is) else { continue };
        for (name, at, read) in [("p50", 0.5, p50 as fn(&Latency) -> f64), ("p99", 0.99, p99)] {
            let intervals = stats::quantile(&was.curve, was.count, at).zip(stats::quantile(&is.curve, is.count, at));
            let ratio = intervals.filter(|(a, _)| a[0] > 0.0).map(|(a, b)| [b[0] / a[1], b[1] / a[0]]);
            rows.push(judged(format!("{method} {name}"), "ms", (read(was), read(is)), ratio, (threshold, false)));
        }
    }
    rows
}

fn p50(latency: &Latency) -> f64 {
    latency.p50_ms
}

fn p99(latency: &Latency) -> f64 {
    latency.p99_ms
}

fn warnings(before: &Report, after: &Report) -> Vec<String> {
    let mut warnings = Vec::new();
    for (name, report) in [("first", before), ("second", after)] {
        if report.verdict == Verdict::GeneratorLagged {
            warnings.push(format!("The generator of the {name} run lagged: its figures cannot be believed."));
        }
        if report.stopped_early {
            warnings.push(format!("The {name} run was stopped before its time."));
        }
    }
    for key in before.settings.keys().chain(after.settings.keys().filter(|key| !before.settings.contains_key(*key))) {
        let of = |report: &Report| report.settings.get(key).cloned().unwrap_or_else(|| "unset".to_owned());
        let (was, is) = (of(before), of(after));
        if was != is && key != "slo" {
            warnings.push(format!("The runs differ in {key}: {was}, then {is}."));
        }
    }
    for (what, was, is) in [
        ("the pack", &before.target.pack_digest, &after.target.pack_digest),
        ("the seed", &before.seed.to_string(), &after.seed.to_string()),
        ("the cores", &before.machine.cores.to_string(), &after.machine.cores.to_string()),
    ] {
        if was != is {
            warnings.push(format!("The runs differ in {what}: {was}, then {is}."));
        }
    }
    warnings
}

/// The comparison as a table.
pub fn table(comparison: &Comparison) -> String {
    let mut out =
        format!("{:<28}{:>12}{:>12}{:>10}   {:<20}{}\n", "", "before", "after", "change", "95 % of change", "verdict");
    for row in &comparison.rows {
        let percent = |share: f64| format!("{:+.1} %", share * 100.0);
        let change = match (row.share(), row.before == row.after) {
            (_, true) => "0.0 %".to_owned(),
            (None, false) => "new".to_owned(),
            (Some(share), false) => percent(share),
        };
        let interval = row.interval.map(|[low, high]| format!("{} … {}", percent(low), percent(high)));
        let verdict = match row.change {
            Change::Same => "same",
            Change::Better => "better",
            Change::Worse => "WORSE",
            Change::Noise => "may be noise",
            Change::Unknown => "too few slices to tell",
        };
        let name = format!("{} [{}]", row.name, row.unit);
        let (before, after) = (format!("{:.3}", row.before), format!("{:.3}", row.after));
        let interval = interval.unwrap_or_default();
        out.push_str(&format!("{name:<28}{before:>12}{after:>12}{change:>10}   {interval:<20}{verdict}\n"));
    }
    for warning in &comparison.warnings {
        out.push_str(&format!("! {warning}\n"));
    }
    out
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
