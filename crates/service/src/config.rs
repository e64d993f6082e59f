//! Command-line groups that binaries flatten into their own struct. Each flag has its environment variable
//! (`WENZHEN_*`) and its unit in its name. Nothing else reads the environment.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::layers::limits::{Limits, MethodLimit};

/// A value that must not be printed: `Debug` and `Display` show `[redacted]`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The secret itself; for the one place that uses it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Where a service listens.
#[derive(Args, Clone, Debug)]
pub struct ListenArgs {
    /// Address of the gRPC port; port 0 takes a free one
    #[arg(long, env = "WENZHEN_LISTEN", value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7000")]
    pub listen: SocketAddr,
    /// Address of the plaintext admin port (/livez, /readyz, /metrics); port 0 takes a free one
    #[arg(long, env = "WENZHEN_ADMIN_LISTEN", value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7100")]
    pub admin_listen: SocketAddr,
}

/// How log lines look.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// What is logged, to standard error.
#[derive(Args, Clone, Debug)]
pub struct LogArgs {
    /// Form of the log lines
    #[arg(long, env = "WENZHEN_LOG_FORMAT", value_name = "FORM", value_enum, default_value = "pretty")]
    pub log_format: LogFormat,
    /// Log filter, such as `info` or `warn,wenzhen_kg=debug`
    #[arg(long, env = "WENZHEN_LOG_FILTER", value_name = "FILTER", default_value = "info")]
    pub log_filter: String,
}

/// Where traces go.
#[derive(Args, Clone, Debug)]
pub struct OtlpArgs {
    /// OTLP gRPC endpoint, such as http://collector:4317; unset: no traces leave the process
    #[arg(long, env = "WENZHEN_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<String>,
    /// Share of traces recorded, 0 to 1, where the caller has not decided
    #[arg(long, env = "WENZHEN_SAMPLE_RATIO", value_name = "RATIO", default_value = "0.1", value_parser = ratio)]
    pub sample_ratio: f64,
}

/// What a server takes on; see [`Limits`] for the meaning of each.
#[derive(Args, Clone, Debug)]
pub struct LimitArgs {
    /// Calls handled at once
    #[arg(long, env = "WENZHEN_MAX_IN_FLIGHT", value_name = "N", default_value = "512", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_in_flight: u32,
    /// Calls that may wait beside those; further ones are shed with RESOURCE_EXHAUSTED, new consultations first
    #[arg(long, env = "WENZHEN_MAX_WAITING", value_name = "N", default_value = "512", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub max_waiting: u32,
    /// Longest wait of a call before it is shed, in milliseconds
    #[arg(long, env = "WENZHEN_MAX_WAIT_MS", value_name = "MS", default_value = "250", value_parser = clap::value_parser!(u64).range(0..=3_600_000))]
    pub max_wait_ms: u64,
    /// Streams of Watch methods at once, beside those calls
    #[arg(long, env = "WENZHEN_MAX_WATCHES", value_name = "N", default_value = "4096", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_watches: u32,
    /// Calls of one method handled at once, within the limit of all; may be given several times
    #[arg(long = "method-limit", env = "WENZHEN_METHOD_LIMIT", value_name = "SERVICE/METHOD=N", value_delimiter = ',')]
    pub method_limits: Vec<MethodLimit>,
    /// Deadline of a unary call that brings none, in milliseconds
    #[arg(long, env = "WENZHEN_DEFAULT_DEADLINE_MS", value_name = "MS", default_value = "10000", value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    pub default_deadline_ms: u64,
    /// Time for calls in flight to finish at shutdown, in milliseconds
    #[arg(long, env = "WENZHEN_DRAIN_BUDGET_MS", value_name = "MS", default_value = "20000", value_parser = clap::value_parser!(u64).range(0..=3_600_000))]
    pub drain_budget_ms: u64,
    /// A connection older than this is asked to go, so that callers find new replicas and see new certificates; calls
    /// on it finish; in milliseconds
    #[arg(long, env = "WENZHEN_CONNECTION_AGE_MS", value_name = "MS", default_value = "600000", value_parser = clap::value_parser!(u64).range(100..=86_400_000))]
    pub connection_age_ms: u64,
}

impl LimitArgs {
    /// The limits, with defaults for what has no flag.
    pub fn limits(&self) -> Limits {
        let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        Limits {
            max_in_flight: size(self.max_in_flight),
            max_waiting: size(self.max_waiting),
            max_wait: Duration::from_millis(self.max_wait_ms),
            max_watches: size(self.max_watches),
            methods: self.method_limits.clone(),
            default_deadline: Duration::from_millis(self.default_deadline_ms),
            drain_budget: Duration::from_millis(self.drain_budget_ms),
            connection_age: Duration::from_millis(self.connection_age_ms),
            ..Limits::default()
        }
    }
}

fn ratio(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.0..=1.0).contains(&value) => Ok(value),
        _ => Err("expected a number from 0 to 1".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser, Debug)]
    struct Everything {
        #[command(flatten)]
        listen: ListenArgs,
        #[command(flatten)]
        log: LogArgs,
        #[command(flatten)]
        otlp: OtlpArgs,
        #[command(flatten)]
        limits: LimitArgs,
        #[arg(long, default_value = "")]
        key: Secret,
    }

    #[test]
    fn a_secret_is_not_printed_but_can_be_used() {
        let args = Everything::parse_from(["x", "--key", "open sesame"]);
        assert!(!format!("{args:?}").contains("sesame"));
        assert_eq!(args.key.expose(), "open sesame");
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        for bad in [["x", "--sample-ratio=1.5"], ["x", "--max-in-flight=0"], ["x", "--listen=nowhere"]] {
            assert!(Everything::try_parse_from(bad).is_err(), "{bad:?}");
        }
        let args = Everything::parse_from(["x", "--default-deadline-ms=250"]);
        assert_eq!(args.limits.limits().default_deadline, Duration::from_millis(250));
    }

    #[test]
    fn every_flag_has_its_environment_variable() {
        use clap::CommandFactory;
        for arg in Everything::command().get_arguments().filter(|arg| arg.get_id() != "key") {
            let flag = arg.get_long().unwrap_or_default().replace('-', "_").to_uppercase();
            assert_eq!(arg.get_env().and_then(|name| name.to_str()), Some(format!("WENZHEN_{flag}").as_str()));
        }
    }
}
