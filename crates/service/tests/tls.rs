//! TLS and mTLS: who gets through, and certificates that are exchanged under a running server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rustls::version::{TLS12, TLS13};
use support::certificates::{Authority, Files, channel, connect, shown};
use support::{Running, Unary, call, hello};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use wenzhen_service::tls::{ClientAuth, Reload, TlsArgs, TlsError};
use wenzhen_service::{Limits, Peer, Services, Tls};

/// Answers with the name of whoever calls.
fn who() -> Services {
    Services::new().with(Unary::new(|request| async move {
        let peer = Peer::of(&request).cloned().unwrap_or_default();
        assert!(peer.address.is_some());
        Ok(peer.identity.and_then(|identity| identity.name().map(str::to_owned)).unwrap_or_else(|| "nobody".to_owned()))
    }))
}

async fn start(files: &Files, auth: ClientAuth) -> (Running, Tls) {
    let tls = files.load(auth);
    (Running::secure(who(), Limits::default(), Some(tls.clone())).await, tls)
}

#[tokio::test]
async fn who_has_a_certificate_is_known_and_who_needs_one_is_kept_out() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let files = Files::new(&authority, &authority.sign("server"));
    let caller = Files::new(&authority, &authority.sign("caller"));
    let forger = Files::new(&authority, &stranger.sign("forger"));
    let anonymous = Tls::load(&caller.trusting()).unwrap().unwrap();
    assert!(anonymous.server().is_none(), "a CA alone makes no server");
    for (auth, with, without) in [
        (ClientAuth::None, Some("nobody"), Some("nobody")),
        (ClientAuth::Optional, Some("caller.test"), Some("nobody")),
        (ClientAuth::Required, Some("caller.test"), None),
    ] {
        let (server, _) = start(&files, auth).await;
        for (tls, expected) in [(caller.load(ClientAuth::None), with), (anonymous.clone(), without)] {
            let answer = match channel(server.address, tls).await {
                Ok(channel) => call(&channel, hello()).await.ok(),
                Err(_) => None,
            };
            assert_eq!(answer.as_deref(), expected, "{auth:?}");
        }
        if auth != ClientAuth::None {
            let forged = channel(server.address, forger.load(ClientAuth::None)).await;
            let answer = match forged {
                Ok(channel) => call(&channel, hello()).await.ok(),
                Err(_) => None,
            };
            assert_eq!(answer, None, "signed by another CA");
        }
        assert!(call(&channel(server.address, caller.load(ClientAuth::None)).await.unwrap(), hello()).await.is_ok());
        server.stop().await;
    }
}

