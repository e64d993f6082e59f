//! A panic ends a call, not the server, and its message stays inside.

mod support;

use futures::StreamExt;
use support::{Running, Streams, Unary, call, hello, open};
use tonic::Code;
use wenzhen_service::{Limits, Services};

#[tokio::test]
async fn a_panicking_handler_gives_internal_and_the_server_lives() {
    let service = Unary::new(|request| async move {
        let words = request.into_inner();
        assert!(words != "private", "quotes {words}");
        Ok(words)
    });
    let server = Running::start(Services::new().with(service), Limits { max_in_flight: 1, ..Limits::default() }).await;
    let channel = server.channel().await;
    for _ in 0..3 {
        let status = call(&channel, tonic::Request::new("private".to_owned())).await.unwrap_err();
        assert_eq!(status.code(), Code::Internal);
        assert!(!status.message().contains("private"), "{}", status.message());
    }
    assert_eq!(call(&channel, hello()).await.unwrap(), "hello", "same connection, permit given back");
    assert!(server.metrics.text().contains(r#"Describe",code="INTERNAL"} 3"#));
    server.stop().await;
}

#[tokio::test]
async fn a_panicking_stream_ends_with_internal_after_what_it_had_sent() {
    let items = || futures::stream::iter(0..3).map(|n| if n < 2 { Ok(n.to_string()) } else { panic!("private") });
    let server = Running::start(Services::new().with(Streams::new(items)), Limits::default()).await;
    let channel = server.channel().await;
    let mut stream = open(&channel, hello()).await.unwrap();
    let mut seen = Vec::new();
    let end = loop {
        match stream.message().await {
            Ok(Some(item)) => seen.push(item),
            Ok(None) => panic!("ended with OK"),
            Err(status) => break status,
        }
    };
    assert_eq!(end.code(), Code::Internal);
    assert!(open(&channel, hello()).await.is_ok());
    server.stop().await;
}
