//! Whom the load goes to: the replicas of a name, balanced as the services balance among themselves, or every address
//! in turn.

mod address;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use tonic::metadata::{Ascii, MetadataValue};
use wenzhen_channel::{Balanced, ChannelMetrics, RetryRules};
use wenzhen_service::Client;
use wenzhen_service::tls::{Tls as Files, TlsArgs};

use crate::error::LoadError;
use crate::options::Options;
use crate::report::TargetReport;
use address::{Target, Tls};

/// Time for making a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// The name of an instance that nothing is known of.
pub const UNKNOWN: &str = "unknown";

/// How calls are spread over addresses.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Balance {
    /// As the services do: the less loaded of two, names looked up again, failing replicas left out; no retries
    #[default]
    P2c,
    /// Each address in turn, whatever it answers
    Turn,
}

/// A connection, and what it is called while its answers do not say.
#[derive(Debug, Clone)]
pub struct Called {
    /// The address, or [`UNKNOWN`].
    pub name: Arc<str>,
    /// The connection, or several.
    pub channel: Client<Balanced>,
    balanced: Balanced,
}

impl Called {
    fn new(name: &str, balanced: Balanced) -> Self {
        Self { name: Arc::from(name), channel: Client::new(balanced.clone()), balanced }
    }
}

/// Connections, called in turn.
#[derive(Debug)]
pub struct Endpoints {
    first: Called,
    others: Vec<Called>,
    next: AtomicUsize,
    /// What a report says of them.
    pub report: TargetReport,
    /// The header with which consultations are opened, where a key is needed for that.
    pub opener: Option<MetadataValue<Ascii>>,
}

impl Endpoints {
    /// A channel of a system in this process.
    pub fn in_process(channel: Balanced) -> Self {
        let first = Called::new(UNKNOWN, channel);
        Self { first, others: Vec::new(), next: AtomicUsize::new(0), report: TargetReport::default(), opener: None }
    }

    /// Finds the targets. Connections are made in the background or when they are first needed. Needs a tokio runtime
    /// around it.
    ///
    /// # Errors
    /// When a target is no URL, its name has no address, or the files for TLS are missing or wrong.
    pub async fn find(options: &Options) -> Result<Self, LoadError> {
        let parse = |given: &String| {
            let wrong = |why| LoadError::Target { target: given.clone(), why };
            Target::parse(given, options.insecure).map_err(wrong)
        };
        let targets: Vec<Target> = options.target.iter().map(parse).collect::<Result<_, _>>()?;
        let all = match options.balance.unwrap_or_default() {
            Balance::P2c => balanced(options, &targets)?,
            Balance::Turn => in_turn(options, &targets).await?,
        };
        let mut addresses: Vec<String> = match options.balance.unwrap_or_default() {
            Balance::P2c => targets.iter().map(Target::authority).collect(),
            Balance::Turn => all.iter().map(|called| called.name.to_string()).collect(),
        };
        addresses.dedup();
        let report = TargetReport { given: options.target.clone(), addresses, ..TargetReport::default() };
        let mut all = all.into_iter();
        let nobody = || LoadError::Target { target: options.target.join(", "), why: "no address".to_owned() };
        let first = all.next().ok_or_else(nobody)?;
        Ok(Self { first, others: all.collect(), next: AtomicUsize::new(0), report, opener: opener(options)? })
    }

    /// Connections in all, those to several replicas counted once.
    pub fn count(&self) -> usize {
        self.others.len() + 1
    }

    /// The next in turn.
    pub fn pick(&self) -> &Called {
        let at = self.next.fetch_add(1, Ordering::Relaxed) % self.count();
        at.checked_sub(1).and_then(|at| self.others.get(at)).unwrap_or(&self.first)
    }

    /// Waits until somebody can be called, or for as long as a connection may take.
    pub async fn ready(&self) {
        let wait = async {
            for called in std::iter::once(&self.first).chain(&self.others) {
                called.balanced.ready().await;
            }
        };
        // Whoever is not there by then is told of by the first call.
        let _ = tokio::time::timeout(CONNECT, wait).await;
    }
}

/// The header that the key in a file makes. The key is never printed.
fn opener(options: &Options) -> Result<Option<MetadataValue<Ascii>>, LoadError> {
    let Some(path) = &options.opener_key_file else { return Ok(None) };
    let key = std::fs::read_to_string(path).map_err(|source| LoadError::File { path: path.clone(), source })?;
    let header: Result<MetadataValue<Ascii>, _> = format!("Bearer {}", key.trim()).parse();
    let mut header = header.map_err(|_| LoadError::Usage("--opener-key-file holds no key".to_owned()))?;
    header.set_sensitive(true);
    Ok(Some(header))
}

