//! The figures of a report.

use super::axis::{Axis, number};
use super::plot::{Line, Look, Plot, legend};
use super::text::table;
use crate::progress::millis;
use crate::report::{Latency, Report, SearchReport, Slice};
use crate::search::Judgement;

/// Rows of a table beside a picture at most.
const MOST_ROWS: usize = 600;

const SOLID: &str = "";

fn figure(title: &str, note: &str, picture: &str, table: &str) -> String {
    format!(
        "<figure><figcaption>{title}<span>{note}</span></figcaption>{picture}<details><summary>As a table</summary>\
         <div class=\"scroll\">{table}</div></details></figure>"
    )
}

fn look(colour: &'static str, pattern: &'static str) -> Look {
    Look { colour, pattern }
}

fn highest<'a>(lines: impl IntoIterator<Item = &'a Line>) -> f64 {
    lines.into_iter().flat_map(|line| &line.points).filter_map(|(_, y)| *y).fold(0.0, f64::max)
}

fn values(lines: &[Line]) -> impl Iterator<Item = f64> {
    lines.iter().flat_map(|line| &line.points).filter_map(|(_, y)| *y)
}

fn time(ms: Option<f64>) -> String {
    ms.map_or_else(|| "-".to_owned(), millis)
}

/// Words of a scale of milliseconds.
fn scale(ms: f64) -> String {
    match ms {
        ms if ms >= 1000.0 => number(ms / 1000.0, " s"),
        ms if ms < 0.1 => number(ms * 1000.0, " µs"),
        ms => number(ms, " ms"),
    }
}

/// The middle of a slice, where its values stand.
fn middle(report: &Report, slice: &Slice) -> f64 {
    slice.start_s + report.slice_s / 2.0
}

/// Good, shed and failed calls a second.
pub fn throughput(report: &Report) -> String {
    let points = |of: fn(&Slice) -> u64| {
        let slices = report.slices.iter();
        slices
            .map(|slice| (middle(report, slice), Some(of(slice) as f64 / report.slice_s.max(1e-9))))
            .collect::<Vec<_>>()
    };
    let lines = [
        Line { name: "good", look: look("a", SOLID), points: points(|slice| slice.ok) },
        Line { name: "shed", look: look("e", "dash"), points: points(|slice| slice.shed) },
        Line {
            name: "failed or never sent",
            look: look("d", "dot"),
            points: points(|slice| slice.failed + slice.refused),
        },
    ];
    let mut plot = Plot::new(Axis::elapsed(report.measured_s, " s"), Axis::linear(highest(&lines), "/s"));
    lines.iter().for_each(|line| plot.line(line));
    let rates: Vec<f64> = lines[0].points.iter().filter_map(|(_, rate)| *rate).collect();
    let (low, high) = rates.iter().fold((f64::INFINITY, 0.0f64), |(low, high), rate| (low.min(*rate), high.max(*rate)));
    let low = if low.is_finite() { low } else { 0.0 };
    let told = format!(
        "Good answers a second over time, between {low:.0} and {high:.0}, {:.1} on average; {} calls were shed and {} failed.",
        report.total.rate,
        report.total.shed,
        report.total.failed + report.total.refused
    );
    let rows: Vec<Vec<String>> = report
        .slices
        .iter()
        .take(MOST_ROWS)
        .map(|slice| {
            vec![
                format!("{} s", slice.start_s),
                slice.ok.to_string(),
                slice.shed.to_string(),
                (slice.failed + slice.refused).to_string(),
            ]
        })
        .collect();
    let picture = plot.finish("throughput", "Throughput over time", &told) + &legend(&lines);
    figure("Throughput", "calls that ended, a second", &picture, &table(&["from", "good", "shed", "failed"], &rows))
}

