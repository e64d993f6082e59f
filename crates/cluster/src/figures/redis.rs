//! Redis is killed while it is written to.

use std::time::Duration;

use anyhow::Context as _;
use tokio::task::JoinSet;

use super::Figure;
use crate::patients::{Words, opened};
use crate::{Cluster, Plan};

/// Patients who write at once, and what each says.
const WRITERS: usize = 50;
const TURNS: usize = 20;
/// Time for one turn to be acknowledged, outage and all.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn kill() -> anyhow::Result<Vec<Figure>> {
    let mut cluster = Cluster::start(Plan { orchestrators: 2, ..Plan::default() }).await?;
    let channels = [cluster.channel(0).await?, cluster.channel(1).await?];
    let patients = opened(&channels, WRITERS, 1).await?;
    let words = Words::load()?;
    let mut writers = JoinSet::new();
    for (number, mut patient) in patients.into_iter().enumerate() {
        let (words, channels) = (words.clone(), channels.clone());
        writers.spawn(async move {
            let mut repeated = 0;
            for turn in 0..TURNS {
                // Now over one orchestrator, now over the other, as behind a gateway.
                patient.over(channels.get((number + turn) % channels.len()).context("no channel")?.clone());
                repeated += patient.insist(&words, PATIENCE).await? - 1;
            }
            anyhow::Ok((patient, repeated))
        });
    }
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        cluster.redis.kill().await?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        cluster.redis.restart().await?;
    }
    let (mut turns, mut repeated, mut wrong) = (0, 0, Vec::new());
    while let Some(done) = writers.join_next().await {
        let (mut patient, again) = done??;
        turns += TURNS;
        repeated += again;
        wrong.extend(patient.check().await.err().map(|error| error.to_string()));
    }
    Ok(vec![Figure {
        what: "Redis killed three times under 50 writers and two orchestrators",
        found: format!(
            "{turns} turns acknowledged, {repeated} said again, {} records wrong{}",
            wrong.len(),
            wrong.first().map(|error| format!(": {error}")).unwrap_or_default()
        ),
        wanted: "no turn lost or doubled",
        reached: wrong.is_empty(),
    }])
}
