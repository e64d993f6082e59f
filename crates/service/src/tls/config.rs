//! From files to configurations: ring only, TLS 1.2 and 1.3, HTTP/2 by ALPN.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::{ClientAuth, TlsArgs, TlsError, certificate};

const VERSIONS: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
const ALPN: &[u8] = b"h2";

/// What the files hold, byte for byte.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Files {
    cert: Option<Vec<u8>>,
    key: Option<Vec<u8>>,
    ca: Option<Vec<u8>>,
}

/// Files made ready.
pub(super) struct Loaded {
    pub(super) server: Option<Arc<ServerConfig>>,
    pub(super) client: Option<Arc<ClientConfig>>,
    /// End of our certificate's validity, in seconds since 1970.
    pub(super) expires: Option<i64>,
    /// What it was made from.
    pub(super) from: Option<Files>,
}

impl Files {
    pub(super) fn read(args: &TlsArgs) -> Result<Self, TlsError> {
        let read = |flag, path: &Option<PathBuf>| {
            let Some(path) = path else { return Ok(None) };
            std::fs::read(path).map(Some).map_err(|source| TlsError::Unreadable { flag, path: path.clone(), source })
        };
        Ok(Self {
            cert: read("--tls-cert", &args.tls_cert)?,
            key: read("--tls-key", &args.tls_key)?,
            ca: read("--tls-ca", &args.tls_ca)?,
        })
    }

    /// Checks the files and makes both configurations.
    pub(super) fn load(&self, args: &TlsArgs) -> Result<Loaded, TlsError> {
        let bad = |flag, path: &Option<PathBuf>, reason: String| TlsError::Content {
            flag,
            path: path.clone().unwrap_or_default(),
            reason,
        };
        let roots = match &self.ca {
            Some(pem) => Some(roots(pem).map_err(|reason| bad("--tls-ca", &args.tls_ca, reason))?),
            None => None,
        };
        let mut expires = None;
        let own = match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => {
                let chain = chain(cert).map_err(|reason| bad("--tls-cert", &args.tls_cert, reason))?;
                let end = valid_until(&chain).map_err(|reason| bad("--tls-cert", &args.tls_cert, reason))?;
                expires = Some(end);
                let key = PrivateKeyDer::from_pem_slice(key)
                    .map_err(|_| bad("--tls-key", &args.tls_key, "expected a private key in PEM form".to_owned()))?;
                Some((chain, key))
            }
            _ => None,
        };
        let client = roots.clone().map(|roots| client(roots, &own)).transpose()?.map(Arc::new);
        let server = own.map(|own| server(own, roots, args.client_auth())).transpose()?.map(Arc::new);
        Ok(Loaded { server, client, expires, from: Some(self.clone()) })
    }
}

type Own = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    chain.ok().filter(|chain| !chain.is_empty()).ok_or_else(|| "expected certificates in PEM form".to_owned())
}

fn roots(pem: &[u8]) -> Result<Arc<RootCertStore>, String> {
    let mut roots = RootCertStore::empty();
    for root in chain(pem)? {
        roots.add(root).map_err(|error| error.to_string())?;
    }
    Ok(Arc::new(roots))
}

/// The end of the first certificate's validity, if that is not over.
fn valid_until(chain: &[CertificateDer<'_>]) -> Result<i64, String> {
    let end = chain.first().and_then(certificate::expires).ok_or("expected an X.509 certificate")?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if end <= now { Err("the certificate has expired".to_owned()) } else { Ok(end) }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn client(roots: Arc<RootCertStore>, own: &Option<Own>) -> Result<ClientConfig, TlsError> {
    let trusting = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(VERSIONS)
        .map_err(TlsError::Together)?
        .with_root_certificates(roots);
    let mut config = match own {
        Some((chain, key)) => {
            trusting.with_client_auth_cert(chain.clone(), key.clone_key()).map_err(TlsError::Together)?
        }
        None => trusting.with_no_client_auth(),
    };
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(config)
}

fn server(own: Own, roots: Option<Arc<RootCertStore>>, auth: ClientAuth) -> Result<ServerConfig, TlsError> {
    let builder =
        ServerConfig::builder_with_provider(provider()).with_protocol_versions(VERSIONS).map_err(TlsError::Together)?;
    let builder = match (auth, roots) {
        (ClientAuth::None, _) => builder.with_no_client_auth(),
        (_, None) => return Err(TlsError::Needs { flag: "--tls-client-auth", needs: "--tls-ca" }),
        (auth, Some(roots)) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
            let verifier = if auth == ClientAuth::Optional { verifier.allow_unauthenticated() } else { verifier };
            let unusable = |error: rustls::server::VerifierBuilderError| rustls::Error::General(error.to_string());
            builder.with_client_cert_verifier(verifier.build().map_err(unusable).map_err(TlsError::Together)?)
        }
    };
    let mut config = builder.with_single_cert(own.0, own.1).map_err(TlsError::Together)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(config)
}