/// All targets behind one balancer, as often as connections are wanted.
fn balanced(options: &Options, targets: &[Target]) -> Result<Vec<Called>, LoadError> {
    let wrong = |why: String| LoadError::Target { target: options.target.join(", "), why };
    if options.tls_name.is_some() {
        return Err(LoadError::Usage("--tls-name goes with --balance turn".to_owned()));
    }
    let mut urls: Vec<String> = Vec::new();
    for target in targets {
        let url = format!("{}://{}", target.scheme(), target.authority());
        if !urls.contains(&url) {
            urls.push(url);
        }
    }
    let target: wenzhen_channel::Target =
        urls.join(",").parse().map_err(|e: wenzhen_channel::Error| wrong(e.to_string()))?;
    let tls = match targets.iter().any(|target| target.tls) {
        false => None,
        true => {
            let (tls_cert, tls_key, tls_ca) =
                (options.tls_cert.clone(), options.tls_key.clone(), options.tls_ca.clone());
            let args = TlsArgs { tls_cert, tls_key, tls_ca, tls_client_auth: None };
            let files = Files::load(&args).map_err(|error| wrong(chain(&error)))?;
            let files = files.ok_or_else(|| wrong(NO_CA.to_owned()))?;
            Some(files.client().map_err(|_| wrong(NO_CA.to_owned()))?)
        }
    };
    let settings = wenzhen_channel::Settings {
        tls: tls.map(|config| Arc::new(move || config.clone()) as wenzhen_channel::TlsSource),
        connect_timeout: CONNECT,
        // A second attempt would hide what the first one met.
        retry: RetryRules { attempts: 1, ..RetryRules::default() },
        ..wenzhen_channel::Settings::default()
    };
    let metrics = ChannelMetrics::default();
    let connect = |_| {
        let balanced =
            Balanced::connect(&target, settings.clone(), &metrics).map_err(|error| wrong(error.to_string()))?;
        Ok(Called::new(UNKNOWN, balanced))
    };
    (0..options.connections.unwrap_or(1)).map(connect).collect()
}

const NO_CA: &str = "https needs --tls-ca, the authorities that sign its certificate";

/// An error with what caused it, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Every address of every target.
async fn in_turn(options: &Options, targets: &[Target]) -> Result<Vec<Called>, LoadError> {
    let tls = Tls::read(options)?;
    let mut all: Vec<Called> = Vec::new();
    for target in targets {
        let wrong = |why: String| LoadError::Target { target: target.authority(), why };
        let found = tokio::net::lookup_host((target.host.as_str(), target.port)).await;
        let mut found: Vec<_> = found.map_err(|error| wrong(format!("no address: {error}")))?.collect();
        found.sort_unstable();
        found.dedup();
        for address in found.into_iter().map(|address| address.to_string()) {
            if all.iter().any(|known| *known.name == *address) {
                continue;
            }
            let endpoint = target.endpoint(&address, &tls).map_err(wrong)?;
            for _ in 0..options.connections.unwrap_or(1) {
                all.push(Called::new(&address, Balanced::single(endpoint.connect_lazy())));
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_taken_apart() {
        let target = Target::parse("http://kg:7000", false).unwrap();
        assert_eq!((target.host.as_str(), target.port, target.tls), ("kg", 7000, false));
        assert!(Target::parse("kg:7000", false).unwrap().tls, "without a scheme it is TLS");
        assert!(!Target::parse("kg:7000", true).unwrap().tls, "unless --insecure");
        assert_eq!(Target::parse("http://[::1]:7000", false).unwrap().host, "::1");
        for wrong in ["", "kg", "http://kg", "ftp://kg:1", "http://kg:1/path", "http://kg:99999", "http:// :1"] {
            assert!(Target::parse(wrong, true).is_err(), "{wrong}");
        }
        assert!(Target::parse("https://kg:1", true).unwrap_err().contains("contradict"));
    }

    #[tokio::test]
    async fn every_address_is_found_once() {
        let options = |target: &[&str], connections| Options {
            target: target.iter().map(|t| (*t).to_owned()).collect(),
            connections: Some(connections),
            balance: Some(Balance::Turn),
            ..Options::default()
        };
        let twice = ["http://127.0.0.1:7001", "http://127.0.0.1:7001", "http://127.0.0.2:7001"];
        let found = Endpoints::find(&options(&twice, 2)).await.unwrap();
        assert_eq!(found.report.addresses, ["127.0.0.1:7001", "127.0.0.2:7001"]);
        let called: Vec<_> = (0..4).map(|_| found.pick().name.to_string()).collect();
        assert_eq!(called, ["127.0.0.1:7001", "127.0.0.1:7001", "127.0.0.2:7001", "127.0.0.2:7001"]);
        for balance in [Balance::Turn, Balance::P2c] {
            let options = Options { balance: Some(balance), ..options(&["https://127.0.0.1:7001"], 1) };
            let no_authority = Endpoints::find(&options).await.unwrap_err();
            assert!(no_authority.to_string().contains("--tls-ca"), "{no_authority}");
        }
    }
}
