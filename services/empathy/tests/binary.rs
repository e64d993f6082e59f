//! The binary: from NOT_SERVING to drained, and in one line why it does not start.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tonic::transport::Channel;
use wenzhen_proto::clinical::v1::Pins;
use wenzhen_proto::empathy::v1::empathy_service_client::EmpathyServiceClient;
use wenzhen_proto::empathy::v1::{AssessRequest, DescribeRequest};
use wenzhen_service::testing::{Binary, lifecycle, refused};

const PROGRAM: &str = env!("CARGO_BIN_EXE_wenzhen-empathy");

#[tokio::test]
async fn is_not_ready_then_answers_then_drains() {
    let call = async |channel: Channel| {
        let mut client = EmpathyServiceClient::new(channel);
        let held = client.describe(DescribeRequest::default()).await?.into_inner().packs;
        let pins = Some(Pins { pack_digest: held[0].digest.clone(), ..Pins::default() });
        let request = AssessRequest { pins, text: "hello".to_owned(), ..AssessRequest::default() };
        Ok(client.assess(request).await?.metadata().clone())
    };
    let pack = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs/tcm");
    lifecycle(PROGRAM, &[], &pack, call).await.unwrap();
}

/// A server that fails once, and then says one word to everybody.
async fn engine() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut answer = "HTTP/1.1 503 Away\r\ncontent-length: 0\r\n\r\n".to_owned();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut heard = vec![0; 65_536];
            let _ = stream.read(&mut heard).await;
            let _ = stream.write_all(answer.as_bytes()).await;
            answer = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n\
                data: {\"choices\":[{\"delta\":{\"content\":\"yes\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
                .to_owned();
        }
    });
    url
}

#[tokio::test]
async fn a_model_is_waited_for_named_and_counted() {
    let url = engine().await;
    let mut service =
        Binary::service(PROGRAM, &["--voice=openai", "--model=small", "--engine-url", &url], &[]).unwrap();
    let admin = service.address("admin port").await.unwrap();
    service.event("the engine generates nothing yet").await.unwrap();
    service.event("the engine generates").await.unwrap();
    let mut stream = TcpStream::connect(admin).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut metrics = String::new();
    stream.read_to_string(&mut metrics).await.unwrap();
    for line in [
        "wenzhen_voice_answers_total{task=\"probe\",outcome=\"model\"} 1",
        "wenzhen_voice_answers_total{task=\"probe\",outcome=\"unavailable\"} 1",
        "wenzhen_llm_time_to_first_token_seconds_count{task=\"probe\"} 1",
        "wenzhen_llm_running_generations 0",
        "wenzhen_llm_waiting_generations 0",
        "wenzhen_llm_generated_tokens_total 1",
    ] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
    service.terminate().await.unwrap();
    assert!(service.ended().await.unwrap().status.success());
}

#[tokio::test]
async fn a_wrong_flag_is_told_in_one_line() {
    for (code, named, arguments) in [
        (2, "--max-waiting", &["--max-waiting", "many"][..]),
        (1, "--pack nowhere", &["--pack=nowhere"]),
        (2, "--model", &["--voice=openai", "--engine-url=http://127.0.0.1:9"]),
        // Said before the packs are read.
        (2, "--voice candle or openai", &["--model=small", "--pack=nowhere"]),
    ] {
        let ports = ["--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"];
        let (ended, line) = refused(PROGRAM, &[arguments, &ports].concat()).await.unwrap();
        assert_eq!((ended, line.lines().count()), (Some(code), 1), "{line}");
        assert!(line.starts_with("wenzhen-empathy: ") && line.contains(named), "{line}");
    }
}
