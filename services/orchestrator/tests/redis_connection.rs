//! Connections to Redis: login, TLS, what is refused, what is said about a server, how readiness follows.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use support::groups::{Cluster, Watched};
use support::server::{Server, free_port};
use support::{connect, settings, until};
use wenzhen_redis::{Durability, Redis, RedisError, Settings};
use wenzhen_service::Readiness;

async fn refused(settings: Settings) -> String {
    match connect(settings).await {
        Err(error @ RedisError::Misconfigured(_)) => error.to_string(),
        other => panic!("not refused: {other:?}"),
    }
}

async fn works(redis: &Redis) {
    let () = redis.run(redis::cmd("SET").arg("k").arg("v")).await.unwrap();
    assert_eq!(redis.run::<String>(redis::cmd("GET").arg("k")).await, Ok("v".into()));
}

fn file(folder: &Path, name: &str, text: &str) -> Option<PathBuf> {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    Some(path)
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_right_password_opens() {
    let user = ["--user", "wenzhen", "on", ">for one", "~*", "&*", "+@all", "-config"];
    let server = Server::with(&[&["--requirepass", "for all"], user.as_slice()].concat()).await;
    let folder = server.folder();
    let open = Settings { password_file: file(folder, "all", "for all\n"), ..settings(&server.url()) };
    works(&connect(open.clone()).await.unwrap()).await;
    let named = Settings { username: Some("wenzhen".into()), password_file: file(folder, "one", "for one"), ..open };
    let redis = connect(named.clone()).await.unwrap();
    works(&redis).await;
    assert_eq!(redis.servers()[0].eviction, None, "this user may not ask");
    let wrong = Settings { password_file: file(folder, "wrong", "sesame"), ..named };
    assert_eq!(refused(wrong).await, "Redis cannot be used: wrong user or password");
    assert!(refused(settings(&server.url())).await.contains("--redis-password-file"));
}

fn authority() -> (String, Issuer<'static, KeyPair>) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    (pem, Issuer::new(params, key))
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_needs_a_certificate_by_the_named_authority() {
    let folder = tempfile::tempdir().unwrap();
    let (pem, issuer) = authority();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let path = |name: &str, text: &str| file(folder.path(), name, text).unwrap().display().to_string();
    let (ca, cert, key) = (path("ca", &pem), path("cert", &certificate.pem()), path("key", &key.serialize_pem()));
    let port = free_port().to_string();
    let files = ["--tls-cert-file", &cert, "--tls-key-file", &key, "--tls-ca-cert-file", &ca];
    let arguments = [&["--tls-port", &port, "--tls-auth-clients", "no"], files.as_slice()].concat();
    let server = Server::with(&arguments).await;
    let url = format!("rediss://127.0.0.1:{port}");
    let redis = connect(Settings { ca_file: Some(ca.into()), ..settings(&url) }).await.unwrap();
    works(&redis).await;
    let mut subscription = redis.subscribe().await.unwrap();
    subscription.add(&["news".into()]).await.unwrap();
    let _: u64 = redis.run(redis::cmd("PUBLISH").arg("news").arg("x")).await.unwrap();
    assert_eq!(subscription.next().await.unwrap().payload, b"x");
    let stranger = Settings { ca_file: file(server.folder(), "other", &authority().0), ..settings(&url) };
    assert!(refused(stranger).await.contains("certificate"));
    let plain = Settings { ca_file: None, ..settings(&format!("redis://127.0.0.1:{port}")) };
    assert!(connect(plain).await.is_err(), "no plain text on the TLS port");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_work_is_refused_with_a_reason() {
    let server = Server::volatile().await;
    let absent = connect(settings(&format!("redis://127.0.0.1:{}", free_port()))).await.unwrap_err();
    assert!(absent.is_unavailable() && absent.to_string().contains("refused"), "{absent}");
    let cluster = refused(settings(&format!("redis+cluster://127.0.0.1:{}", server.port))).await;
    assert!(cluster.contains("belongs to no cluster"), "{cluster}");
    let fsync = refused(Settings { durability: Durability::Fsync, ..settings(&server.url()) }).await;
    assert!(fsync.contains("appendonly no"), "{fsync}");
    let member = Server::with(&["--cluster-enabled", "yes", "--cluster-port", &free_port().to_string()]).await;
    assert!(refused(settings(&member.url())).await.contains("redis+cluster://"));
    let disk = Server::with(&["--appendonly", "yes", "--appendfsync", "everysec"]).await;
    let fsync = Settings { durability: Durability::Fsync, ..settings(&disk.url()) };
    let version: String = disk.ask(&["INFO", "server"]).await;
    if ["redis_version:6.", "redis_version:7.0."].iter().any(|old| version.contains(old)) {
        assert!(refused(fsync).await.contains("needs Redis 7.2"));
    } else {
        let redis = connect(fsync).await.unwrap();
        assert_eq!(redis.run_durably::<u64>(redis::cmd("INCR").arg("n")).await, Ok(1));
    }
    let always = Server::durable().await;
    let redis = connect(Settings { durability: Durability::Fsync, ..settings(&always.url()) }).await.unwrap();
    assert_eq!(redis.run_durably::<u64>(redis::cmd("INCR").arg("n")).await, Ok(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_endangers_records_is_said() {
    let sound = Server::durable().await;
    assert_eq!(connect(settings(&sound.url())).await.unwrap().servers()[0].warnings(), Vec::<String>::new());
    let unsound = Server::with(&["--maxmemory-policy", "allkeys-lru", "--appendonly", "no"]).await;
    let warnings = connect(settings(&unsound.url())).await.unwrap().servers()[0].warnings().join(" ");
    assert!(warnings.contains("allkeys-lru") && warnings.contains("appendonly no"), "{warnings}");
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_follows_the_server() {
    let mut server = Server::volatile().await;
    let readiness = Readiness::new();
    let redis = Redis::start(settings(&server.url()));
    redis.report_to(readiness.dependency("redis"));
    until("it is ready", async || readiness.is_ready()).await;
    server.kill();
    until("it is said", async || !readiness.is_ready()).await;
    let reason = &readiness.snapshot().dependencies["redis"].reason;
    assert!(reason.contains("unavailable"), "{reason}");
    assert!(redis.run::<String>(&redis::cmd("PING")).await.unwrap_err().is_unavailable());
    server.start().await;
    until("it is ready again", async || readiness.is_ready()).await;
    works(&redis).await;
    let mut begun = redis.clone().subscribe().await.unwrap();
    server.kill();
    assert!(begun.next().await.is_err(), "a subscription ends with its connection");
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_may_want_a_password_and_must_know_the_master() {
    let group = Watched::start(3, &[]).await;
    for server in [&group.master, &group.replica] {
        let () = server.ask(&["CONFIG", "SET", "requirepass", "sesame", "masterauth", "sesame"]).await;
    }
    for sentinel in &group.sentinels {
        let () = sentinel.ask(&["SENTINEL", "SET", "main", "auth-pass", "sesame"]).await;
        let () = sentinel.ask(&["ACL", "SETUSER", "default", "resetpass", ">sesame"]).await;
    }
    let password_file = file(group.master.folder(), "password", "sesame");
    let redis = connect(Settings { password_file: password_file.clone(), ..settings(&group.url()) }).await.unwrap();
    works(&redis).await;
    let unknown = group.url().replace("/main", "/other");
    assert!(refused(Settings { password_file, ..settings(&unknown) }).await.contains("know no master \"other\""));
}

/// What is written to it.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// On one thread, so that what the connection's keeper logs arrives here.
#[tokio::test]
async fn coming_and_going_is_in_the_log_and_no_key_is() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let holds = |words: &str| String::from_utf8_lossy(&log.0.lock()).contains(words);
    let mut server = Server::volatile().await;
    let redis = connect(settings(&server.url())).await.unwrap();
    assert!(holds("connected to Redis") && holds("appendonly no"));
    let refused = redis.run::<u64>(redis::cmd("GET").arg("sesame").arg("sesame")).await.unwrap_err();
    assert!(!refused.to_string().contains("sesame"), "{refused}");
    server.kill();
    until("it is said", async || holds("Redis went away")).await;
    server.start().await;
    until("it is said", async || holds("Redis is back") && holds("away_ms=")).await;
    assert!(!holds("sesame"));
}

/// One that was cut off from the sentinels goes on answering; what is written to it is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_master_that_was_replaced_is_left_though_it_answers() {
    let group = Watched::start(1, &[]).await;
    let other = Server::volatile().await;
    let redis = connect(settings(&group.url())).await.unwrap();
    works(&redis).await;
    let sentinel = &group.sentinels[0];
    let () = sentinel.ask(&["SENTINEL", "REMOVE", "main"]).await;
    let () = sentinel.ask(&["SENTINEL", "MONITOR", "main", "127.0.0.1", &other.port.to_string(), "1"]).await;
    until("the other one is used", async || {
        let _ = redis.run::<()>(redis::cmd("SET").arg("moved").arg(1)).await;
        other.ask::<u64>(&["EXISTS", "moved"]).await == 1
    })
    .await;
    assert_eq!(group.master.ask::<String>(&["PING"]).await, "PONG");
}

/// A read may block for longer than answers are waited for, and nothing else waits for it.
async fn blocks_alone(redis: &Redis) {
    let mut dedicated = redis.dedicated().await.unwrap();
    let read = tokio::spawn(async move {
        let mut command = redis::cmd("BLPOP");
        command.arg("queue").arg(10);
        dedicated.run::<(String, u64)>(&command, Duration::from_secs(10)).await
    });
    let begin = std::time::Instant::now();
    while begin.elapsed() < Duration::from_millis(600) {
        works(redis).await;
    }
    let _: u64 = redis.run(redis::cmd("RPUSH").arg("queue").arg(7)).await.unwrap();
    assert_eq!(read.await.unwrap(), Ok(("queue".into(), 7)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocking_read_has_its_own_connection() {
    let server = Server::volatile().await;
    blocks_alone(&connect(settings(&server.url())).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_cluster_too() {
    let mut cluster = Cluster::start().await;
    let redis = connect(settings(&cluster.url())).await.unwrap();
    assert_eq!(redis.servers().len(), 3);
    blocks_alone(&redis).await;
    let mut subscription = redis.subscribe().await.unwrap();
    subscription.add(&["news".into()]).await.unwrap();
    // Published at whichever server.
    for (number, server) in cluster.0.iter().enumerate() {
        let _: u64 = server.ask(&["PUBLISH", "news", &number.to_string()]).await;
        assert_eq!(subscription.next().await.unwrap().payload, number.to_string().as_bytes());
    }
    let all: Vec<String> = (0..100).map(|number| format!("key {number}")).collect();
    cluster.0[2].kill();
    let get = async |key: &String| redis.run::<Option<String>>(redis::cmd("GET").arg(key)).await;
    until("the loss is noticed", async || redis.check().is_err() || get(&all[0]).await.is_err()).await;
    cluster.0[2].start().await;
    for key in &all {
        until("all of it is back", async || get(key).await.is_ok()).await;
    }
}
