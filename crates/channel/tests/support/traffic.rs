//! Calls at a steady rate, whatever becomes of them.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};
use tonic::{Code, Status};
use wenzhen_channel::Balanced;

use super::call;

/// What became of one call.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// When it was made, from the beginning of the traffic.
    pub at: Duration,
    pub took: Duration,
    pub status: Result<(), Status>,
}

/// Makes calls with this deadline for a while.
pub async fn steady(channel: &Balanced, per_second: u32, lasting: Duration, deadline: Duration) -> Vec<Outcome> {
    let start = Instant::now();
    let mut ticks = interval(Duration::from_secs(1) / per_second);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut calls = tokio::task::JoinSet::new();
    while start.elapsed() < lasting {
        ticks.tick().await;
        let channel = channel.clone();
        calls.spawn(async move {
            let begun = Instant::now();
            let status = call(&channel, deadline).await;
            Outcome { at: begun - start, took: begun.elapsed(), status }
        });
    }
    calls.join_all().await
}

/// The failures.
pub fn failed(outcomes: &[Outcome]) -> Vec<(Duration, Code, String)> {
    let failure = |outcome: &Outcome| {
        let status = outcome.status.as_ref().err()?;
        Some((outcome.at, status.code(), status.message().to_owned()))
    };
    outcomes.iter().filter_map(failure).collect()
}

/// The time within which that share of the calls was over.
pub fn percentile(outcomes: impl Iterator<Item = Outcome>, share: f64) -> Duration {
    let mut times: Vec<Duration> = outcomes.map(|outcome| outcome.took).collect();
    times.sort_unstable();
    let place = (times.len() as f64 * share).ceil() as usize;
    times.get(place.saturating_sub(1)).copied().unwrap_or_default()
}
