//! From a finished record to a report.

use std::time::{Duration, SystemTime};

use super::{Consultations, FORMAT, Figures, Instance, LagReport, Machine, Report, Slice, TargetReport, Verdict};
use crate::record::{Recorded, Tally};
use crate::settings::Settings;
use crate::shape::Shape;
use crate::slo::{Judged, Measure, Point};

/// What a report says beside what was recorded.
#[derive(Debug, Clone)]
pub struct Circumstances {
    /// When the run began.
    pub started: SystemTime,
    /// Whom it went to.
    pub target: TargetReport,
    /// It was stopped before its time.
    pub stopped_early: bool,
    /// Consultations, where they were held.
    pub consultations: Option<Consultations>,
}

/// The report of a run.
pub fn build(settings: &Settings, recorded: &Recorded, around: Circumstances) -> Report {
    let lag = lag(settings, recorded);
    let objectives: Vec<Judged> =
        settings.slo.0.iter().map(|o| o.judge(recorded.measure(o.method.as_deref(), o.measure))).collect();
    let drift = matches!(settings.shape(), Some(Shape::Soak)).then(|| drift(&recorded.slices)).flatten();
    let (verdict, remarks) = verdict(settings, recorded, &lag, &objectives);
    let instances = instances(recorded);
    let called = |(tally, method): (&Tally, &crate::agent::Method)| {
        (tally.intended() > 0).then(|| (method.name.to_owned(), figures(tally, recorded.measured)))
    };
    Report {
        format: FORMAT,
        agent: settings.agent.name().to_owned(),
        started_at: rfc3339(around.started),
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        machine: machine(),
        settings: settings.in_words(),
        target: around.target,
        seed: settings.seed,
        warmup_s: settings.warmup.as_secs_f64(),
        measured_s: recorded.measured.as_secs_f64(),
        stopped_early: around.stopped_early,
        verdict,
        remarks,
        total: figures(&recorded.total, recorded.measured),
        methods: recorded.tallies.iter().zip(recorded.methods).filter_map(called).collect(),
        skew: skew(&instances),
        instances,
        lag,
        degraded: recorded.degraded.clone(),
        consultations: around.consultations,
        drift,
        slice_s: recorded.slice.as_secs_f64(),
        slices: recorded.slices.clone(),
        objectives,
        search: None,
    }
}

fn figures(tally: &Tally, measured: Duration) -> Figures {
    let seconds = measured.as_secs_f64();
    let measure = |measure| tally.measure(measure, seconds).unwrap_or_default();
    Figures {
        intended: tally.intended(),
        ok: tally.ok,
        shed: tally.shed,
        failed: tally.failed,
        refused: tally.refused,
        degraded: tally.degraded,
        rate: measure(Measure::Rate),
        error_share: measure(Measure::Errors),
        shed_share: measure(Measure::Shed),
        codes: tally.codes.iter().map(|(code, count)| ((*code).to_owned(), *count)).collect(),
        latency: tally.latency.latency(),
        service: tally.service.latency(),
        first_item: tally.first.latency(),
        shed_answer: tally.shed_times.latency(),
    }
}

fn lag(settings: &Settings, recorded: &Recorded) -> LagReport {
    let at = |point| recorded.lag.times.at(point).unwrap_or_default();
    let (p99_ms, late_share) = recorded.lag();
    let limits = &settings.lag;
    let allowed_p99_ms = limits.p99.as_secs_f64() * 1000.0;
    LagReport {
        p50_ms: at(Point::Quantile(0.5)),
        p99_ms,
        max_ms: at(Point::Max),
        late_share,
        late_after_ms: limits.late_after.as_secs_f64() * 1000.0,
        allowed_p99_ms,
        allowed_share: limits.late_share,
        kept_up: p99_ms <= allowed_p99_ms && late_share <= limits.late_share,
    }
}

