//! The flags, and what they mean.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use redis::TlsCertificates;
use wenzhen_service::config::Secret;

use crate::target::{Kind, Target};
use crate::{Durability, RedisError};

/// Where Redis is and how to log in.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Redis")]
pub struct RedisArgs {
    /// redis://HOST:PORT/DATABASE, redis+sentinel://HOST:PORT,HOST:PORT/MASTER or redis+cluster://HOST:PORT,HOST:PORT;
    /// rediss (rediss+sentinel, rediss+cluster) for TLS
    #[arg(long, env = "WENZHEN_REDIS", value_name = "URL")]
    pub redis: Option<String>,
    /// User to log in as; unset: the default user
    #[arg(long, env = "WENZHEN_REDIS_USERNAME", value_name = "NAME")]
    pub redis_username: Option<String>,
    /// File with the password; read again for each new connection
    #[arg(long, env = "WENZHEN_REDIS_PASSWORD_FILE", value_name = "FILE")]
    pub redis_password_file: Option<PathBuf>,
    /// File with the certificates (PEM) that Redis's must be signed by; unset: the system's; read again for each new
    /// connection
    #[arg(long, env = "WENZHEN_REDIS_CA", value_name = "FILE")]
    pub redis_ca: Option<PathBuf>,
    /// When a write of a record counts as done: none (in the master's memory), fsync (on its disk: needs appendfsync
    /// always or Redis 7.2), replicas=N (in the memory of N replicas)
    #[arg(long, env = "WENZHEN_REDIS_DURABILITY", value_name = "WHEN", default_value_t)]
    pub redis_durability: Durability,
    /// Longest wait for an answer of Redis, in milliseconds
    #[arg(long, env = "WENZHEN_REDIS_TIMEOUT_MS", value_name = "MS", default_value = "1000", value_parser = clap::value_parser!(u64).range(10..=60_000))]
    pub redis_timeout_ms: u64,
}

/// How to reach Redis.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it is.
    pub target: Target,
    /// User to log in as.
    pub username: Option<String>,
    /// File with the password.
    pub password_file: Option<PathBuf>,
    /// File with the authorities to trust; `None`: the system's.
    pub ca_file: Option<PathBuf>,
    /// When a durable write is done.
    pub durability: Durability,
    /// Longest wait for an answer.
    pub response_timeout: Duration,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
}

impl RedisArgs {
    /// What the flags say; `None` without `--redis`.
    ///
    /// # Errors
    /// When they contradict each other or a file cannot be read.
    pub fn settings(&self) -> Result<Option<Settings>, RedisError> {
        let Some(url) = &self.redis else {
            let others = self.redis_username.is_some() || self.redis_password_file.is_some() || self.redis_ca.is_some();
            return match others {
                true => Err(RedisError::misconfigured("flags for Redis without --redis")),
                false => Ok(None),
            };
        };
        let settings = Settings {
            username: self.redis_username.clone(),
            password_file: self.redis_password_file.clone(),
            ca_file: self.redis_ca.clone(),
            durability: self.redis_durability,
            response_timeout: Duration::from_millis(self.redis_timeout_ms),
            ..Settings::at(url)?
        };
        settings.check()?;
        Ok(Some(settings))
    }
}

impl Settings {
    /// Settings for a URL, without login, TLS by the system's authorities, default timeouts.
    ///
    /// # Errors
    /// When the URL is none of those that [`RedisArgs::redis`] lists.
    pub fn at(url: &str) -> Result<Self, RedisError> {
        Ok(Self {
            target: url.parse().map_err(RedisError::Misconfigured)?,
            username: None,
            password_file: None,
            ca_file: None,
            durability: Durability::None,
            response_timeout: Duration::from_secs(1),
            connect_timeout: Duration::from_secs(1),
        })
    }

