//! The end of a server: running streams finish, new connections are refused, the budget bounds the wait.

mod support;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use support::{Running, Streams, hello, open};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};
use wenzhen_service::server::Drained;
use wenzhen_service::{Limits, Services, status};

type Item = Result<String, Status>;

/// A service with one stream, fed from here.
fn fed() -> (mpsc::Sender<Item>, Streams) {
    let (feed, items) = mpsc::channel::<Item>(4);
    let items = Arc::new(Mutex::new(Some(items)));
    (feed, Streams::new(move || ReceiverStream::new(items.lock().take().unwrap_or_else(|| mpsc::channel(1).1))))
}

#[tokio::test]
async fn a_running_stream_finishes_and_nothing_new_is_accepted() {
    let (feed, streams) = fed();
    let server = Running::start(Services::new().with(streams), Limits::default()).await;
    let pack = server.readiness.dependency("pack");
    pack.up();
    let channel = server.channel().await;
    let mut items = open(&channel, hello()).await.unwrap();
    feed.send(Ok("one".to_owned())).await.unwrap();
    assert_eq!(items.message().await.unwrap().as_deref(), Some("one"));

    server.shutdown.cancel();
    let mut readiness = server.readiness.watch();
    readiness.wait_for(|snapshot| snapshot.draining && !snapshot.ready).await.unwrap();
    // The socket closes right after readiness falls.
    while TcpStream::connect(server.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!server.task.is_finished(), "the stream still runs");
    feed.send(Ok("two".to_owned())).await.unwrap();
    assert_eq!(items.message().await.unwrap().as_deref(), Some("two"));
    drop(feed);
    assert_eq!(items.message().await.unwrap(), None, "ended with OK");
    assert_eq!(server.stop().await, Drained::Clean);
}

#[tokio::test]
async fn a_stream_that_does_not_finish_is_cut_with_a_status() {
    let (feed, streams) = fed();
    let limits = Limits { drain_budget: Duration::ZERO, ..Limits::default() };
    let server = Running::start(Services::new().with(streams), limits).await;
    let channel = server.channel().await;
    let mut items = open(&channel, hello()).await.unwrap();
    feed.send(Ok("one".to_owned())).await.unwrap();
    assert_eq!(items.message().await.unwrap().as_deref(), Some("one"));
    let drained = tokio::spawn(server.stop());
    let cut = items.message().await.unwrap_err();
    assert_eq!((cut.code(), status::reason(&cut).as_deref()), (Code::Unavailable, Some("SHUTTING_DOWN")));
    assert_eq!(drained.await.unwrap(), Drained::Cut);
}
