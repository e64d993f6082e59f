//! Where an agent is: one address or a list of them, each a name or an IP address with a port.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::error::Error;

/// Longest name that DNS allows, in bytes.
const MAX_NAME: usize = 253;
/// Longest part of a name between dots, in bytes.
const MAX_LABEL: usize = 63;

/// How a target is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain HTTP/2.
    Http,
    /// HTTP/2 over TLS.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Authority {
    host: String,
    port: u16,
}

impl Authority {
    /// The name, or the IP address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, never 0.
    pub fn port(&self) -> u16 {
        self.port
    }

    fn parse(text: &str, whole: &str) -> Result<Self, Error> {
        if text.contains(['/', '?', '#', '@']) {
            return Err(Error::Path(whole.to_owned()));
        }
        let port = || Error::Port(whole.to_owned());
        let (host, digits) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']').ok_or_else(|| Error::Host(whole.to_owned()))?;
                host.parse::<Ipv6Addr>().map_err(|_| Error::Host(whole.to_owned()))?;
                (host, rest.strip_prefix(':').ok_or_else(port)?)
            }
            None => {
                let (host, digits) = text.rsplit_once(':').ok_or_else(port)?;
                if !(is_name(host) || host.parse::<Ipv4Addr>().is_ok()) {
                    return Err(Error::Host(whole.to_owned()));
                }
                (host, digits)
            }
        };
        let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
        let port = number.filter(|port| *port != 0).ok_or_else(port)?;
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            return write!(f, "[{}]:{}", self.host, self.port);
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// The addresses of one agent: `http://HOST:PORT`, `https://HOST:PORT`, or several of the same scheme, separated by
/// commas. A name stands for all its addresses.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    scheme: Scheme,
    authorities: Vec<Authority>,
}

impl Target {
    /// How to speak to it.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Its hosts and ports, at least one, none twice.
    pub fn authorities(&self) -> &[Authority] {
        &self.authorities
    }
}

impl FromStr for Target {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut target: Option<Self> = None;
        for part in text.split(',').map(str::trim) {
            let (scheme, rest) = match part.split_once("://") {
                Some(("http", rest)) => (Scheme::Http, rest),
                Some(("https", rest)) => (Scheme::Https, rest),
                _ => return Err(Error::Scheme(part.to_owned())),
            };
            let authority = Authority::parse(rest, part)?;
            let target = target.get_or_insert_with(|| Self { scheme, authorities: Vec::new() });
            if target.scheme != scheme {
                return Err(Error::MixedSchemes(text.to_owned()));
            }
            if target.authorities.contains(&authority) {
                return Err(Error::Twice(part.to_owned()));
            }
            target.authorities.push(authority);
        }
        target.ok_or_else(|| Error::Scheme(text.to_owned()))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, authority) in self.authorities.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(f, "{comma}{}://{authority}", self.scheme.as_str())?;
        }
        Ok(())
    }
}

fn is_name(host: &str) -> bool {
    let label = |label: &str| {
        (1..=MAX_LABEL).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    // A dot at the end says that the name is complete.
    let name = host.strip_suffix('.').unwrap_or(host);
    name.len() <= MAX_NAME && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(text: &str) -> Result<Target, Error> {
        text.parse()
    }

    #[test]
    fn one_address_and_lists_are_read_and_written_alike() {
        for text in [
            "http://kg:7000",
            "https://kg.wenzhen.svc.cluster.local.:7000",
            "http://127.0.0.1:1,http://127.0.0.2:1",
            "http://[::1]:65535",
        ] {
            assert_eq!(parsed(text).unwrap().to_string(), text);
        }
        let spaced = parsed("https://a:1, https://b:2").unwrap();
        assert_eq!(spaced.scheme(), Scheme::Https);
        assert_eq!(spaced.authorities()[1].host(), "b");
        assert_eq!(spaced.authorities()[1].port(), 2);
    }

    #[test]
    fn nonsense_is_named() {
        let scheme = |text: &str| Error::Scheme(text.to_owned());
        let port = |text: &str| Error::Port(text.to_owned());
        let host = |text: &str| Error::Host(text.to_owned());
        let path = |text: &str| Error::Path(text.to_owned());
        for (text, error) in [
            ("", scheme("")),
            ("kg:7000", scheme("kg:7000")),
            ("ftp://kg:7000", scheme("ftp://kg:7000")),
            ("http://kg:7000,", scheme("")),
            ("http://kg", port("http://kg")),
            ("http://kg:", port("http://kg:")),
            ("http://kg:0", port("http://kg:0")),
            ("http://kg:70000", port("http://kg:70000")),
            ("http://kg:+1", port("http://kg:+1")),
            ("http://[::1]", port("http://[::1]")),
            ("http://:7000", host("http://:7000")),
            ("http://a b:7000", host("http://a b:7000")),
            ("http://::1:7000", host("http://::1:7000")),
            ("http://[kg]:7000", host("http://[kg]:7000")),
            ("http://[::1:7000", host("http://[::1:7000")),
            ("http://kg:7000/", path("http://kg:7000/")),
            ("http://me@kg:7000", path("http://me@kg:7000")),
            ("http://kg:7000?x", path("http://kg:7000?x")),
            ("http://a:1,https://b:1", Error::MixedSchemes("http://a:1,https://b:1".to_owned())),
            ("http://a:1,http://a:1", Error::Twice("http://a:1".to_owned())),
        ] {
            assert_eq!(parsed(text), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_read_is_written_and_read_again(text in "(https?://)?[\\PC]{0,20}(:[0-9]{0,6})?") {
            if let Ok(target) = parsed(&text) {
                prop_assert_eq!(parsed(&target.to_string()), Ok(target));
            }
        }
    }
}
