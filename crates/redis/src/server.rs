//! What kind of server one has met, and what of it endangers records.

use std::collections::HashMap;

use redis::Value;

/// What is known of a server. A managed service may forbid asking; then a field is unset.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Server {
    /// Version of Redis that it is compatible with, such as (7, 0, 15).
    pub version: Option<(u32, u32, u32)>,
    /// What it does when memory is full (`maxmemory-policy`); anything but `noeviction` throws records away.
    pub eviction: Option<String>,
    /// Whether it writes an append-only file.
    pub append_only: Option<bool>,
    /// When it syncs that file (`appendfsync`).
    pub append_fsync: Option<String>,
}

/// Role and state from INFO, needed only while connecting.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Role {
    pub(crate) replica: bool,
    pub(crate) cluster: bool,
    pub(crate) loading: bool,
}

impl Server {
    /// Reads the answers to INFO and CONFIG GET.
    pub(crate) fn read(info: Option<&str>, config: &HashMap<String, String>) -> Self {
        Self {
            version: info.and_then(|info| field(info, "redis_version")).and_then(Self::parse_version),
            eviction: config.get("maxmemory-policy").cloned(),
            append_only: config.get("appendonly").map(|value| value == "yes"),
            append_fsync: config.get("appendfsync").cloned(),
        }
    }

    pub(crate) fn parse_version(text: &str) -> Option<(u32, u32, u32)> {
        let mut parts = text.split('.').map(|part| part.parse().ok());
        Some((parts.next()??, parts.next().flatten().unwrap_or(0), parts.next().flatten().unwrap_or(0)))
    }

    /// An answer means that the write is on disk.
    pub(crate) fn syncs_always(&self) -> bool {
        self.append_only == Some(true) && self.append_fsync.as_deref() == Some("always")
    }

    pub(crate) fn knows_waitaof(&self) -> bool {
        self.version.is_some_and(|version| version >= (7, 2, 0))
    }

    /// What endangers records on this server, in sentences.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        match self.eviction.as_deref() {
            Some("noeviction") => {}
            Some(policy) => warnings.push(format!(
                "Redis throws records away when its memory is full (maxmemory-policy {policy}); set it to noeviction"
            )),
            None => warnings.push("Redis does not say its maxmemory-policy; it must be noeviction".to_owned()),
        }
        match (self.append_only, self.append_fsync.as_deref()) {
            (Some(false), _) => warnings.push(
                "Redis writes no append-only file (appendonly no): acknowledged writes are lost when it stops".to_owned(),
            ),
            (Some(true), Some("no")) => warnings.push(
                "Redis leaves it to the system when to write to disk (appendfsync no): a crash of the machine can lose \
                 acknowledged writes"
                    .to_owned(),
            ),
            (Some(true), _) => {}
            (None, _) => warnings.push("Redis does not say whether it writes an append-only file".to_owned()),
        }
        warnings
    }
}

impl Role {
    pub(crate) fn read(info: &str) -> Self {
        Self {
            replica: field(info, "role") == Some("slave"),
            cluster: field(info, "cluster_enabled") == Some("1"),
            loading: field(info, "loading") == Some("1"),
        }
    }
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// The names and values of a CONFIG GET; empty when the server does not tell.
pub(crate) fn config(value: Value) -> HashMap<String, String> {
    redis::from_redis_value(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "# Server\r\nredis_version:7.0.15\r\n# Replication\r\nrole:slave\r\ncluster_enabled:0\r\n";

    #[test]
    fn a_server_is_read_from_what_it_says() {
        let config = HashMap::from([("maxmemory-policy".to_owned(), "allkeys-lru".to_owned())]);
        let server = Server::read(Some(INFO), &config);
        assert_eq!(server.version, Some((7, 0, 15)));
        assert_eq!(server.append_only, None);
        assert_eq!(server.warnings().len(), 2);
        assert_eq!(Role::read(INFO), Role { replica: true, ..Role::default() });
        assert_eq!(Server::read(None, &HashMap::new()), Server::default());
    }

    #[test]
    fn a_sound_server_gets_no_warning() {
        let settings = [("maxmemory-policy", "noeviction"), ("appendonly", "yes"), ("appendfsync", "everysec")];
        let config = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        assert_eq!(Server::read(Some(INFO), &config).warnings(), Vec::<String>::new());
    }
}
