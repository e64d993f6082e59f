//! Redis is killed while it is written to.

use std::time::Duration;

use anyhow::Context as _;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Figure;
use crate::patients::{Words, opened};
use crate::{Cluster, Plan};

/// Patients who write at once, what each says at least, and the pause between two turns.
const WRITERS: usize = 50;
const TURNS: usize = 20;
const PAUSE: Duration = Duration::from_millis(20);
/// Kills, each after this time of writing.
const KILLS: usize = 3;
const BETWEEN: Duration = Duration::from_millis(500);
/// Time for one turn to be acknowledged, outage and all.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn kill() -> anyhow::Result<Vec<Figure>> {
    let mut cluster = Cluster::start(Plan { orchestrators: 2, ..Plan::default() }).await?;
    let channels = [cluster.channel(0).await?, cluster.channel(1).await?];
    let patients = opened(&channels, WRITERS, 1).await?;
    let words = Words::load()?;
    let over = CancellationToken::new();
    let mut writers = JoinSet::new();
    for (number, mut patient) in patients.into_iter().enumerate() {
        let (words, channels, over) = (words.clone(), channels.clone(), over.clone());
        writers.spawn(async move {
            let (mut turns, mut repeated, mut longest) = (0, 0, Duration::ZERO);
            // Everybody writes until Redis has come back for the last time.
            while turns < TURNS || !over.is_cancelled() {
                // Now over one orchestrator, now over the other, as behind a gateway.
                patient.over(channels.get((number + turns) % channels.len()).context("no channel")?.clone());
                let begun = Instant::now();
                repeated += patient.insist(&words, PATIENCE).await? - 1;
                longest = longest.max(begun.elapsed());
                turns += 1;
                tokio::time::sleep(PAUSE).await;
            }
            anyhow::Ok((patient, turns, repeated, longest))
        });
    }
    for _ in 0..KILLS {
        tokio::time::sleep(BETWEEN).await;
        cluster.redis.kill().await?;
        tokio::time::sleep(BETWEEN).await;
        cluster.redis.restart().await?;
    }
    over.cancel();
    let (mut turns, mut repeated, mut longest, mut wrong) = (0, 0, Duration::ZERO, Vec::new());
    while let Some(done) = writers.join_next().await {
        let (mut patient, said, again, took) = done??;
        turns += said;
        repeated += again;
        longest = longest.max(took);
        wrong.extend(patient.check().await.err().map(|error| error.to_string()));
    }
    Ok(vec![Figure {
        what: "Redis killed three times under 50 writers and two orchestrators",
        found: format!(
            "{turns} turns acknowledged, {repeated} said again, longest turn {} ms, {} records wrong{}",
            longest.as_millis(),
            wrong.len(),
            wrong.first().map(|error| format!(": {error}")).unwrap_or_default()
        ),
        wanted: "no turn lost or doubled, and some met the outage",
        // A turn that waited for most of an outage, or had to be said again, was there when Redis was not.
        reached: wrong.is_empty() && (repeated > 0 || longest >= BETWEEN / 2),
    }])
}
