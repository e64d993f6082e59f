//! What was measured.

use std::io::Write as _;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Throughput and latency of one measurement.
#[derive(Debug, Serialize)]
pub struct Figures {
    turns: usize,
    turns_per_second: f64,
    p50_ms: f64,
    p90_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    /// 99th percentile of how late turns were sent; 0 in a closed loop.
    sent_late_p99_ms: f64,
}

/// A generator that is later than this measures itself.
const TOO_LATE_MS: f64 = 5.0;

/// Quantiles in milliseconds, to three digits.
fn quantiles(latencies: &[Duration]) -> impl Fn(f64) -> f64 + use<> {
    // A histogram that cannot be made leaves zeros; this one grows with what it is given.
    let mut histogram = Histogram::<u64>::new(3).ok();
    for latency in latencies {
        if let Some(histogram) = &mut histogram {
            let _ = histogram.record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
        }
    }
    move |q| histogram.as_ref().map_or(0.0, |h| h.value_at_quantile(q) as f64 / 1000.0)
}

impl Figures {
    pub fn new(latencies: Vec<Duration>, elapsed: Duration) -> Self {
        let at = quantiles(&latencies);
        Self {
            sent_late_p99_ms: 0.0,
            turns: latencies.len(),
            turns_per_second: latencies.len() as f64 / elapsed.as_secs_f64().max(1e-9),
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p99_ms: at(0.99),
            max_ms: at(1.0),
        }
    }
}

impl Figures {
    /// Notes how late turns were sent.
    ///
    /// # Errors
    /// When they were so late that the latencies say more of the generator than of the system.
    pub fn sent_late(self, late: &[Duration]) -> anyhow::Result<Self> {
        let sent_late_p99_ms = quantiles(late)(0.99);
        if sent_late_p99_ms > TOO_LATE_MS {
            anyhow::bail!("turns were sent {sent_late_p99_ms:.1} ms late (p99): the machine is too busy to measure");
        }
        Ok(Self { sent_late_p99_ms, ..self })
    }
}

/// All of `bench turn`.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    pub cold_start_ms: Option<f64>,
    pub resident_mib_after_one_consultation: Option<f64>,
    pub memory: Option<Figures>,
    pub steady: Option<Figures>,
    pub durable: Option<Figures>,
    pub steady_durable: Option<Figures>,
    pub crowd: Option<Crowd>,
}

/// Turns among few and among many open consultations, measured in alternate rounds.
#[derive(Debug, Serialize)]
pub struct Crowd {
    pub open: usize,
    pub few_open: Figures,
    pub many_open: Figures,
    /// By how much a round among many takes longer: the median over pairs of rounds.
    pub slower_percent: f64,
}

impl Report {
    pub fn print(&self, json: bool) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        if json {
            writeln!(out, "{}", serde_json::to_string_pretty(self)?)?;
            return Ok(());
        }
        writeln!(out, "cold start to the first question  {:>10.0} ms", self.cold_start_ms.unwrap_or(0.0))?;
        let resident = self.resident_mib_after_one_consultation.unwrap_or(0.0);
        writeln!(out, "resident after one consultation   {resident:>10.0} MiB")?;
        let crowd = self.crowd.as_ref();
        for (name, figures) in [
            ("in memory, closed loop", self.memory.as_ref()),
            ("in memory, steady rate", self.steady.as_ref()),
            ("durable, closed loop", self.durable.as_ref()),
            ("durable, steady rate", self.steady_durable.as_ref()),
            ("durable, few open", crowd.map(|crowd| &crowd.few_open)),
            ("durable, many open", crowd.map(|crowd| &crowd.many_open)),
        ] {
            let Some(f) = figures else { continue };
            writeln!(
                out,
                "{name:<28} {:>7.0} turns/s  p50 {:>7.2} ms  p90 {:>7.2}  p99 {:>7.2}  max {:>7.2}  ({} turns)",
                f.turns_per_second, f.p50_ms, f.p90_ms, f.p99_ms, f.max_ms, f.turns
            )?;
        }
        if let Some(crowd) = crowd {
            let Crowd { open, slower_percent, .. } = crowd;
            writeln!(
                out,
                "{open} open consultations slow a turn by {slower_percent:.0} % (median of pairs of rounds)"
            )?;
        }
        Ok(())
    }
}
