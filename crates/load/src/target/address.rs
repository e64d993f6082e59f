//! A target as it was written, and an endpoint for one of its addresses.

use std::path::Path;

use http::Uri;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

use super::{CONNECT, NO_CA};
use crate::error::LoadError;
use crate::options::Options;

/// Flow-control windows in bytes, as large as the services'.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
/// Calls that wait in a connection's queue: more than are ever in flight, or sending would wait for room.
const QUEUE: usize = 1 << 20;

/// A target, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub struct Target {
    uri: Uri,
    /// Name or IP address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Spoken to over TLS.
    pub tls: bool,
}

impl Target {
    /// Takes a target apart; without a scheme it is TLS, unless `insecure`.
    ///
    /// # Errors
    /// With what was expected instead.
    pub fn parse(given: &str, insecure: bool) -> Result<Self, String> {
        let expected = || "expected http://HOST:PORT, https://HOST:PORT or HOST:PORT".to_owned();
        let with_scheme = match given.contains("://") {
            true => given.to_owned(),
            false => format!("{}://{given}", if insecure { "http" } else { "https" }),
        };
        let uri: Uri = with_scheme.parse().map_err(|_| expected())?;
        let tls = match uri.scheme_str() {
            Some("https") if insecure && given.contains("://") => {
                return Err("https and --insecure contradict each other".to_owned());
            }
            Some("https") => true,
            Some("http") => false,
            _ => return Err(expected()),
        };
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err("a target has no path".to_owned());
        }
        let host = uri.host().ok_or_else(expected)?.trim_matches(['[', ']']).to_owned();
        let port = uri.port_u16().ok_or_else(|| "the port is missing".to_owned())?;
        Ok(Self { host, port, tls, uri })
    }

    /// Its scheme.
    pub fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }

    /// `HOST:PORT`.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// An endpoint for one address, which is called by the target's own name.
    ///
    /// # Errors
    /// When TLS is wanted and its files are missing or wrong.
    pub fn endpoint(&self, address: &str, tls: &Tls) -> Result<Endpoint, String> {
        let endpoint =
            Endpoint::from_shared(format!("{}://{address}", self.scheme())).map_err(|error| error.to_string())?;
        let endpoint = endpoint
            .origin(self.uri.clone())
            .connect_timeout(CONNECT)
            .tcp_nodelay(true)
            .buffer_size(QUEUE)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW);
        if !self.tls {
            return Ok(endpoint);
        }
        let config = tls.config(&self.host).ok_or(NO_CA)?;
        endpoint.tls_config(config).map_err(|error| format!("TLS: {error}"))
    }
}

/// The files for TLS.
pub struct Tls {
    ca: Option<Vec<u8>>,
    identity: Option<(Vec<u8>, Vec<u8>)>,
    name: Option<String>,
}

impl Tls {
    /// Reads them.
    ///
    /// # Errors
    /// When one cannot be read, or a certificate has no key.
    pub fn read(options: &Options) -> Result<Self, LoadError> {
        let read =
            |path: &Path| std::fs::read(path).map_err(|source| LoadError::File { path: path.to_owned(), source });
        let identity = match (&options.tls_cert, &options.tls_key) {
            (Some(certificate), Some(key)) => Some((read(certificate)?, read(key)?)),
            (None, None) => None,
            _ => return Err(LoadError::Usage("--tls-cert and --tls-key go together".to_owned())),
        };
        let ca = options.tls_ca.as_deref().map(read).transpose()?;
        Ok(Self { ca, identity, name: options.tls_name.clone() })
    }

    fn config(&self, host: &str) -> Option<ClientTlsConfig> {
        let name = self.name.clone().unwrap_or_else(|| host.to_owned());
        let config = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(self.ca.as_ref()?)).domain_name(name);
        Some(match &self.identity {
            Some((certificate, key)) => config.identity(Identity::from_pem(certificate, key)),
            None => config,
        })
    }
}
