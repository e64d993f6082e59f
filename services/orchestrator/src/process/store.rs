//! Where consultations are kept.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, value_parser};
use wenzhen_redis::{Redis, RedisArgs, RedisError};
use wenzhen_service::app::{App, Failure};

use crate::store::{MemoryStore, RedbStore, RedisStore, Store};

/// Exactly one of them.
#[derive(Args, Clone, Debug)]
pub(super) struct StoreArgs {
    /// Keep consultations in this file: for a single orchestrator
    #[arg(long, env = "WENZHEN_STORE", value_name = "FILE")]
    store: Option<PathBuf>,
    /// Keep consultations in memory only: for trials and tests
    #[arg(long, env = "WENZHEN_MEMORY")]
    memory: bool,
    /// How long to wait for Redis at the start before giving up, in milliseconds
    #[arg(long, env = "WENZHEN_REDIS_PATIENCE_MS", default_value = "60000", value_parser = value_parser!(u64).range(0..=3_600_000))]
    redis_patience_ms: u64,
    #[command(flatten)]
    redis: RedisArgs,
}

/// A place that was chosen and checked, not yet opened.
pub(super) enum Place {
    Memory,
    File(PathBuf),
    Redis(Box<wenzhen_redis::Settings>, Duration),
}

impl StoreArgs {
    pub(super) fn place(&self) -> Result<Place, Failure> {
        let redis = self.redis.settings().map_err(|error| match error {
            RedisError::Misconfigured(why) => Failure::configuration(why),
            other => other.into(),
        })?;
        match (redis, &self.store, self.memory) {
            (Some(settings), None, false) => {
                Ok(Place::Redis(Box::new(settings), Duration::from_millis(self.redis_patience_ms)))
            }
            (None, Some(file), false) => Ok(Place::File(file.clone())),
            (None, None, true) => Ok(Place::Memory),
            _ => Err(Failure::configuration(
                "say where consultations are kept: exactly one of --redis URL, --store FILE and --memory",
            )),
        }
    }
}

impl Place {
    /// Opens it. The process is not ready while Redis is away, now or later.
    pub(super) async fn open(self, app: &App) -> Result<Arc<dyn Store>, Failure> {
        match self {
            Self::Memory => Ok(Arc::new(MemoryStore::default())),
            Self::File(file) => {
                app.prepare("store", move || Ok::<_, Failure>(Arc::new(RedbStore::open(&file)?) as _)).await
            }
            Self::Redis(settings, patience) => {
                let dependency = app.readiness().dependency("store");
                let redis = Redis::connect(*settings, patience).await?;
                redis.report_to(dependency);
                Ok(Arc::new(RedisStore::new(redis)))
            }
        }
    }
}