/// Latency over time on both clocks.
pub fn latency(report: &Report) -> String {
    let points = |of: fn(&Slice) -> Option<f64>| {
        report.slices.iter().map(|slice| (middle(report, slice), of(slice))).collect::<Vec<_>>()
    };
    let lines = [
        Line { name: "p50", look: look("a", SOLID), points: points(|slice| slice.p50_ms) },
        Line { name: "p99", look: look("b", SOLID), points: points(|slice| slice.p99_ms) },
        Line { name: "max", look: look("d", "dot"), points: points(|slice| slice.max_ms) },
        Line { name: "p99 from sending", look: look("c", "dash"), points: points(|slice| slice.service_p99_ms) },
    ];
    let mut plot = Plot::new(Axis::elapsed(report.measured_s, " s"), Axis::logarithmic(values(&lines), scale));
    lines.iter().for_each(|line| plot.line(line));
    let whole = |of: fn(&Latency) -> f64| time(report.total.latency.as_ref().map(of));
    let told = format!(
        "Latency of good answers over time, on a logarithmic scale; over the whole run the median is {}, the 99th percentile {}, the largest {}.",
        whole(|l| l.p50_ms),
        whole(|l| l.p99_ms),
        whole(|l| l.max_ms)
    );
    let rows: Vec<Vec<String>> = report
        .slices
        .iter()
        .take(MOST_ROWS)
        .map(|slice| {
            vec![
                format!("{} s", slice.start_s),
                time(slice.p50_ms),
                time(slice.p99_ms),
                time(slice.max_ms),
                time(slice.service_p99_ms),
            ]
        })
        .collect();
    let picture = plot.finish("latency", "Latency over time", &told) + &legend(&lines);
    figure(
        "Latency over time",
        "from the due time; logarithmic",
        &picture,
        &table(&["from", "p50", "p99", "max", "p99 sent"], &rows),
    )
}

