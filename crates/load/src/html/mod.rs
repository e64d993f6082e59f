//! The report as one page that needs nothing else: no script, no font, no picture from elsewhere.

mod axis;
mod charts;
mod plot;
mod text;

use std::fmt::Write as _;

use crate::progress::millis;
use crate::report::{Figures, Latency, Report, Verdict};
use text::{bars, escape, framed, table};

/// The page.
pub fn page(report: &Report) -> String {
    let title = format!("Load on {}", report.agent);
    let mut body = head(report);
    body.push_str("<h2>Over the run</h2><div class=\"plots\">");
    if let Some(search) = &report.search {
        body.push_str(&charts::trials(search));
    }
    for chart in [charts::throughput, charts::latency, charts::percentiles, charts::distribution] {
        body.push_str(&chart(report));
    }
    body.push_str("</div>");
    body.push_str(&methods(report));
    body.push_str(&codes(report));
    body.push_str(&instances(report));
    body.push_str(&more(report));
    body.push_str(&settings(report));
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{}</title><style>{}</style></head>\
         <body>{body}<footer>Written by wenzhen {} on {}. Latency counts from the moment at which a call was due, so that \
         a server that stalls cannot hide the calls that waited for it.</footer></body></html>\n",
        escape(&title),
        include_str!("../../data/report.css"),
        escape(&report.program_version),
        escape(&report.started_at),
    )
}

fn head(report: &Report) -> String {
    let target = match report.target.given.as_slice() {
        [] => "a system in the same process".to_owned(),
        given => given.join(", "),
    };
    let verdict = match report.verdict {
        Verdict::Passed => ("passed", "✓ Passed"),
        Verdict::Missed => ("missed", "✗ Failed"),
        Verdict::GeneratorLagged => ("generator_lagged", "⚠ Not to be believed: the generator lagged"),
    };
    let said = |key: &str| report.settings.get(key).cloned().unwrap_or_default();
    let load: Vec<String> =
        ["loop", "shape", "arrivals", "rate"].iter().map(|key| said(key)).filter(|value| !value.is_empty()).collect();
    let mut out = format!(
        "<header><h1>Load on {}</h1><p class=\"sub\">{} · {} · {} · measured {:.1} s{}</p></header>\
         <div class=\"verdict {}\"><strong>{}</strong>",
        escape(&report.agent),
        escape(&target),
        escape(&report.started_at),
        escape(&load.join(", ")),
        report.measured_s,
        if report.stopped_early { ", stopped early" } else { "" },
        verdict.0,
        verdict.1,
    );
    for remark in &report.remarks {
        let _ = write!(out, "<p>{}</p>", escape(remark));
    }
    for judged in &report.objectives {
        let (class, word) = if judged.met { ("yes", "✓ met") } else { ("no", "✗ missed") };
        let _ = write!(
            out,
            "<p><span class=\"{class}\">{word}</span> {} ({})</p>",
            escape(&judged.objective),
            escape(&judged.shown)
        );
    }
    out.push_str("</div>");
    out.push_str(&tiles(report));
    out
}

fn tiles(report: &Report) -> String {
    let latency =
        |of: fn(&Latency) -> f64| report.total.latency.as_ref().map_or_else(|| "–".to_owned(), |l| millis(of(l)));
    let share = |share: f64| format!("{:.2} %", share * 100.0);
    let mut tiles = vec![
        ("good answers", format!("{:.1}/s", report.total.rate)),
        ("p50 from due time", latency(|l| l.p50_ms)),
        ("p99 from due time", latency(|l| l.p99_ms)),
        ("errors", share(report.total.error_share)),
        ("shed", share(report.total.shed_share)),
        ("sent late at p99", millis(report.lag.p99_ms)),
    ];
    if let Some(rate) = report.search.as_ref().and_then(|search| search.rate) {
        tiles.insert(0, ("highest rate", format!("{rate:.1}/s")));
    }
    if let Some(skew) = report.skew {
        tiles.push(("busiest over idlest", format!("{skew:.2}")));
    }
    let tiles: Vec<_> = tiles
        .iter()
        .map(|(name, value)| format!("<div><dt>{}</dt><dd>{}</dd></div>", escape(name), escape(value)))
        .collect();
    format!("<dl class=\"tiles\">{}</dl>", tiles.concat())
}

