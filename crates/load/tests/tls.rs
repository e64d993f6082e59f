//! Loads over TLS, with a certificate of the generator's own where the target asks for one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod fake;

use std::path::Path;

use fake::{Fake, Orders, load_until, options};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_util::sync::CancellationToken;
use wenzhen_load::target::Balance;
use wenzhen_load::{LoadError, Options, Verdict};

/// An authority, and what it has signed: PEM of the certificate and of its key.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn signs(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

fn write(folder: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn targets_over_tls_are_loaded_and_strangers_are_not() {
    wenzhen_service::install_crypto();
    let authority = Authority::new();
    let fake = Fake::start_tls(Orders::default(), authority.signs("localhost"), authority.0.pem()).await;
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = authority.signs("load");
    let base = Options {
        tls_ca: Some(write(folder.path(), "ca.pem", &authority.0.pem())),
        tls_cert: Some(write(folder.path(), "own.pem", &certificate)),
        tls_key: Some(write(folder.path(), "own.key", &key)),
        duration: Some("300ms".parse().unwrap()),
        ..options(&[])
    };
    let load = |options: Options| async move { load_until(&options, CancellationToken::new()).await };
    // The certificate names `localhost`; whoever calls an address has to say so.
    let port = fake.address.port();
    let called = Options { target: vec![format!("https://localhost:{port}")], ..base.clone() };
    let target = vec![format!("https://127.0.0.1:{port}")];
    let addressed = Options { target, tls_name: Some("localhost".into()), ..base };
    for (balance, base) in [(Balance::P2c, &called), (Balance::Turn, &addressed)] {
        let report = load(Options { balance: Some(balance), ..base.clone() }).await.unwrap();
        assert!(report.total.ok > 10 && report.verdict == Verdict::Passed, "{balance:?}: {:?}", report.total.codes);
        let nameless = Options { balance: Some(balance), tls_cert: None, tls_key: None, ..base.clone() };
        let refused = load(nameless).await.unwrap_err();
        assert!(matches!(refused, LoadError::Unreachable { .. }), "{balance:?}, without a certificate: {refused}");
        let stranger = write(folder.path(), "other.pem", &Authority::new().0.pem());
        let refused =
            load(Options { balance: Some(balance), tls_ca: Some(stranger), ..base.clone() }).await.unwrap_err();
        assert!(matches!(refused, LoadError::Unreachable { .. }), "{balance:?}, signed by another: {refused}");
    }
    let renamed = Options { balance: Some(Balance::Turn), tls_name: Some("elsewhere".into()), ..addressed.clone() };
    assert!(matches!(load(renamed).await, Err(LoadError::Unreachable { .. })), "the name must be right");
    let alone = load(Options { tls_key: None, balance: Some(Balance::Turn), ..addressed }).await.unwrap_err();
    assert!(alone.is_usage(), "{alone}");
}
