//! The report as a few tables for the terminal.

use std::fmt::Write as _;

use crate::progress::millis;
use crate::report::{Figures, Latency, Report, Verdict};

/// Instances that are shown; the rest is counted.
const MOST_INSTANCES: usize = 12;

/// The tables.
pub fn summary(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = head(&mut out, report);
    let _ = figures(&mut out, report);
    let _ = rest(&mut out, report);
    out
}

fn head(out: &mut String, report: &Report) -> std::fmt::Result {
    let target = match report.target.given.as_slice() {
        [] => "a system in this process".to_owned(),
        given => format!("{} ({} addresses)", given.join(", "), report.target.addresses.len()),
    };
    let said = |key: &str| report.settings.get(key).map(|value| format!(", {value}")).unwrap_or_default();
    writeln!(out, "\n{} at {target}", report.agent)?;
    let (first, shape) = (said("loop"), said("shape"));
    writeln!(
        out,
        "{} loop{shape}{}{}, seed {}",
        first.trim_start_matches(", "),
        said("arrivals"),
        said("rate"),
        report.seed
    )?;
    let early = if report.stopped_early { ", stopped early" } else { "" };
    writeln!(out, "measured {:.1} s after {:.1} s of warm-up{early}\n", report.measured_s, report.warmup_s)
}

fn figures(out: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(
        out,
        "{:<22}{:>9}{:>9}{:>8}{:>8}{:>10}{:>10}{:>10}{:>10}{:>10}",
        "", "good", "good/s", "shed", "failed", "p50", "p90", "p99", "p99.9", "max"
    )?;
    let counts = |figures: &Figures| {
        let failed = figures.failed + figures.refused;
        format!("{:>9}{:>9.1}{:>8}{:>8}", figures.ok, figures.rate, figures.shed, failed)
    };
    let total = &report.total;
    writeln!(out, "{:<22}{}{}", "all, from due time", counts(total), times(total.latency.as_ref()))?;
    writeln!(out, "{:<22}{:>34}{}", "all, from sending", "", times(total.service.as_ref()))?;
    for (name, method) in &report.methods {
        if report.methods.len() > 1 {
            writeln!(out, "{:<22}{}{}", format!("  {}", cut(name)), counts(method), times(method.latency.as_ref()))?;
        }
        if method.first_item.is_some() {
            writeln!(out, "{:<22}{:>34}{}", "  …its first item", "", times(method.first_item.as_ref()))?;
        }
    }
    if total.shed_answer.is_some() {
        writeln!(out, "{:<22}{:>34}{}", "shed, from sending", "", times(total.shed_answer.as_ref()))?;
    }
    Ok(())
}

fn cut(name: &str) -> &str {
    name.get(..19).unwrap_or(name)
}

fn times(latency: Option<&Latency>) -> String {
    let Some(l) = latency else { return String::new() };
    let all = [l.p50_ms, l.p90_ms, l.p99_ms, l.p999_ms, l.max_ms];
    all.map(|ms| format!("{:>10}", millis(ms))).concat()
}

fn rest(out: &mut String, report: &Report) -> std::fmt::Result {
    let codes: Vec<_> = report.total.codes.iter().map(|(code, count)| format!("{code} {count}")).collect();
    writeln!(out, "\ncodes       {}", codes.join(", "))?;
    if report.total.refused > 0 {
        writeln!(out, "never sent  {}", report.total.refused)?;
    }
    let lag = &report.lag;
    let late = lag.late_share * 100.0;
    writeln!(
        out,
        "sent late   p50 {}, p99 {}, max {}; {late:.2} % late",
        millis(lag.p50_ms),
        millis(lag.p99_ms),
        millis(lag.max_ms)
    )?;
    if let Some(all) = &report.consultations {
        let (started, completed, abandoned) = (all.started, all.completed, all.abandoned);
        writeln!(
            out,
            "consulted   {started} started, {completed} completed, {abandoned} abandoned, {} cut by the end; {} turns",
            all.cut, all.turns
        )?;
    }
    if report.total.degraded > 0 {
        let degraded: Vec<_> = report.degraded.iter().map(|(label, count)| format!("{label} {count}")).collect();
        writeln!(out, "degraded    {} answers ({})", report.total.degraded, degraded.join(", "))?;
    }
    if let Some(drift) = report.drift {
        writeln!(out, "drift       p99 of the last quarter is {drift:.2} times that of the first")?;
    }
    if report.instances.len() > 1 {
        writeln!(out, "skew        {:.2} (busiest over idlest)", report.skew.unwrap_or(1.0))?;
        for instance in report.instances.iter().take(MOST_INSTANCES) {
            let p99 = instance.service_p99_ms.map_or_else(|| "-".to_owned(), millis);
            writeln!(out, "  {:<28}{:>9}{:>8.1} %   p99 {p99}", instance.name, instance.ok, instance.share * 100.0)?;
        }
        if report.instances.len() > MOST_INSTANCES {
            writeln!(out, "  and {} more", report.instances.len() - MOST_INSTANCES)?;
        }
    }
    for judged in &report.objectives {
        writeln!(out, "{:<12}{} ({})", if judged.met { "met" } else { "MISSED" }, judged.objective, judged.shown)?;
    }
    for remark in &report.remarks {
        writeln!(out, "\n{remark}")?;
    }
    let end = match report.verdict {
        Verdict::Passed => "passed",
        Verdict::Missed => "FAILED",
        Verdict::GeneratorLagged => "FAILED: not to be believed",
    };
    writeln!(out, "\n{end}")
}