/// Percentiles up to the last nine that the count carries.
pub fn percentiles(report: &Report) -> String {
    let nines = |quantile: f64| -(1.0 - quantile).max(1e-9).log10();
    let most = nines(0.999_99);
    let points = |latency: &Option<Latency>| -> Vec<(f64, Option<f64>)> {
        let curve = latency.iter().flat_map(|latency| &latency.curve);
        curve.filter(|[q, _]| *q < 1.0).map(|[q, ms]| (nines(*q), Some(*ms))).filter(|(x, _)| *x <= most).collect()
    };
    let mut lines = vec![
        Line { name: "from due time", look: look("a", SOLID), points: points(&report.total.latency) },
        Line { name: "from sending", look: look("b", "dash"), points: points(&report.total.service) },
    ];
    let streams = report.methods.values().find_map(|figures| figures.first_item.clone());
    if streams.is_some() {
        lines.push(Line { name: "first item of a stream", look: look("c", "dot"), points: points(&streams) });
    }
    let far = lines.iter().flat_map(|line| &line.points).map(|(x, _)| *x).fold(1.0, f64::max).ceil() as u32;
    let mut plot = Plot::new(Axis::percentiles(far.min(5)), Axis::logarithmic(values(&lines), scale));
    lines.iter().for_each(|line| plot.line(line));
    type Level = (&'static str, fn(&Latency) -> f64);
    let levels: [Level; 8] = [
        ("p50", |l| l.p50_ms),
        ("p75", |l| l.p75_ms),
        ("p90", |l| l.p90_ms),
        ("p95", |l| l.p95_ms),
        ("p99", |l| l.p99_ms),
        ("p99.9", |l| l.p999_ms),
        ("p99.99", |l| l.p9999_ms),
        ("max", |l| l.max_ms),
    ];
    let rows: Vec<Vec<String>> = levels
        .iter()
        .map(|(name, of)| {
            let of = |latency: &Option<Latency>| time(latency.as_ref().map(of));
            vec![(*name).to_owned(), of(&report.total.latency), of(&report.total.service), of(&streams)]
        })
        .collect();
    let at = |row: usize, cell: usize| rows.get(row).and_then(|row| row.get(cell)).cloned().unwrap_or_default();
    let told = format!(
        "Latency by percentile. From the due time: 99 % within {}, 99.9 % within {}. From sending: 99 % within {}, 99.9 % within {}.",
        at(4, 1),
        at(5, 1),
        at(4, 2),
        at(5, 2)
    );
    let picture = plot.finish("percentiles", "Latency by percentile", &told) + &legend(&lines);
    figure(
        "Percentiles",
        "how long the slowest share took; both scales logarithmic",
        &picture,
        &table(&["", "due", "sent", "first item"], &rows),
    )
}

/// How latencies are distributed.
pub fn distribution(report: &Report) -> String {
    let bars = |latency: &Option<Latency>| latency.as_ref().map(|l| l.bars.clone()).unwrap_or_default();
    let (due, sent) = (bars(&report.total.latency), bars(&report.total.service));
    let low = |end: f64| end / 10f64.powf(0.1);
    let ends = due.iter().chain(&sent).flat_map(|[end, _]| [low(*end), *end]);
    let most = due.iter().chain(&sent).map(|[_, count]| *count).fold(0.0, f64::max);
    let mut plot = Plot::new(Axis::logarithmic(ends, scale), Axis::linear(most, ""));
    due.iter().for_each(|[end, count]| plot.bar((low(*end), *end), *count));
    plot.outline(&sent.iter().map(|[end, count]| (low(*end), *end, *count)).collect::<Vec<_>>());
    let peak = due.iter().max_by(|a, b| a[1].total_cmp(&b[1]));
    let told = peak.map_or_else(
        || "No good answers.".to_owned(),
        |[end, count]| format!("Most answers, {count:.0}, took between {} and {}.", millis(low(*end)), millis(*end)),
    );
    let count = |bars: &[[f64; 2]], end: f64| bars.iter().find(|bar| bar[0] == end).map_or(0.0, |bar| bar[1]);
    let mut ends: Vec<f64> = due.iter().chain(&sent).map(|bar| bar[0]).collect();
    ends.sort_by(f64::total_cmp);
    ends.dedup();
    let rows: Vec<Vec<String>> = ends
        .iter()
        .map(|end| {
            vec![
                format!("≤ {}", millis(*end)),
                format!("{:.0}", count(&due, *end)),
                format!("{:.0}", count(&sent, *end)),
            ]
        })
        .collect();
    let key = "<ul class=\"legend\"><li><svg viewBox=\"0 0 30 10\" aria-hidden=\"true\"><rect class=\"bar\" width=\"30\" height=\"10\"/></svg>from due time</li>\
               <li><svg viewBox=\"0 0 30 10\" aria-hidden=\"true\"><path class=\"outline\" d=\"M2 9V2H28V9\"/></svg>from sending</li></ul>";
    let picture = plot.finish("distribution", "Distribution of latencies", &told) + key;
    figure("Distribution", "good answers by latency; logarithmic", &picture, &table(&["latency", "due", "sent"], &rows))
}

/// The trials of a search.
pub fn trials(search: &SearchReport) -> String {
    let rates = search.trials.iter().map(|trial| trial.rate);
    let latencies = search.trials.iter().filter_map(|trial| trial.p99_ms);
    let mut plot = Plot::new(Axis::logarithmic(rates, |rate| number(rate, "/s")), Axis::logarithmic(latencies, scale));
    for trial in &search.trials {
        let (colour, cross) = match trial.judgement {
            Judgement::Met => ("a", false),
            Judgement::Missed => ("d", true),
            Judgement::Lagged => ("e", true),
        };
        if let Some(p99) = trial.p99_ms {
            plot.mark((trial.rate, p99), colour, cross);
        }
    }
    let found = search.rate.map_or_else(|| "no rate".to_owned(), |rate| format!("{rate:.1} a second"));
    let told = format!(
        "The 99th percentile of latency at each of {} rates that were tried; confirmed: {found}.",
        search.trials.len()
    );
    let rows: Vec<Vec<String>> = search
        .trials
        .iter()
        .map(|trial| {
            let judgement = match trial.judgement {
                Judgement::Met if trial.confirming => "met again",
                Judgement::Met => "met",
                Judgement::Missed => "missed",
                Judgement::Lagged => "generator lagged",
            };
            let share = |share: f64| format!("{:.2} %", share * 100.0);
            vec![
                format!("{:.1}/s", trial.rate),
                time(trial.p50_ms),
                time(trial.p99_ms),
                share(trial.error_share),
                share(trial.shed_share),
                judgement.to_owned(),
            ]
        })
        .collect();
    let key = "<ul class=\"legend\"><li><svg viewBox=\"0 0 30 10\" aria-hidden=\"true\"><circle class=\"mark a\" cx=\"15\" cy=\"5\" r=\"4\"/></svg>met</li>\
               <li><svg viewBox=\"0 0 30 10\" aria-hidden=\"true\"><path class=\"mark d\" d=\"M11 1l8 8m0-8l-8 8\"/></svg>missed</li>\
               <li><svg viewBox=\"0 0 30 10\" aria-hidden=\"true\"><path class=\"mark e\" d=\"M11 1l8 8m0-8l-8 8\"/></svg>generator lagged</li></ul>";
    let picture = plot.finish("trials", "Trials of the search", &told) + key;
    figure(
        "Search",
        "p99 at each rate that was tried",
        &picture,
        &table(&["rate", "p50", "p99", "errors", "shed", ""], &rows),
    )
}
