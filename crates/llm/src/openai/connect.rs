//! A connection to a server, over TLS where its URL says so.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::replicas::Replica;
use super::{Settings, SettingsError};
use crate::Error;

/// What can send one request.
pub(super) type Sender = SendRequest<Full<Bytes>>;

/// Opens connections.
pub(super) struct Connector {
    tls: Option<TlsConnector>,
    patience: Duration,
}

impl Connector {
    /// Reads certificates, where there are servers to check. Blocks.
    pub(super) fn new(settings: &Settings, tls: bool) -> Result<Self, SettingsError> {
        let tls = tls.then(|| connector(settings.ca_file.as_deref())).transpose()?;
        Ok(Self { tls, patience: settings.limits.connect })
    }

    /// A connection that lives as long as its sender and the answer's body do.
    pub(super) async fn open(&self, replica: &Replica) -> Result<Sender, Error> {
        let opened = tokio::time::timeout(self.patience, self.handshake(replica)).await;
        opened.unwrap_or(Err(Error::Unavailable("there is no connection in time")))
    }

    async fn handshake(&self, replica: &Replica) -> Result<Sender, Error> {
        let refused = |_| Error::Unavailable("it cannot be connected to");
        let stream = TcpStream::connect((replica.host.as_str(), replica.port)).await.map_err(refused)?;
        // Tokens are small; waiting to send more of them together would only delay them.
        let _ = stream.set_nodelay(true);
        let Some(tls) = self.tls.as_ref().filter(|_| replica.https) else { return speak(stream).await };
        let name = ServerName::try_from(replica.host.clone());
        let name = name.map_err(|_| Error::Unavailable("its name cannot be in a certificate"))?;
        let stream = tls.connect(name, stream).await;
        speak(stream.map_err(|_| Error::Unavailable("its certificate is not trusted"))?).await
    }
}

async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S) -> Result<Sender, Error> {
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (sender, connection) = handshake.map_err(|_| Error::Unavailable("it does not speak HTTP"))?;
    // Ends when the sender and the body are gone, which closes the connection: the server hears of a cancellation.
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(sender)
}

fn connector(ca: Option<&Path>) -> Result<TlsConnector, SettingsError> {
    let mut roots = RootCertStore::empty();
    let wrong = |error: &dyn std::fmt::Display| SettingsError::Certificates(error.to_string());
    match ca {
        Some(file) => {
            let about = |cause| SettingsError::File { what: "CA file", file: file.to_owned(), cause };
            let pem = std::fs::read(file).map_err(about)?;
            for certificate in CertificateDer::pem_slice_iter(&pem) {
                roots.add(certificate.map_err(|e| wrong(&e))?).map_err(|e| wrong(&e))?;
            }
        }
        None => {
            let (added, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if added == 0 {
                return Err(wrong(&"the system has none; give a CA file"));
            }
        }
    }
    if roots.is_empty() {
        return Err(wrong(&"the CA file holds none"));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|e| wrong(&e))?.with_root_certificates(roots).with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