fn methods(report: &Report) -> String {
    const LEVELS: [fn(&Latency) -> f64; 6] =
        [|l| l.p50_ms, |l| l.p90_ms, |l| l.p99_ms, |l| l.p999_ms, |l| l.p9999_ms, |l| l.max_ms];
    let mut rows = Vec::new();
    let mut row = |name: String, counts: Option<&Figures>, latency: &Option<Latency>| {
        let count = |of: fn(&Figures) -> u64| counts.map(of).map_or_else(String::new, |count| count.to_string());
        let mut cells = vec![name];
        cells.push(count(|f| f.ok));
        cells.push(count(|f| f.shed));
        cells.push(count(|f| f.failed + f.refused));
        for of in LEVELS {
            cells.push(latency.as_ref().map(of).map_or_else(|| "–".to_owned(), millis));
        }
        rows.push(cells);
    };
    for (name, figures) in &report.methods {
        row(name.clone(), Some(figures), &figures.latency);
        row("… from sending".to_owned(), None, &figures.service);
        if figures.first_item.is_some() {
            row("… to the first item".to_owned(), None, &figures.first_item);
        }
        if figures.shed_answer.is_some() {
            row("… shed, from sending".to_owned(), None, &figures.shed_answer);
        }
    }
    let head = ["", "good", "shed", "failed", "p50", "p90", "p99", "p99.9", "p99.99", "max"];
    framed("Methods", &table(&head, &rows))
}

fn codes(report: &Report) -> String {
    let all: u64 = report.total.codes.values().sum::<u64>() + report.total.refused;
    let share = |count: u64| count as f64 / all.max(1) as f64;
    let mut codes: Vec<(String, u64)> = report.total.codes.iter().map(|(code, count)| (code.clone(), *count)).collect();
    if report.total.refused > 0 {
        codes.push(("never sent".to_owned(), report.total.refused));
    }
    codes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let percent = |count: u64| format!("{:.3} %", share(count) * 100.0);
    let rows: Vec<_> =
        codes.into_iter().map(|(code, count)| (code, share(count), vec![count.to_string(), percent(count)])).collect();
    framed("Status codes", &bars(&["code", "", "calls", "share"], &rows))
}

fn instances(report: &Report) -> String {
    if report.instances.is_empty() {
        return String::new();
    }
    let time = |ms: Option<f64>| ms.map_or_else(|| "–".to_owned(), millis);
    let rows: Vec<_> = report
        .instances
        .iter()
        .map(|i| {
            let share = format!("{:.1} %", i.share * 100.0);
            let cells = vec![
                i.ok.to_string(),
                share,
                i.shed.to_string(),
                i.failed.to_string(),
                time(i.service_p50_ms),
                time(i.service_p99_ms),
            ];
            (i.name.clone(), i.share, cells)
        })
        .collect();
    let head = ["instance", "", "good", "share", "shed", "failed", "p50 sent", "p99 sent"];
    framed("Instances", &bars(&head, &rows))
}

/// What only some reports have: consultations, degraded answers, drift; and how late the generator was.
fn more(report: &Report) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut say = |name: &str, value: String| rows.push(vec![name.to_owned(), value]);
    if let Some(all) = &report.consultations {
        say("consultations started", all.started.to_string());
        say("completed", all.completed.to_string());
        say("abandoned", all.abandoned.to_string());
        say("cut by the end", all.cut.to_string());
        say("turns", all.turns.to_string());
        say("turns taken back", all.undone.to_string());
        for (decision, count) in &all.decisions {
            say(&format!("decided {decision}"), count.to_string());
        }
    }
    for (label, count) in &report.degraded {
        say(&format!("degraded, {label}"), count.to_string());
    }
    if let Some(drift) = report.drift {
        say("p99 of the last quarter over the first", format!("{drift:.2}"));
    }
    let lag = &report.lag;
    say("sent late, median", millis(lag.p50_ms));
    say("sent late, p99", format!("{} (allowed {})", millis(lag.p99_ms), millis(lag.allowed_p99_ms)));
    say("sent late, largest", millis(lag.max_ms));
    say(
        &format!("later than {} or never", millis(lag.late_after_ms)),
        format!("{:.3} % (allowed {:.2} %)", lag.late_share * 100.0, lag.allowed_share * 100.0),
    );
    framed("Generator and more", &table(&["", ""], &rows))
}

fn settings(report: &Report) -> String {
    let mut rows: Vec<(String, String)> =
        report.settings.iter().map(|(k, v)| (k.replace('_', " "), v.clone())).collect();
    let target = &report.target;
    rows.push(("seed".to_owned(), report.seed.to_string()));
    rows.push(("addresses".to_owned(), target.addresses.join(", ")));
    rows.push(("target's version".to_owned(), target.version.clone()));
    rows.push(("pack".to_owned(), format!("{} ({})", target.pack, target.pack_digest.get(..12).unwrap_or_default())));
    let machine = &report.machine;
    rows.push(("loaded from".to_owned(), format!("{} cores, {} {}", machine.cores, machine.os, machine.arch)));
    rows.push(("program".to_owned(), format!("wenzhen {}", report.program_version)));
    let mut out = String::from("<table><tbody>");
    for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        let _ =
            write!(out, "<tr><th scope=\"row\">{}</th><td class=\"text\">{}</td></tr>", escape(name), escape(value));
    }
    out.push_str("</tbody></table>");
    framed("Settings", &out)
}

#[cfg(test)]
mod tests;
