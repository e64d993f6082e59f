//! A telemetry collector that takes connections and answers nothing.

use tokio::net::TcpListener;

use super::Figure;
use super::turns::{BEFORE, MEASURED, RATE, steady};
use crate::patients::opened;
use crate::system::AGENTS;
use crate::{Cluster, Plan};

/// Runs of each kind, one after the other in turn.
const ROUNDS: usize = 7;
/// Slower in so many rounds of all, and it is no accident: one in sixteen if nothing differs.
const SLOWER: usize = 6;

pub(super) async fn blackholed(seconds: u64) -> anyhow::Result<Vec<Figure>> {
    // Nobody accepts: the kernel takes the connections and what is sent, and nothing comes back.
    let hole = TcpListener::bind("127.0.0.1:0").await?;
    let endpoint = format!("--otlp-endpoint=http://{}", hole.local_addr()?);
    let everybody = AGENTS.into_iter().chain(["orchestrator"]);
    let flags = everybody.map(|service| (service, endpoint.clone())).collect();
    let without = Cluster::start(Plan::default()).await?;
    let with = Cluster::start(Plan { flags, ..Plan::default() }).await?;
    let (mut bare, mut holed) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        // Whoever goes second finds a warmer machine, so they take turns at that.
        let mut pair = [(&without, &mut bare), (&with, &mut holed)];
        if round % 2 == 1 {
            pair.reverse();
        }
        for (cluster, p99s) in pair {
            p99s.push(p99(cluster, seconds).await?);
        }
    }
    let slower = bare.iter().zip(&holed).filter(|(bare, holed)| holed > bare).count();
    let (bare_p99, holed_p99) = (median(&bare), median(&holed));
    let change = (holed_p99 / bare_p99 - 1.0) * 100.0;
    Ok(vec![Figure {
        what: "telemetry collector blackholed, turns at 50/s: p99 of a turn with and without, in turn",
        found: format!(
            "median p99 without {bare_p99:.2} ms {}, with {holed_p99:.2} ms {}: {change:+.1} %, slower in {slower} of {ROUNDS} rounds",
            listed(&bare),
            listed(&holed)
        ),
        wanted: "p99 within 2 %, or within the noise: slower in fewer than 6 of 7 rounds",
        reached: change <= 2.0 || slower < SLOWER,
    }])
}

async fn p99(cluster: &Cluster, seconds: u64) -> anyhow::Result<f64> {
    let channels = [cluster.channel(0).await?, cluster.channel(0).await?];
    let turns = usize::try_from(RATE * seconds)?;
    let patients = opened(&channels, turns.div_ceil(MEASURED), BEFORE).await?;
    Ok(steady(patients, turns).await?.1)
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

fn listed(values: &[f64]) -> String {
    let values: Vec<_> = values.iter().map(|value| format!("{value:.2}")).collect();
    format!("({})", values.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert!(median(&[]).is_nan());
    }
}
