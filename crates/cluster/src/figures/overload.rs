//! More calls than can be answered.

use std::time::Duration;

use anyhow::Context as _;
use tonic::Code;
use wenzhen_channel::{RetryRules, Settings};

use super::Figure;
use super::balance::{agents, target};
use crate::calls::{Caller, Tally};

/// Clients that find the peak.
const CLIENTS: usize = 64;

pub(super) async fn overload(seconds: u64) -> anyhow::Result<Vec<Figure>> {
    let (_replicas, addresses) = agents(1).await?;
    // Nobody tries again: the sheds themselves are what is measured.
    let settings = Settings { retry: RetryRules { attempts: 1, ..RetryRules::default() }, ..Settings::default() };
    let caller = Caller::with(&target(&addresses), settings)?;
    caller.ready(Duration::from_secs(10)).await?;
    let time = Duration::from_secs(seconds.max(5));
    let peak = caller.peak(CLIENTS, time).await;
    let flood = rate(peak * 5.0)?;
    let outcomes = caller.paced(flood, time).await;
    let tally = Tally::of(&outcomes);
    let goodput = tally.codes.get("Ok").copied().unwrap_or(0) as f64 / time.as_secs_f64();
    let mut sheds: Vec<f64> = outcomes
        .iter()
        .filter(|outcome| outcome.code == Code::ResourceExhausted)
        .map(|outcome| outcome.took.as_secs_f64() * 1000.0)
        .collect();
    sheds.sort_by(f64::total_cmp);
    let shed_p99 = sheds.get(sheds.len() * 99 / 100).copied().unwrap_or(0.0);
    let after = Tally::of(&caller.paced(rate(peak / 4.0)?, Duration::from_secs(5)).await);
    Ok(vec![Figure {
        what: "five times overload of one replica, generator on the same two cores",
        found: format!(
            "peak {peak:.0}/s, goodput {goodput:.0}/s ({:.0} %), {} sheds with p99 {shed_p99:.0} ms, afterwards p99 {:.1} ms and {} failed",
            goodput / peak * 100.0,
            sheds.len(),
            after.p99_ms,
            after.failed()
        ),
        wanted: "goodput >= 90 % of peak, sheds within 10 ms, recovery within 5 s",
        reached: !sheds.is_empty() && goodput >= peak * 0.9 && shed_p99 <= 10.0 && after.failed() == 0,
    }])
}

fn rate(rate: f64) -> anyhow::Result<u32> {
    format!("{rate:.0}").parse().context("a rate")
}