fn verdict(settings: &Settings, recorded: &Recorded, lag: &LagReport, objectives: &[Judged]) -> (Verdict, Vec<String>) {
    let mut remarks = Vec::new();
    if !lag.kept_up {
        let never = match recorded.total.refused {
            0 => String::new(),
            refused => format!(
                " {refused} were never sent, because {} calls were in flight already (--max-in-flight).",
                settings.max_in_flight
            ),
        };
        remarks.push(format!(
            "The generator did not keep up: sends were {:.1} ms late at p99 (allowed {:.1}), and {:.2} % were more than \
             {:.0} ms late or never sent (allowed {:.2} %).{never} The latencies say more of this machine than of the \
             system: lower the rate, or load from more cores.",
            lag.p99_ms,
            lag.allowed_p99_ms,
            lag.late_share * 100.0,
            lag.late_after_ms,
            lag.allowed_share * 100.0,
        ));
    }
    let mut missed = false;
    if recorded.total.ok == 0 {
        missed = true;
        let codes: Vec<_> = recorded.total.codes.iter().map(|(code, count)| format!("{count} × {code}")).collect();
        let codes =
            if codes.is_empty() { "nothing was sent in the measured time".to_owned() } else { codes.join(", ") };
        remarks.push(format!("No call was answered well: {codes}."));
    }
    // Which objectives were missed stands with the objectives themselves.
    missed |= objectives.iter().any(|judged| !judged.met);
    let verdict = match (lag.kept_up, missed) {
        (false, _) => Verdict::GeneratorLagged,
        (true, true) => Verdict::Missed,
        (true, false) => Verdict::Passed,
    };
    (verdict, remarks)
}

fn instances(recorded: &Recorded) -> Vec<Instance> {
    let all: u64 = recorded.instances.values().map(|tally| tally.ok).sum();
    let mut instances: Vec<Instance> = recorded
        .instances
        .iter()
        .map(|(name, tally)| Instance {
            name: name.to_string(),
            ok: tally.ok,
            shed: tally.shed,
            failed: tally.failed,
            share: tally.ok as f64 / all.max(1) as f64,
            service_p50_ms: tally.service.at(Point::Quantile(0.5)),
            service_p99_ms: tally.service.at(Point::Quantile(0.99)),
        })
        .collect();
    instances.sort_by(|a, b| b.ok.cmp(&a.ok).then(a.name.cmp(&b.name)));
    instances
}

/// Busiest over idlest. An instance without a good answer counts as one with a single one.
fn skew(instances: &[Instance]) -> Option<f64> {
    let most = instances.iter().map(|instance| instance.ok).max()?;
    let least = instances.iter().map(|instance| instance.ok).min()?;
    (instances.len() > 1).then(|| most as f64 / least.max(1) as f64)
}

/// Median p99 of the last quarter of slices over that of the first one; `None` with fewer than eight slices.
pub fn drift(slices: &[Slice]) -> Option<f64> {
    let quarter = slices.len() / 4;
    let median = |slices: &[Slice]| {
        let mut values: Vec<f64> = slices.iter().filter_map(|slice| slice.p99_ms).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    };
    let (first, last) = (median(slices.get(..quarter)?)?, median(slices.get(slices.len() - quarter..)?)?);
    (quarter >= 2 && first > 0.0).then(|| last / first)
}

fn machine() -> Machine {
    Machine {
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        os: std::env::consts::OS.to_owned(),
        arch: std::env::consts::ARCH.to_owned(),
    }
}

/// A time as `2026-11-22T10:58:00Z`. Days to dates by the algorithm of Howard Hinnant's `civil_from_days`.
fn rfc3339(at: SystemTime) -> String {
    let seconds = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Years begin in March here, so that the leap day is the last of a year; eras of 400 years are all alike.
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year + next;
    format!("{year:04}-{month:02}-{date:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_dates() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_767_225_600, "2026-01-01T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn drift_compares_the_last_quarter_with_the_first() {
        let slice = |p99: f64| Slice { p99_ms: Some(p99), ..Slice::default() };
        let slices: Vec<Slice> = (0..8).map(|i| slice(if i < 6 { 10.0 } else { 25.0 })).collect();
        assert_eq!(drift(&slices), Some(2.5));
        assert_eq!(drift(&slices[..7]), None, "too short to tell");
        assert_eq!(drift(&[]), None);
    }
}
