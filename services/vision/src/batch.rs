//! Pictures that come at the same time are read together: one task owns the model, takes what waits, and answers all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use crate::engine::{Engine, Reading};
use crate::error::Error;
use crate::metrics::VisionMetrics;
use crate::picture::Picture;

/// How pictures are gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gathering {
    /// Most pictures at once.
    pub most: usize,
    /// How long the first one waits for others.
    pub patience: Duration,
    /// Pictures that may wait; more are refused.
    pub waiting: usize,
}

impl Default for Gathering {
    fn default() -> Self {
        Self { most: 8, patience: Duration::from_millis(2), waiting: 64 }
    }
}

/// The way to the model.
#[derive(Debug, Clone)]
pub struct Batcher {
    jobs: mpsc::Sender<Job>,
}

/// A picture that waits.
#[derive(Debug)]
struct Job {
    picture: Picture,
    since: Instant,
    answer: oneshot::Sender<(Reading, Duration)>,
}

impl Batcher {
    /// Starts the task, which ends when nobody can send any more. Needs a tokio runtime around it.
    pub fn start(engine: Arc<Engine>, gathering: Gathering, metrics: VisionMetrics) -> Self {
        let (jobs, queue) = mpsc::channel(gathering.waiting.max(1));
        tokio::spawn(run(engine, gathering, queue, metrics));
        Self { jobs }
    }

    /// Reads a picture; gives how long it waited for its batch too.
    ///
    /// # Errors
    /// When too many wait, or the model failed.
    pub async fn read(&self, picture: Picture) -> Result<(Reading, Duration), Error> {
        let (answer, answered) = oneshot::channel();
        self.jobs.try_send(Job { picture, since: Instant::now(), answer }).map_err(|_| Error::Busy)?;
        answered.await.map_err(|_| Error::Internal)
    }
}

async fn run(engine: Arc<Engine>, gathering: Gathering, mut queue: mpsc::Receiver<Job>, metrics: VisionMetrics) {
    while let Some(first) = queue.recv().await {
        let mut batch = vec![first];
        let until = tokio::time::Instant::now() + gathering.patience;
        while batch.len() < gathering.most {
            match tokio::time::timeout_at(until, queue.recv()).await {
                Ok(Some(job)) => batch.push(job),
                Ok(None) | Err(_) => break,
            }
        }
        // Whoever has left is not read for.
        batch.retain(|job| !job.answer.is_closed());
        if batch.is_empty() {
            continue;
        }
        metrics.batch(batch.len());
        let engine = engine.clone();
        let work = tokio::task::spawn_blocking(move || {
            let began = Instant::now();
            let pictures: Vec<&Picture> = batch.iter().map(|job| &job.picture).collect();
            let readings = engine.read(&pictures);
            for (job, reading) in batch.into_iter().zip(readings) {
                // Fails when the caller has left meanwhile.
                let _ = job.answer.send((reading, began.saturating_duration_since(job.since)));
            }
        });
        if work.await.is_err() {
            // The callers hear of it by their dropped answers.
            tracing::error!("a batch of pictures could not be read");
        }
    }
}