#[tokio::test]
async fn speaks_both_versions_and_nothing_plain() {
    let authority = Authority::new();
    let files = Files::new(&authority, &authority.sign("server"));
    let (server, tls) = start(&files, ClientAuth::None).await;
    for version in [&TLS12, &TLS13] {
        let mut config = (*tls.client().unwrap()).clone();
        let one = rustls::ClientConfig::builder_with_provider(config.crypto_provider().clone());
        let mut roots = rustls::RootCertStore::empty();
        let ca = std::fs::read(files.path("ca.pem")).unwrap();
        use rustls_pki_types::pem::PemObject;
        roots.add(rustls_pki_types::CertificateDer::from_pem_slice(&ca).unwrap()).unwrap();
        config = one.with_protocol_versions(&[version]).unwrap().with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let stream = connect(server.address, Arc::new(config)).await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    }
    let plain = tonic::transport::Endpoint::from_shared(format!("http://{}", server.address)).unwrap();
    let refused = match plain.connect().await {
        Ok(channel) => call(&channel, hello()).await.is_err(),
        Err(_) => true,
    };
    assert!(refused);
    let text = server.metrics.text();
    assert!(text.contains(r#"wenzhen_tls_handshakes_total{outcome="ok"} 2"#), "{text}");
    assert!(text.contains(r#"wenzhen_tls_handshakes_total{outcome="failed"}"#), "{text}");
    server.stop().await;
}

#[tokio::test]
async fn stalled_handshakes_keep_nobody_out_and_are_closed() {
    let authority = Authority::new();
    let files = Files::new(&authority, &authority.sign("server"));
    let tls = files.load(ClientAuth::None);
    let limits = Limits { connect_timeout: Duration::from_secs(2), ..Limits::default() };
    let server = Running::secure(who(), limits, Some(tls.clone())).await;
    let mut stalled = Vec::new();
    // More than may shake hands at once.
    for _ in 0..300 {
        stalled.push(TcpStream::connect(server.address).await.unwrap());
    }
    let channel = channel(server.address, tls).await.unwrap();
    assert!(call(&channel, hello()).await.is_ok());
    for mut stream in stalled {
        assert_eq!(stream.read(&mut [0; 1]).await.unwrap_or(0), 0, "closed without a word");
    }
    let text = server.metrics.text();
    assert!(text.contains(r#"handshakes_total{outcome="crowded_out"}"#), "{text}");
    assert!(text.contains(r#"handshakes_total{outcome="timeout"}"#), "{text}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_exchanged_under_load_without_a_failure() {
    let authority = Authority::new();
    let files = Files::new(&authority, &authority.sign("server"));
    let (server, tls) = start(&files, ClientAuth::Required).await;
    tls.watch(Duration::from_millis(5), &server.metrics);
    let (stop, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let caller = tokio::spawn({
        let (tls, stop, calls, address) = (tls.clone(), Arc::clone(&stop), Arc::clone(&calls), server.address);
        async move {
            let steady = channel(address, tls.clone()).await.unwrap();
            while !stop.load(Ordering::Relaxed) {
                // One connection that lives on, and a new one for each call.
                assert!(call(&steady, hello()).await.is_ok());
                assert!(call(&channel(address, tls.clone()).await.unwrap(), hello()).await.is_ok());
                calls.fetch_add(2, Ordering::Relaxed);
            }
        }
    });
    let mut last = shown(server.address, tls.client().unwrap()).await.unwrap();
    for round in 0..3 {
        files.exchange(&authority.sign(&format!("server-{round}")));
        last = changed(&server, &tls, &last).await;
    }
    let seen = calls.load(Ordering::Relaxed);
    while calls.load(Ordering::Relaxed) < seen + 10 && !caller.is_finished() {
        tokio::task::yield_now().await;
    }
    stop.store(true, Ordering::Relaxed);
    caller.await.expect("no call failed");
    let text = server.metrics.text();
    let expires = format!("wenzhen_tls_certificate_expiry_seconds{{}} {}", tls.expires().unwrap());
    assert!(text.contains(r#"wenzhen_tls_reloads_total{outcome="ok"}"#) && text.contains(&expires), "{text}");
    server.stop().await;
}

/// Connects until another certificate is shown.
async fn changed(server: &Running, tls: &Tls, last: &[u8]) -> Vec<u8> {
    loop {
        let now = shown(server.address, tls.client().unwrap()).await.unwrap();
        if now != last {
            return now;
        }
    }
}

#[tokio::test]
async fn what_does_not_belong_together_leaves_the_last_good_set_in_use() {
    let (authority, other) = (Authority::new(), Authority::new());
    let files = Files::new(&authority, &authority.sign("server"));
    let (server, tls) = start(&files, ClientAuth::None).await;
    let good = shown(server.address, tls.client().unwrap()).await.unwrap();
    let next = authority.sign("next");
    let expired = authority.sign_with("old", |params| params.not_after = rcgen::date_time_ymd(2020, 1, 1));
    for broken in ["", "no certificate", &other.sign("stranger").certificate, &expired.certificate] {
        files.write("cert.pem", broken);
        assert!(matches!(tls.reload(), Reload::Unsettled), "it may be half written");
        assert!(matches!(tls.reload(), Reload::Refused(_)), "it stays so");
        assert!(matches!(tls.reload(), Reload::Unchanged), "said once");
        assert_eq!(shown(server.address, tls.client().unwrap()).await.unwrap(), good);
    }
    std::fs::remove_file(files.path("key.pem")).unwrap();
    assert!(matches!(tls.reload(), Reload::Unsettled));
    assert!(matches!(tls.reload(), Reload::Refused(TlsError::Unreadable { .. })));
    files.exchange(&next);
    assert!(matches!(tls.reload(), Reload::Changed));
    assert_ne!(shown(server.address, tls.client().unwrap()).await.unwrap(), good);
    server.stop().await;
}

#[test]
fn a_set_that_does_not_work_is_refused_with_the_flag_that_names_it() {
    let authority = Authority::new();
    let files = Files::new(&authority, &authority.sign("server"));
    let good = files.args(ClientAuth::Required);
    assert!(Tls::load(&TlsArgs::default()).unwrap().is_none());
    let cases = [
        ("--tls-cert", true, TlsArgs { tls_key: None, ..good.clone() }),
        ("--tls-key", true, TlsArgs { tls_cert: None, tls_client_auth: None, ..good.clone() }),
        ("--tls-client-auth", true, TlsArgs { tls_ca: None, ..good.clone() }),
        ("--tls-client-auth", true, TlsArgs { tls_client_auth: Some(ClientAuth::Optional), ..TlsArgs::default() }),
        ("--tls-cert", false, TlsArgs { tls_cert: Some("nowhere.pem".into()), ..good.clone() }),
        ("--tls-cert", false, TlsArgs { tls_cert: good.tls_key.clone(), ..good.clone() }),
        ("--tls-key", false, TlsArgs { tls_key: good.tls_cert.clone(), ..good.clone() }),
        ("--tls-ca", false, TlsArgs { tls_ca: good.tls_key.clone(), ..good.clone() }),
    ];
    for (flag, contradiction, args) in cases {
        let error = Tls::load(&args).expect_err(flag);
        assert!(error.to_string().contains(flag), "{flag}: {error}");
        assert_eq!(error.is_contradiction(), contradiction, "{flag}: {error}");
    }
    files.write("key.pem", &authority.sign("another").key);
    let error = Tls::load(&good).expect_err("a key of another certificate");
    assert!(matches!(error, TlsError::Together(_)), "{error}");
    let alone = Tls::load(&TlsArgs { tls_ca: None, tls_client_auth: None, ..good.clone() });
    assert!(alone.is_err());
    files.exchange(&authority.sign("server"));
    let alone = Tls::load(&TlsArgs { tls_ca: None, tls_client_auth: None, ..good }).unwrap().unwrap();
    assert!(matches!(alone.client(), Err(TlsError::NoCa)) && alone.server().is_some());
}
