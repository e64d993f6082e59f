//! Callers that break the protocol or stall: they are turned away, and everybody else is served.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use support::wire::{PREFACE, RST_STREAM, SETTINGS, Stalled, closed_after, frame, request};
use support::{INSTANCE, Running, STREAM, Streams, UNARY, Unary, call, hello, open};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use wenzhen_service::{Deadline, Limits, Services, status};

async fn start(limits: Limits) -> Running {
    Running::start(Services::new().with(Unary::echo()), limits).await
}

/// Somebody else is served, on a connection of its own.
async fn assert_healthy(server: &Running) {
    assert_eq!(call(&server.channel().await, hello()).await.unwrap(), "hello");
}

#[tokio::test]
async fn malformed_frames_close_their_connection_only() {
    let server = start(Limits::default()).await;
    let settings = frame(SETTINGS, 0, 0, &[]);
    for bytes in [
        // Another protocol.
        b"GET / HTTP/1.1\r\nhost: test\r\n\r\n\r\n\r\n".to_vec(),
        // A TLS hello to a plain port.
        [&[22, 3, 1, 2, 0][..], &[1; 64]].concat(),
        // Settings of an odd length, on a stream, and a frame larger than allowed.
        [PREFACE, &frame(SETTINGS, 0, 0, &[1])].concat(),
        [PREFACE, &frame(SETTINGS, 0, 3, &[])].concat(),
        [PREFACE, &settings, &[0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1], &[0; 32]].concat(),
        // Header compression that refers to nothing, and a request on an even stream.
        [PREFACE, &settings, &frame(1, 5, 1, &[0xff, 0xff, 0xff, 0xff])].concat(),
        [PREFACE, &settings, &request(2)].concat(),
        // A reset of a stream that never was.
        [PREFACE, &settings, &frame(RST_STREAM, 0, 9, &[0; 4])].concat(),
    ] {
        closed_after(server.address, &bytes).await;
        assert_healthy(&server).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn a_flood_of_resets_closes_its_connection_only() {
    let server = start(Limits::default()).await;
    let mut flood = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    for n in 0..5000 {
        let stream = 2 * n + 1;
        flood.extend(request(stream));
        flood.extend(frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]));
    }
    closed_after(server.address, &flood).await;
    assert_healthy(&server).await;
    server.stop().await;
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused() {
    let server = start(Limits::default()).await;
    let channel = server.channel().await;
    let large = tonic::Request::new("x".repeat(5 << 20));
    assert_eq!(call(&channel, large).await.unwrap_err().code(), Code::OutOfRange);
    assert_eq!(call(&channel, hello()).await.unwrap(), "hello", "on the same connection");
    server.stop().await;
}

/// Calls with a header as it stands: the client library would check it.
async fn with_timeout(server: &Running, timeout: &str) -> Result<String, Status> {
    let mut grpc = tonic::client::Grpc::new(server.channel().await);
    grpc.ready().await.unwrap();
    let mut request = hello();
    request.metadata_mut().insert("grpc-timeout", timeout.parse().unwrap());
    let path = http::uri::PathAndQuery::from_static(support::UNARY);
    let codec = tonic_prost::ProstCodec::<String, String>::default();
    grpc.unary(request, path, codec).await.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn a_malformed_timeout_is_refused_and_a_long_one_is_cut() {
    let left = Unary::new(|request| async move {
        Ok(Deadline::of(&request).map_or(0, |deadline| deadline.remaining().as_secs()).to_string())
    });
    let limits = Limits::default();
    let longest = limits.max_deadline.as_secs();
    let server = Running::start(Services::new().with(left), limits).await;
    for bad in ["soon", "5", "-1S", "1.5S", "123456789m", "S", "5x"] {
        let refused = with_timeout(&server, bad).await.unwrap_err();
        assert_eq!(
            (refused.code(), status::reason(&refused).as_deref()),
            (Code::InvalidArgument, Some("INVALID_ARGUMENT"))
        );
        let fields = refused.get_details_bad_request().unwrap().field_violations;
        assert_eq!(fields[0].field, "grpc-timeout");
        assert_eq!(refused.metadata().get("wenzhen-instance").unwrap(), INSTANCE);
    }
    let allowed: u64 = with_timeout(&server, "99999999H").await.unwrap().parse().unwrap();
    assert!((longest - 5..=longest).contains(&allowed), "{allowed} s of at most {longest} s");
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_does_not_begin_to_speak_is_shown_the_door() {
    let server = start(Limits::default()).await;
    let patience = Limits::default().connect_timeout;
    for beginning in [&b""[..], b"P", &PREFACE[..23]] {
        let begun = tokio::time::Instant::now();
        closed_after(server.address, beginning).await;
        assert!(begun.elapsed() < patience * 2, "{:?}", begun.elapsed());
    }
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_stops_in_the_middle_of_a_frame_is_shown_the_door() {
    let server = start(Limits::default()).await;
    let begun = tokio::time::Instant::now();
    // The head of a frame of 100 bytes, and one of them.
    let half = [PREFACE, &frame(SETTINGS, 0, 0, &[]), &[0, 0, 100, 1, 4, 0, 0, 0, 1, 0x83]].concat();
    closed_after(server.address, &half).await;
    assert!(begun.elapsed() <= Duration::from_secs(60), "{:?}", begun.elapsed());
    server.stop().await;
}

#[tokio::test]
async fn a_thousand_idle_connections_are_in_nobodys_way() {
    const IDLE: usize = 1000;
    // Both ends of each are in this process.
    let files = getrlimit(Resource::Nofile);
    let enough = files.maximum.map_or(4096, |most| most.min(4096));
    if files.current.is_some_and(|now| now < enough) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(enough), maximum: files.maximum }).unwrap();
    }
    let server = start(Limits::default()).await;
    let mut idle = Vec::new();
    for _ in 0..IDLE {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).await.unwrap();
        // The server's first frame: it has taken the connection over.
        stream.read_exact(&mut [0; 9]).await.unwrap();
        idle.push(stream);
    }
    let channel = server.channel().await;
    for _ in 0..100 {
        assert_eq!(call(&channel, hello()).await.unwrap(), "hello");
    }
    assert_eq!(idle.len(), IDLE);
    drop(idle);
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_an_answer_holds_nothing_up() {
    let limits = Limits { max_in_flight: 1, max_watches: 1, max_waiting: 0, ..Limits::default() };
    let (idle, streams) = (limits.stream_idle, Streams::new(|| futures::stream::repeat_with(|| Ok("more".to_owned()))));
    let server = Running::start(Services::new().with(Unary::echo()).with(streams), limits).await;
    let _unary = Stalled::call(server.address, UNARY).await;
    assert_healthy(&server).await;

    let _stream = Stalled::call(server.address, STREAM).await;
    let channel = server.channel().await;
    assert_eq!(open(&channel, hello()).await.unwrap_err().code(), Code::ResourceExhausted);
    tokio::time::sleep(idle * 3).await;
    assert!(open(&channel, hello()).await.is_ok(), "the place was taken back");
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_sends_only_the_head_of_a_call_holds_nothing_up_for_long() {
    let limits = Limits { max_in_flight: 1, max_waiting: 0, ..Limits::default() };
    let within = limits.request_timeout;
    let server = Running::start(Services::new().with(Unary::echo()), limits).await;
    let _head = Stalled::head(server.address, UNARY, "3600S").await;
    let channel = server.channel().await;
    while call(&channel, hello()).await.is_ok() {
        // The head is not there yet.
    }
    tokio::time::sleep(within + Duration::from_secs(1)).await;
    assert_eq!(call(&channel, hello()).await.unwrap(), "hello", "the place was given back");
    assert!(server.metrics.text().contains(r#"Describe",code="DEADLINE_EXCEEDED"} 1"#));
    server.stop().await;
}
