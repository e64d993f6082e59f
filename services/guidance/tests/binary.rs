//! The binary: from NOT_SERVING to drained; its settings; and in one line why it does not start.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use wenzhen_proto::clinical::v1::Pins;
use wenzhen_proto::guidance::v1::guidance_service_client::GuidanceServiceClient;
use wenzhen_proto::guidance::v1::{DescribeRequest, InterpretRequest};
use wenzhen_service::testing::{Binary, channel, lifecycle, refused};

const PROGRAM: &str = env!("CARGO_BIN_EXE_wenzhen-guidance");

fn pack() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs/tcm")
}

#[tokio::test]
async fn is_not_ready_then_answers_then_drains() {
    let call = async |channel: Channel| {
        let mut client = GuidanceServiceClient::new(channel);
        let held = client.describe(DescribeRequest::default()).await?.into_inner().packs;
        let pins = Some(Pins { pack_digest: held[0].digest.clone(), ..Pins::default() });
        let request = InterpretRequest { pins, text: "hello".to_owned(), turn: 1, ..InterpretRequest::default() };
        Ok(client.interpret(request).await?.metadata().clone())
    };
    lifecycle(PROGRAM, &[], &pack(), call).await.unwrap();
}

#[tokio::test]
async fn a_flag_comes_before_the_environment_and_that_before_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    std::fs::write(&file, "instance = \"file\"\nmax_in_flight = 3\nmethod_limit = [\"GuidanceService/Ask=1\"]\n")
        .unwrap();
    let file = file.to_str().unwrap();
    let from_environment = [("WENZHEN_CONFIG", file), ("WENZHEN_INSTANCE", "environment")];
    type Source<'s> = (&'s [&'s str], &'s [(&'s str, &'s str)], &'s str);
    let sources: [Source<'_>; 3] = [
        (&["--config", file, "--instance", "flag"], &from_environment, "flag"),
        (&[], &from_environment, "environment"),
        (&["--config", file], &[], "file"),
    ];
    for (flags, environment, expected) in sources {
        let mut process = Binary::service(PROGRAM, flags, environment).unwrap();
        let channel = channel(process.address("serving").await.unwrap()).unwrap();
        let answer = HealthClient::new(channel).check(HealthCheckRequest::default()).await.unwrap();
        assert_eq!(answer.metadata().get("wenzhen-instance").unwrap(), expected);
        // The pack may still be loading: that must not hold up the end.
        process.terminate().await.unwrap();
        let ended = process.ended().await.unwrap();
        assert!(ended.status.success() && ended.lines.is_empty(), "{ended:?}");
    }
}

/// Exit code, what the one line must name, and the arguments.
type Mistake<'a> = (i32, &'a [&'a str], Vec<&'a str>);

#[tokio::test]
async fn what_is_wrong_with_the_flags_is_told_in_one_line() {
    let mistakes: Vec<Mistake> = vec![
        (2, &["--no-such-flag"], vec!["--no-such-flag"]),
        (2, &["--listen", "nowhere"], vec!["--listen", "nowhere"]),
        (
            2,
            &["--listen", "--admin-listen", "same port"],
            vec!["--listen=0.0.0.0:7000", "--admin-listen=127.0.0.1:7000"],
        ),
        (2, &["--sample-ratio"], vec!["--sample-ratio", "2"]),
        (2, &["--log-format", "pretty, json"], vec!["--log-format", "xml"]),
        (2, &["--log-filter"], vec!["--log-filter", "wenzhen=loud"]),
        (2, &["--otlp-endpoint"], vec!["--otlp-endpoint", "not a url"]),
        (2, &["--method-limit", "NoService/None"], vec!["--method-limit", "NoService/None=3"]),
        (2, &["--instance"], vec!["--instance", "two words"]),
        (2, &["--pack-digest"], vec!["--pack-digest", "xyz"]),
        (2, &["--tls-key"], vec!["--tls-cert", "a.pem"]),
        (2, &["--tls-cert"], vec!["--tls-client-auth", "required"]),
        (2, &["--tls-ca"], vec!["--tls-cert=a.pem", "--tls-key=b.pem", "--tls-client-auth=required"]),
        (2, &["--config", "nowhere.toml"], vec!["--config", "nowhere.toml"]),
    ];
    assert_refused(mistakes).await;
}

#[tokio::test]
async fn what_is_wrong_around_the_process_is_told_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let free = ["--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"];
    let with = |more: [&'static str; 2]| [&free[..], &more].concat();
    let mistakes: Vec<Mistake> = vec![
        (1, &["--listen", "in use"], vec!["--listen", &taken, "--admin-listen=127.0.0.1:0"]),
        (1, &["--admin-listen", "in use"], vec!["--listen=127.0.0.1:0", "--admin-listen", &taken]),
        (1, &["--tls-ca", "nowhere.pem"], with(["--tls-ca", "nowhere.pem"])),
        (1, &["--pack", "nowhere"], with(["--pack", "nowhere"])),
        (1, &["--pack", "no such file"], with(["--pack", env!("CARGO_MANIFEST_DIR")])),
        (1, &["--pack-digest", "0123456789ab"], with(["--pack-digest", "0123456789ab"])),
    ];
    assert_refused(mistakes).await;
}

#[tokio::test]
async fn what_is_wrong_in_the_file_is_told_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    let file = file.to_str().unwrap();
    for (text, named) in [
        ("listen = ", "line 1"),
        ("\n\nlisten = [\n", "line"),
        ("lisen = \"127.0.0.1:0\"", "lisen: unknown key"),
        ("admin-listen = \"127.0.0.1:0\"", "admin-listen: unknown key"),
        ("config = \"other.toml\"", "config: unknown key"),
        ("max_in_flight = \"many\"", "max_in_flight: expected a whole number, found a string"),
        ("max_in_flight = 0", "max_in_flight: invalid value"),
        ("sample_ratio = true", "sample_ratio: expected a number, found true or false"),
        ("listen = 7000", "listen: expected a string, found a whole number"),
        ("listen = [\"127.0.0.1:0\", \"127.0.0.1:0\"]", "listen: expected a string, found an array"),
        ("[limits]\nmax_in_flight = 3", "limits: unknown key"),
        ("tls_cert = \"a.pem\"", "--tls-key"),
    ] {
        std::fs::write(file, text).unwrap();
        assert_refused(vec![(2, &[named], vec!["--config", file])]).await;
    }
}

async fn assert_refused(mistakes: Vec<Mistake<'_>>) {
    for (code, named, arguments) in mistakes {
        let (ended, line) = refused(PROGRAM, &arguments).await.unwrap();
        assert_eq!(ended, Some(code), "{arguments:?}: {line}");
        assert_eq!(line.lines().count(), 1, "{arguments:?}: {line}");
        let all = named.iter().all(|part| line.contains(part)) && line.starts_with("wenzhen-guidance: ");
        assert!(all, "{arguments:?}: {line}");
    }
}
