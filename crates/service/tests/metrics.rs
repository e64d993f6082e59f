//! Metrics per method and code, and the admin port that shows them.
#![allow(clippy::unwrap_used, reason = "a failed setup fails the test")]

mod support;

use std::net::SocketAddr;

use support::{Running, Unary, call, hello};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::{Code, Status};
use wenzhen_service::{Limits, Metrics, Readiness, Services, admin};

async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    reply
}

#[tokio::test]
async fn calls_are_counted_by_method_and_code() {
    let service = Unary::new(|request| async move {
        match request.into_inner().as_str() {
            "bad" => Err(Status::invalid_argument("no")),
            words => Ok(words.to_owned()),
        }
    });
    let server = Running::start(Services::new().with(service), Limits::default()).await;
    let admin = admin::open("127.0.0.1:0".parse().unwrap(), Readiness::new(), server.metrics.clone()).unwrap();
    let channel = server.channel().await;
    for words in ["good", "good", "bad"] {
        let _ = call(&channel, tonic::Request::new(words.to_owned())).await;
    }
    let stray = http::uri::PathAndQuery::from_static("/wenzhen.kg.v1.KgServiceX/MadeUp");
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<String, String>::default();
    let unknown = grpc.unary(hello(), stray, codec).await.unwrap_err();
    assert_eq!(unknown.code(), Code::Unimplemented);

    let text = get(admin.address(), "/metrics").await;
    for line in [
        r#"wenzhen_rpc_requests_total{method="wenzhen.kg.v1.KgService/Describe",code="OK"} 2"#,
        r#"wenzhen_rpc_requests_total{method="wenzhen.kg.v1.KgService/Describe",code="INVALID_ARGUMENT"} 1"#,
        r#"wenzhen_rpc_requests_total{method="other",code="UNIMPLEMENTED"} 1"#,
        r#"wenzhen_rpc_duration_seconds_count{method="wenzhen.kg.v1.KgService/Describe"} 3"#,
        r#"wenzhen_rpc_in_flight{method="wenzhen.kg.v1.KgService/Describe"} 0"#,
        "# EOF",
    ] {
        assert!(text.contains(line), "{line} is not in:\n{text}");
    }
    assert!(!text.contains("MadeUp"), "a caller must not make labels");
    server.stop().await;
}

#[tokio::test]
async fn the_admin_port_gives_a_reason_per_dependency() {
    let readiness = Readiness::new();
    let (pack, store) = (readiness.dependency("pack"), readiness.dependency("store"));
    let admin = admin::open("127.0.0.1:0".parse().unwrap(), readiness, Metrics::new()).unwrap();
    pack.up();
    store.down("connection refused");
    let reply = get(admin.address(), "/readyz").await;
    assert!(reply.starts_with("HTTP/1.1 503"), "{reply}");
    let body: serde_json::Value = serde_json::from_str(reply.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(body["dependencies"]["store"]["reason"], "connection refused");
    assert_eq!(body["dependencies"]["pack"]["up"], true);
    assert!(get(admin.address(), "/livez").await.starts_with("HTTP/1.1 200"), "alive though not ready");
    store.up();
    assert!(get(admin.address(), "/readyz").await.starts_with("HTTP/1.1 200"));

    let address = admin.address();
    drop(admin);
    assert!(TcpStream::connect(address).await.is_err(), "closed with its handle");
}
