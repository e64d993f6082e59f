//! What an orchestrator does beside its calls: it deletes what has expired, and reviews what has ended.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::Orchestrator;

/// How often consultations whose time is over are looked for.
const EXPIRE_EVERY: Duration = Duration::from_secs(600);

impl Orchestrator {
    /// Keeps house until `stop`. Whatever is under way then is left where it is: an expired consultation is deleted, and
    /// a review handed in, by whoever looks next. So the end of a process never waits for a backlog.
    pub async fn background(self, stop: CancellationToken) {
        let reviewer = self.reviewer();
        let work = async { tokio::join!(keep_clean(self), reviewer.run()) };
        let _ = stop.run_until_cancelled(work).await;
    }
}

/// Deletes consultations whose retention time is over, for ever.
async fn keep_clean(orchestrator: Orchestrator) {
    let mut ticks = tokio::time::interval(EXPIRE_EVERY);
    loop {
        ticks.tick().await;
        match orchestrator.expire().await {
            Ok(0) => {}
            Ok(deleted) => tracing::info!(deleted, "consultations deleted: their retention time is over"),
            Err(error) => tracing::warn!(%error, "consultations could not be deleted"),
        }
    }
}
