//! In-process channels: many calls at once, large messages, streams.

mod support;

use futures::StreamExt;
use futures::future::join_all;
use support::{Streams, Unary, call, hello, open};
use tonic::service::Routes;
use wenzhen_service::in_process;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn carries_many_calls_at_once_and_large_messages() {
    let (channel, server) = in_process(Routes::new(Unary::echo()));
    let calls = (0..200).map(|n| {
        let channel = channel.clone();
        // Larger than the pipe at times: flow control has to work.
        let words = "字".repeat(n * 600);
        async move { assert_eq!(call(&channel, tonic::Request::new(words.clone())).await.unwrap(), words) }
    });
    join_all(calls).await;
    server.stop().await;
}

#[tokio::test]
async fn carries_streams() {
    let hundred = Streams::new(|| futures::stream::iter(0..100).map(|n| Ok(n.to_string())));
    let (channel, _server) = in_process(Routes::new(hundred));
    let items: Vec<_> = open(&channel, hello()).await.unwrap().map(Result::unwrap).collect().await;
    assert_eq!(items.len(), 100);
    assert_eq!(items.last().map(String::as_str), Some("99"));
}
