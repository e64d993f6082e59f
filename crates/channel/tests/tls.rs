//! TLS: the certificate must name the host, and both sides' certificates may change while calls go on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::StreamExt;
use parking_lot::Mutex;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use support::network::Names;
use support::replica::Script;
use support::{call, metric, quick, until};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::Code;
use wenzhen_channel::{Balanced, ChannelMetrics, Error, Settings, Target};
use wenzhen_service::Metrics;

const SECOND: Duration = Duration::from_secs(1);

/// Signs certificates for names.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        wenzhen_service::install_crypto();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn server(&self, name: &str, alpn: &[u8]) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let chain = vec![certificate.der().clone()];
        let mut config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
        config.alpn_protocols = vec![alpn.to_vec()];
        Arc::new(config)
    }

    fn client(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
    }
}

/// A TLS server whose certificate can change, and whose connections can be ended.
struct Server {
    address: SocketAddr,
    config: Arc<Mutex<Arc<ServerConfig>>>,
    shutdown: Arc<Mutex<CancellationToken>>,
    handshakes: Arc<AtomicUsize>,
}

impl Server {
    async fn start(config: Arc<ServerConfig>) -> Self {
        let bound = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = bound.local_addr().unwrap();
        let (config, shutdown) = (Arc::new(Mutex::new(config)), Arc::new(Mutex::new(CancellationToken::new())));
        let (current, goodbye) = (Arc::clone(&config), Arc::clone(&shutdown));
        let handshakes = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&handshakes);
        tokio::spawn(async move {
            let mut accepted = TcpListenerStream::new(bound);
            while let Some(Ok(stream)) = accepted.next().await {
                let acceptor = TlsAcceptor::from(Arc::clone(&current.lock()));
                let (shutdown, counted) = (goodbye.lock().clone(), Arc::clone(&counted));
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        counted.fetch_add(1, Ordering::SeqCst);
                        // The stream of connections stays open, or the server would take itself to be done.
                        let one = tokio_stream::once(Ok(stream)).chain(futures::stream::pending());
                        Script::well().serve(one, shutdown).await;
                    }
                });
            }
        });
        Self { address, config, shutdown, handshakes }
    }

    /// Shows another certificate from now on, and ends the connections that have seen the old one.
    fn rotate(&self, config: Arc<ServerConfig>) {
        *self.config.lock() = config;
        std::mem::take(&mut *self.shutdown.lock()).cancel();
    }
}

fn over_tls(address: SocketAddr, client: &Arc<Mutex<Arc<ClientConfig>>>) -> (Balanced, Metrics) {
    let (metrics, target): (_, Target) = (Metrics::new(), "https://agent.test:7000".parse().unwrap());
    let client = Arc::clone(client);
    let settings = Settings {
        resolver: Arc::new(Names::of([address])),
        tls: Some(Arc::new(move || Arc::clone(&client.lock()))),
        ..quick()
    };
    (Balanced::connect(&target, settings, &ChannelMetrics::register(&metrics)).unwrap(), metrics)
}

#[tokio::test]
async fn certificates_may_change_while_calls_go_on() {
    let (old, new) = (Authority::new(), Authority::new());
    let server = Server::start(old.server("agent.test", b"h2")).await;
    let trusted = Arc::new(Mutex::new(old.client()));
    let (channel, _) = over_tls(server.address, &trusted);
    call(&channel, SECOND * 5).await.unwrap();

    let stop = CancellationToken::new();
    let calls = tokio::spawn({
        let (channel, stop) = (channel.clone(), stop.clone());
        async move {
            let mut made = 0;
            while !stop.is_cancelled() {
                call(&channel, SECOND * 5).await.unwrap();
                made += 1;
            }
            made
        }
    });
    for authority in [&old, &new, &old] {
        let before = server.handshakes.load(Ordering::SeqCst);
        *trusted.lock() = authority.client();
        server.rotate(authority.server("agent.test", b"h2"));
        until(|| server.handshakes.load(Ordering::SeqCst) > before).await;
        call(&channel, SECOND * 5).await.unwrap();
    }
    stop.cancel();
    assert!(calls.await.unwrap() > 0);
}

#[tokio::test]
async fn a_certificate_of_somebody_else_or_for_another_name_is_nobody() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    for config in
        [theirs.server("agent.test", b"h2"), ours.server("other.test", b"h2"), ours.server("agent.test", b"h3")]
    {
        let server = Server::start(config).await;
        let (channel, _) = over_tls(server.address, &Arc::new(Mutex::new(ours.client())));
        let refused = call(&channel, SECOND * 5).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unavailable);
        assert_eq!(refused.message(), "no endpoint of https://agent.test:7000 is reachable");
        // It is not given up for ever.
        server.rotate(ours.server("agent.test", b"h2"));
        until(|| channel.endpoints().ready == 1).await;
        call(&channel, SECOND * 5).await.unwrap();
    }
}

#[tokio::test]
async fn a_server_without_tls_is_nobody_over_https() {
    let address = support::replica::serve_here(&Script::well()).await;
    let (channel, metrics) = over_tls(address, &Arc::new(Mutex::new(Authority::new().client())));
    assert_eq!(call(&channel, SECOND * 5).await.unwrap_err().code(), Code::Unavailable);
    let line = "wenzhen_channel_calls_total{target=\"https://agent.test:7000\",code=\"UNAVAILABLE\"}";
    assert_eq!(metric(&metrics, line), 1);
}

#[tokio::test]
async fn https_without_a_configuration_is_said_before_any_call() {
    let target: Target = "https://agent.test:7000".parse().unwrap();
    let refused = Balanced::connect(&target, Settings::default(), &ChannelMetrics::default()).unwrap_err();
    assert_eq!(refused, Error::TlsMissing("https://agent.test:7000".to_owned()));
    assert_eq!(refused.to_string(), "https://agent.test:7000: https needs a TLS configuration (certificate authority)");
}
