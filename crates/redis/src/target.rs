//! Where Redis is: the URL.

use std::fmt;
use std::str::FromStr;

/// A host and its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Name or address; an IPv6 address stands without brackets.
    pub name: String,
    /// Port.
    pub port: u16,
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.contains(':') {
            write!(f, "[{}]:{}", self.name, self.port)
        } else {
            write!(f, "{}:{}", self.name, self.port)
        }
    }
}

/// Where Redis is and how it is deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// How it is deployed.
    pub kind: Kind,
    /// Over TLS (`rediss`), servers and sentinels alike.
    pub tls: bool,
}

/// How Redis is deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// One server.
    Single {
        /// The server.
        host: Host,
        /// Number of the database.
        database: i64,
    },
    /// A master that sentinels watch over.
    Sentinel {
        /// The sentinels, at least one.
        sentinels: Vec<Host>,
        /// What the sentinels call the master.
        master: String,
        /// Number of the database.
        database: i64,
    },
    /// A cluster.
    Cluster {
        /// Some of its servers, at least one; the others are found.
        seeds: Vec<Host>,
    },
}

const FORMS: &str = "redis://HOST:PORT, redis+sentinel://HOST:PORT,HOST:PORT/MASTER or redis+cluster://HOST:PORT,HOST:PORT \
                     (rediss for TLS)";

impl FromStr for Target {
    type Err = String;

    /// Reads the URL. An error never repeats it, for a password may stand in it.
    fn from_str(url: &str) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").ok_or(format!("not a Redis URL; expected {FORMS}"))?;
        if rest.contains('@') {
            return Err("a Redis URL must not hold a user or a password, for others can read it; \
                        use --redis-username and --redis-password-file"
                .into());
        }
        if rest.contains(['?', '#']) {
            return Err("a Redis URL takes no options after ? or #".into());
        }
        let (protocol, kind) = scheme.split_once('+').unwrap_or((scheme, ""));
        let tls = match protocol {
            "redis" => false,
            "rediss" => true,
            _ => return Err(format!("unknown scheme of a Redis URL; expected {FORMS}")),
        };
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let kind = match kind {
            "" => single(hosts, path)?,
            "sentinel" => sentinel(hosts, path)?,
            "cluster" if path.is_empty() => Kind::Cluster { seeds: hosts_of(hosts, 6379)? },
            "cluster" => return Err("a Redis cluster has no databases: nothing may follow its hosts".into()),
            _ => return Err(format!("unknown scheme of a Redis URL; expected {FORMS}")),
        };
        Ok(Self { kind, tls })
    }
}

fn single(hosts: &str, path: &str) -> Result<Kind, String> {
    match hosts_of(hosts, 6379)?.as_slice() {
        [host] => Ok(Kind::Single { host: host.clone(), database: database(path)? }),
        _ => Err(format!("redis:// names one server; expected {FORMS}")),
    }
}

fn sentinel(hosts: &str, path: &str) -> Result<Kind, String> {
    let (master, number) = path.split_once('/').unwrap_or((path, ""));
    if master.is_empty() {
        return Err("redis+sentinel:// needs the master's name: redis+sentinel://HOST:PORT/MASTER".into());
    }
    Ok(Kind::Sentinel { sentinels: hosts_of(hosts, 26379)?, master: master.to_owned(), database: database(number)? })
}

fn database(text: &str) -> Result<i64, String> {
    match text.trim_end_matches('/') {
        "" => Ok(0),
        number => number
            .parse::<u16>()
            .map(i64::from)
            .map_err(|_| "the path of a Redis URL is the number of a database".to_owned()),
    }
}

fn hosts_of(text: &str, default_port: u16) -> Result<Vec<Host>, String> {
    text.split(',').map(|host| host_of(host.trim(), default_port)).collect()
}

fn host_of(text: &str, default_port: u16) -> Result<Host, String> {
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (name, port) = rest.split_once(']').ok_or("an IPv6 address in a Redis URL ends with ]")?;
            (name, port.strip_prefix(':').unwrap_or(port))
        }
        None => text.split_once(':').unwrap_or((text, "")),
    };
    if name.is_empty() {
        return Err(format!("a host is missing in the Redis URL; expected {FORMS}"));
    }
    let port = if port.is_empty() { Ok(default_port) } else { port.parse() };
    match port {
        Ok(port) if port > 0 => Ok(Host { name: name.to_owned(), port }),
        _ => Err("a port in the Redis URL is not a number from 1 to 65535".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str, port: u16) -> Host {
        Host { name: name.into(), port }
    }

    #[test]
    fn every_form_is_read() {
        let target = |url: &str| url.parse::<Target>().unwrap();
        let single = Kind::Single { host: host("db", 6379), database: 0 };
        assert_eq!(target("redis://db"), Target { kind: single.clone(), tls: false });
        assert_eq!(target("rediss://db:6379/"), Target { kind: single, tls: true });
        let other = Kind::Single { host: host("::1", 7000), database: 3 };
        assert_eq!(target("redis://[::1]:7000/3").kind, other);
        let sentinel =
            Kind::Sentinel { sentinels: vec![host("s1", 26379), host("s2", 1)], master: "main".into(), database: 2 };
        assert_eq!(target("redis+sentinel://s1,s2:1/main/2").kind, sentinel);
        let cluster = Kind::Cluster { seeds: vec![host("c1", 7001), host("c2", 6379)] };
        assert_eq!(target("rediss+cluster://c1:7001, c2"), Target { kind: cluster, tls: true });
        assert_eq!(host("::1", 7).to_string(), "[::1]:7");
    }

    #[test]
    fn what_is_wrong_is_said_without_repeating_the_url() {
        for bad in [
            "sesame",
            "http://sesame",
            "redis://",
            "redis://sesame:0",
            "redis://sesame:70000",
            "redis://a,sesame",
            "redis://:sesame@db",
            "redis://db/sesame",
            "redis://db?x=sesame",
            "redis+sentinel://sesame",
            "redis+cluster://db/1sesame",
            "redis+ring://sesame",
            "redis://[::1",
            "redis://db:port-sesame",
        ] {
            let error = bad.parse::<Target>().unwrap_err();
            assert!(!error.contains("sesame"), "{error}");
        }
    }
}
