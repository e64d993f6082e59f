//! A CA of the tests, the files that a service reads, and a client that trusts it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use http::Uri;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};
use wenzhen_service::Tls;
use wenzhen_service::tls::{ClientAuth, TlsArgs};

/// Signs certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key, PEM.
pub struct Signed {
    pub certificate: String,
    pub key: String,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate for `localhost` and the service of this name.
    pub fn sign(&self, name: &str) -> Signed {
        self.sign_with(name, |_| ())
    }

    pub fn sign_with(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Signed {
        let mut params = CertificateParams::new(vec![format!("{name}.test"), "localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Signed { certificate, key: key.serialize_pem() }
    }
}

/// A folder with the three files.
pub struct Files(TempDir);

impl Files {
    pub fn new(authority: &Authority, signed: &Signed) -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        files.write("ca.pem", &authority.pem);
        files.exchange(signed);
        files
    }

    pub fn exchange(&self, signed: &Signed) {
        self.write("cert.pem", &signed.certificate);
        self.write("key.pem", &signed.key);
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn args(&self, auth: ClientAuth) -> TlsArgs {
        TlsArgs {
            tls_cert: Some(self.path("cert.pem")),
            tls_key: Some(self.path("key.pem")),
            tls_ca: Some(self.path("ca.pem")),
            tls_client_auth: Some(auth),
        }
    }

    /// Only the CA: a caller without a certificate.
    pub fn trusting(&self) -> TlsArgs {
        TlsArgs { tls_ca: Some(self.path("ca.pem")), ..TlsArgs::default() }
    }

    pub fn load(&self, auth: ClientAuth) -> Tls {
        Tls::load(&self.args(auth)).unwrap().unwrap()
    }
}

/// One connection, after the handshake.
pub async fn connect(address: std::net::SocketAddr, config: Arc<ClientConfig>) -> io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(config).connect(name, TcpStream::connect(address).await?).await
}

/// The certificate that a new connection is shown.
pub async fn shown(address: std::net::SocketAddr, config: Arc<ClientConfig>) -> io::Result<Vec<u8>> {
    let stream = connect(address, config).await?;
    Ok(stream.get_ref().1.peer_certificates().unwrap()[0].to_vec())
}

/// A channel whose connections are made with the certificates of the moment.
pub async fn channel(address: std::net::SocketAddr, tls: Tls) -> Result<Channel, tonic::transport::Error> {
    let connector = tower::service_fn(move |_: Uri| {
        let tls = tls.clone();
        async move {
            let config = tls.client().map_err(io::Error::other)?;
            Ok::<_, io::Error>(TokioIo::new(connect(address, config).await?))
        }
    });
    Endpoint::from_static("http://localhost").connect_with_connector(connector).await
}
