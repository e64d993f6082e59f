//! The flags that every service has, under their headings.

use std::path::PathBuf;

use clap::Args;
use http::HeaderValue;

use crate::config::{LimitArgs, ListenArgs, LogArgs, OtlpArgs};
use crate::tls::TlsArgs;

/// Longest name of an instance, in bytes.
const NAME: usize = 128;
/// Where the kernel keeps the host name; of a container, its own.
const HOSTNAME: &str = "/proc/sys/kernel/hostname";

/// What every service can be told.
#[derive(Args, Clone, Debug)]
pub struct AppArgs {
    /// Settings as TOML: a key for each flag, its long name with `_` for `-`; flags and environment come first
    #[arg(long, env = "WENZHEN_CONFIG", value_name = "FILE", help_heading = "Process")]
    pub config: Option<PathBuf>,
    /// Name of this process among its replicas, sent with every response [default: the host name]
    #[arg(long, env = "WENZHEN_INSTANCE", value_name = "NAME", help_heading = "Process", value_parser = instance)]
    pub instance: Option<String>,
    /// Addresses
    #[command(flatten, next_help_heading = "Addresses")]
    pub listen: ListenArgs,
    /// Limits
    #[command(flatten, next_help_heading = "Limits")]
    pub limits: LimitArgs,
    /// From SIGTERM to the closing of the port, in milliseconds: the time for others to notice NOT_SERVING
    #[arg(long, env = "WENZHEN_DRAIN_DELAY_MS", value_name = "MS", default_value = "0", help_heading = "Limits", value_parser = clap::value_parser!(u64).range(0..=600_000))]
    pub drain_delay_ms: u64,
    /// Transport security
    #[command(flatten, next_help_heading = "Transport security")]
    pub tls: TlsArgs,
    /// Logs
    #[command(flatten, next_help_heading = "Logs and traces")]
    pub log: LogArgs,
    /// Traces
    #[command(flatten, next_help_heading = "Logs and traces")]
    pub otlp: OtlpArgs,
}

impl AppArgs {
    /// The name of this process.
    pub(super) fn instance(&self) -> String {
        let host = || std::fs::read_to_string(HOSTNAME).ok().and_then(|name| instance(name.trim()).ok());
        self.instance.clone().or_else(host).unwrap_or_else(|| "unnamed".to_owned())
    }
}

/// A name that can stand in a header.
fn instance(text: &str) -> Result<String, String> {
    let visible = !text.is_empty() && text.len() <= NAME && text.bytes().all(|byte| byte.is_ascii_graphic());
    if visible && HeaderValue::from_str(text).is_ok() {
        Ok(text.to_owned())
    } else {
        Err(format!("expected 1 to {NAME} visible ASCII characters"))
    }
}