    fn check(&self) -> Result<(), RedisError> {
        if self.username.is_some() && self.password_file.is_none() {
            return Err(RedisError::misconfigured("--redis-username without --redis-password-file"));
        }
        if self.ca_file.is_some() && !self.target.tls {
            return Err(RedisError::misconfigured("--redis-ca with a URL without TLS; use rediss://"));
        }
        self.password()?;
        self.certificates().map(|_| ())
    }

    /// The same for a server that knows no databases.
    pub(crate) fn without_database(&self) -> Self {
        let mut settings = self.clone();
        if let Kind::Sentinel { database, .. } = &mut settings.target.kind {
            *database = 0;
        }
        settings
    }

    /// The password, without the line's end.
    pub(crate) fn password(&self) -> Result<Option<Secret>, RedisError> {
        let Some(file) = &self.password_file else { return Ok(None) };
        let text = String::from_utf8(read(file)?).unwrap_or_default();
        match text.trim_end_matches(['\r', '\n']) {
            "" => Err(RedisError::misconfigured(format!("{} holds no password", file.display()))),
            password => Ok(Some(Secret::new(password))),
        }
    }

    /// What to trust; `None` without TLS.
    pub(crate) fn certificates(&self) -> Result<Option<TlsCertificates>, RedisError> {
        if !self.target.tls {
            return Ok(None);
        }
        let root_cert = self.ca_file.as_deref().map(read).transpose()?;
        if let (Some(pem), Some(file)) = (&root_cert, &self.ca_file)
            && !pem.windows(MARK.len()).any(|window| window == MARK)
        {
            return Err(RedisError::misconfigured(format!("{} holds no certificate (PEM)", file.display())));
        }
        Ok(Some(TlsCertificates { client_tls: None, root_cert }))
    }
}

const MARK: &[u8] = b"-----BEGIN CERTIFICATE-----";

fn read(file: &Path) -> Result<Vec<u8>, RedisError> {
    std::fs::read(file).map_err(|e| RedisError::misconfigured(format!("{} cannot be read: {e}", file.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        redis: RedisArgs,
    }

    fn settings(args: &[&str]) -> Result<Option<Settings>, RedisError> {
        Program::parse_from(std::iter::once(&"x").chain(args)).redis.settings()
    }

    #[test]
    fn without_a_url_there_is_no_redis() {
        assert!(settings(&[]).unwrap().is_none());
        assert!(settings(&["--redis-username=a"]).is_err());
    }

    #[test]
    fn flags_are_read_and_contradictions_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (password, empty) = (folder.path().join("password"), folder.path().join("empty"));
        std::fs::write(&password, "open sesame\r\n").unwrap();
        std::fs::write(&empty, "\n").unwrap();
        let file = |path: &Path| format!("--redis-password-file={}", path.display());
        let good = settings(&["--redis=redis://db", &file(&password), "--redis-timeout-ms=70"]).unwrap().unwrap();
        assert_eq!(good.password().unwrap(), Some(Secret::new("open sesame")));
        assert_eq!(good.response_timeout, Duration::from_millis(70));
        assert!(!format!("{good:?}").contains("sesame"));
        let ca = format!("--redis-ca={}", password.display());
        for bad in [
            vec!["--redis=db"],
            vec!["--redis=redis://db", "--redis-username=u"],
            vec!["--redis=redis://db", "--redis-password-file=/nowhere"],
            vec!["--redis=redis://db", &file(&empty)],
            vec!["--redis=redis://db", &ca],
            vec!["--redis=rediss://db", &ca],
        ] {
            let error = settings(&bad).unwrap_err();
            assert!(matches!(&error, RedisError::Misconfigured(text) if !text.contains("sesame")), "{bad:?}: {error}");
        }
    }

    #[test]
    fn every_flag_has_its_environment_variable() {
        use clap::CommandFactory;
        for arg in Program::command().get_arguments() {
            let flag = arg.get_long().unwrap_or_default().replace('-', "_").to_uppercase();
            assert_eq!(arg.get_env().and_then(|name| name.to_str()), Some(format!("WENZHEN_{flag}").as_str()));
        }
    }
}
