//! The flags of a channel; what has no flag keeps its default.

use std::time::Duration;

use clap::{Args, value_parser};

use crate::retry::RetryRules;
use crate::settings::Settings;

/// How the agents are called.
#[derive(Args, Clone, Debug)]
pub struct ChannelArgs {
    /// Time to a working connection to an agent (TCP, TLS, first word of the server), in milliseconds
    #[arg(long, env = "WENZHEN_CHANNEL_CONNECT_TIMEOUT_MS", default_value = "1000", value_parser = value_parser!(u64).range(10..=60_000))]
    pub channel_connect_timeout_ms: u64,
    /// A silent connection to an agent is probed after this time, in milliseconds
    #[arg(long, env = "WENZHEN_CHANNEL_KEEP_ALIVE_MS", default_value = "10000", value_parser = value_parser!(u64).range(100..=3_600_000))]
    pub channel_keep_alive_ms: u64,
    /// A probe that is not answered within this time ends the connection, in milliseconds
    #[arg(long, env = "WENZHEN_CHANNEL_KEEP_ALIVE_TIMEOUT_MS", default_value = "5000", value_parser = value_parser!(u64).range(100..=3_600_000))]
    pub channel_keep_alive_timeout_ms: u64,
    /// The names of agents are looked up again after this time, in milliseconds
    #[arg(long, env = "WENZHEN_CHANNEL_RESOLVE_INTERVAL_MS", default_value = "5000", value_parser = value_parser!(u64).range(100..=3_600_000))]
    pub channel_resolve_interval_ms: u64,
    /// Attempts of one repeatable call to an agent, the first included
    #[arg(long, env = "WENZHEN_CHANNEL_ATTEMPTS", default_value = "3", value_parser = value_parser!(u32).range(1..=3))]
    pub channel_attempts: u32,
}

impl ChannelArgs {
    /// The settings, with defaults for what has no flag.
    pub fn settings(&self) -> Settings {
        Settings {
            connect_timeout: Duration::from_millis(self.channel_connect_timeout_ms),
            keep_alive: Duration::from_millis(self.channel_keep_alive_ms),
            keep_alive_timeout: Duration::from_millis(self.channel_keep_alive_timeout_ms),
            resolve_interval: Duration::from_millis(self.channel_resolve_interval_ms),
            retry: RetryRules { attempts: self.channel_attempts, ..RetryRules::default() },
            ..Settings::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, Parser};

    #[derive(Parser, Debug)]
    struct Flags {
        #[command(flatten)]
        channel: ChannelArgs,
    }

    #[test]
    fn the_flags_default_to_the_settings() {
        let given = Flags::parse_from(["x"]).channel.settings();
        assert_eq!(format!("{given:?}"), format!("{:?}", Settings::default()));
        let given = Flags::parse_from(["x", "--channel-attempts=1"]).channel.settings();
        assert_eq!(given.retry.attempts, 1);
        assert!(Flags::try_parse_from(["x", "--channel-attempts=4"]).is_err());
    }

    #[test]
    fn every_flag_has_its_environment_variable() {
        for arg in Flags::command().get_arguments() {
            let flag = arg.get_long().unwrap_or_default().replace('-', "_").to_uppercase();
            assert_eq!(arg.get_env().and_then(|name| name.to_str()), Some(format!("WENZHEN_{flag}").as_str()));
        }
    }
}
