//! Flags of the weights.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use wenzhen_pack::Pack;
use wenzhen_redis::{Redis, RedisArgs, RedisError};
use wenzhen_service::Keys;
use wenzhen_service::keys::KeysError;

use crate::server::{KEEP_EPOCHS, Settings};
use crate::weights::store::RedisStore;
use crate::weights::{AutoPublish, MemoryStore, RedbStore, StoreError, WeightStore};

/// How long the first connection to Redis is waited for. Without one the service starts all the same.
const FIRST_CONNECTION: Duration = Duration::from_secs(3);

/// Where weights are kept, and who may change them.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Weights")]
pub struct WeightArgs {
    /// Keep weights in this file, for one replica alone
    #[arg(long, env = "WENZHEN_WEIGHTS", value_name = "FILE", conflicts_with_all = ["redis", "memory"])]
    pub weights: Option<PathBuf>,
    /// Keep weights in memory: what is learned is gone with the process
    #[arg(long, env = "WENZHEN_MEMORY", conflicts_with = "redis")]
    pub memory: bool,
    /// File with the keys of those who may publish epochs and roll them back, NAME:KEY a line; unset: nobody may
    #[arg(long, env = "WENZHEN_ADMIN_KEYS_FILE", value_name = "FILE")]
    pub admin_keys_file: Option<PathBuf>,
    /// Publish an epoch without being asked, looking so often, in seconds; unset: never
    #[arg(long, env = "WENZHEN_PUBLISH_EVERY", value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    pub publish_every: Option<u64>,
    /// Consultations that must wait for --publish-every to publish
    #[arg(long, env = "WENZHEN_PUBLISH_MIN", value_name = "N", default_value = "50", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub publish_min: u64,
    /// Epochs that can be scored with and rolled back to; consultations on older ones move to the newest
    #[arg(long, env = "WENZHEN_KEEP_EPOCHS", value_name = "N", default_value_t = KEEP_EPOCHS, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub keep_epochs: u64,
    /// Where Redis is; shared by all replicas
    #[command(flatten)]
    pub redis: RedisArgs,
}

/// Why the flags cannot be followed. One line each; no key is repeated.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The admin keys cannot be used.
    #[error("--admin-keys-file: {0}")]
    Keys(#[from] KeysError),
    /// The file of weights cannot be used.
    #[error("--weights {file} cannot be used (does another process have it?): {cause}")]
    Weights {
        /// The file.
        file: String,
        /// Why.
        cause: StoreError,
    },
    /// Redis is set up wrongly.
    #[error(transparent)]
    Redis(#[from] RedisError),
}

impl WeightArgs {
    /// The service that the flags describe, without its metrics and readiness. Needs a tokio runtime.
    ///
    /// # Errors
    /// When a file cannot be used or Redis is set up wrongly. A Redis that is away is no error: scoring goes on without.
    pub async fn settings(&self, packs: Vec<Arc<Pack>>) -> Result<Settings, ConfigError> {
        let admins = self.admin_keys_file.as_deref().map(Keys::load).transpose()?.unwrap_or_default();
        let every = self.publish_every.map(Duration::from_secs);
        let auto = every.map(|every| AutoPublish { every, least: self.publish_min });
        let store = self.store().await?;
        let admins_file = self.admin_keys_file.clone();
        Ok(Settings { admins, admins_file, auto, keep_epochs: self.keep_epochs, ..Settings::new(packs, store) })
    }

    async fn store(&self) -> Result<Arc<dyn WeightStore>, ConfigError> {
        if let Some(settings) = self.redis.settings()? {
            let redis = match Redis::connect(settings.clone(), FIRST_CONNECTION).await {
                Err(error) if error.is_unavailable() => {
                    tracing::warn!(%error, "weights cannot be read yet; starting with the packs as written");
                    Redis::start(settings)
                }
                connected => connected?,
            };
            return Ok(Arc::new(RedisStore::new(redis)));
        }
        if let Some(path) = &self.weights {
            let store = RedbStore::open(path)
                .map_err(|cause| ConfigError::Weights { file: path.display().to_string(), cause })?;
            return Ok(Arc::new(store));
        }
        if !self.memory {
            tracing::warn!("weights are kept in memory: give --redis, --weights or --memory");
        }
        Ok(Arc::new(MemoryStore::default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, Parser};

    #[derive(Parser, Debug)]
    struct Program {
        #[command(flatten)]
        weights: WeightArgs,
    }

    fn parsed(args: &[&str]) -> Result<WeightArgs, clap::Error> {
        Program::try_parse_from(std::iter::once(&"x").chain(args)).map(|program| program.weights)
    }

    #[test]
    fn there_is_one_place_for_weights() {
        for two in
            [["--memory", "--weights=w"], ["--memory", "--redis=redis://db"], ["--weights=w", "--redis=redis://db"]]
        {
            assert!(parsed(&two).is_err(), "{two:?}");
        }
        assert!(parsed(&["--publish-every=0"]).is_err() && parsed(&["--keep-epochs=0"]).is_err());
    }

    #[test]
    fn every_flag_has_its_environment_variable() {
        for arg in Program::command().get_arguments().filter(|arg| arg.get_id() != "help") {
            let flag = arg.get_long().unwrap_or_default().replace('-', "_").to_uppercase();
            assert_eq!(arg.get_env().and_then(|name| name.to_str()), Some(format!("WENZHEN_{flag}").as_str()));
        }
    }

    #[tokio::test]
    async fn what_cannot_be_used_is_told_in_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys");
        std::fs::write(&keys, "ana:0123456789abcdef\nsecret without a name\n").unwrap();
        let keys = format!("--admin-keys-file={}", keys.display());
        let folder = format!("--weights={}", folder.path().display());
        for bad in [vec![keys.as_str()], vec!["--admin-keys-file=nowhere"], vec![&folder], vec!["--redis=db"]] {
            let error = parsed(&bad).unwrap().settings(vec![]).await.err().unwrap().to_string();
            assert!(!error.contains('\n') && !error.contains("secret"), "{error}");
        }
        let good = parsed(&["--memory", "--publish-every=60"]).unwrap().settings(vec![]).await.unwrap();
        assert_eq!(good.auto, Some(AutoPublish { every: Duration::from_secs(60), least: 50 }));
    }
}
