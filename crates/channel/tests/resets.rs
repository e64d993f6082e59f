//! Callers who leave their streams early, again and again, and a server whose frames are still on their way: the
//! connection is nobody's in particular, and has to last.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use support::network::Names;
use support::{caller, connect, quick};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tonic_health::pb::HealthCheckRequest;
use wenzhen_channel::Settings;

/// After this time h2 has forgotten that it reset a stream, and takes what comes for it as a fault: so many of those
/// end a connection by its default.
const FORGOTTEN: Duration = Duration::from_millis(1_100);
const FAULTS: usize = 1024;

/// A server by hand, for no library goes on sending after a stream was reset: it answers every call with one message,
/// and sends a second one on each stream when that has been reset for [`FORGOTTEN`].
struct Stubborn {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    late: Arc<AtomicUsize>,
}

impl Stubborn {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, late) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (accepted, sent) = (Arc::clone(&connections), Arc::clone(&late));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                accepted.fetch_add(1, Ordering::Relaxed);
                // It ends when the client has gone.
                tokio::spawn(serve(stream, Arc::clone(&sent)));
            }
        });
        Self { address, connections, late }
    }
}

/// A frame: length, kind, flags, stream, payload (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

async fn serve(mut stream: TcpStream, late: Arc<AtomicUsize>) -> std::io::Result<()> {
    const DATA: u8 = 0;
    const HEADERS: u8 = 1;
    const RST_STREAM: u8 = 3;
    const SETTINGS: u8 = 4;
    const PING: u8 = 6;
    const ACK: u8 = 1;
    const END_HEADERS: u8 = 4;
    // `:status: 200` and `content-type` (31 of the static table) by HPACK; then a message that is empty.
    let head = [&[0x88, 0x0f, 0x10, 16][..], b"application/grpc"].concat();
    let message = [0; 5];
    let mut left: VecDeque<(Instant, u32)> = VecDeque::new();
    stream.read_exact(&mut [0; 24]).await?;
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await?;
    let mut header = [0; 9];
    loop {
        stream.read_exact(&mut header).await?;
        let mut payload = vec![0; u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize];
        stream.read_exact(&mut payload).await?;
        let number = u32::from_be_bytes([header[5], header[6], header[7], header[8]]);
        match (header[3], header[4] & ACK) {
            (SETTINGS, 0) => stream.write_all(&frame(SETTINGS, ACK, 0, &[])).await?,
            (PING, 0) => stream.write_all(&frame(PING, ACK, 0, &payload)).await?,
            (HEADERS, _) => {
                let answer = [frame(HEADERS, END_HEADERS, number, &head), frame(DATA, 0, number, &message)].concat();
                stream.write_all(&answer).await?;
            }
            (RST_STREAM, _) => left.push_back((Instant::now(), number)),
            _ => {}
        }
        while let Some((_, number)) = left.front().copied().filter(|(at, _)| at.elapsed() >= FORGOTTEN) {
            left.pop_front();
            stream.write_all(&frame(DATA, 0, number, &message)).await?;
            late.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_outlasts_thousands_of_streams_that_were_left_early() {
    let server = Stubborn::start().await;
    let names = Names::of([server.address]);
    let (channel, _) = connect(Settings { resolver: Arc::new(names), ..quick() });
    let mut caller = caller(&channel);
    let mut calls = 0;
    while server.late.load(Ordering::Relaxed) <= FAULTS * 2 {
        let mut items = caller.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
        items.message().await.unwrap().unwrap();
        drop(items);
        calls += 1;
        assert!(calls < 1_000_000, "the server does not notice that its streams were reset");
    }
    assert_eq!(server.connections.load(Ordering::Relaxed), 1, "after {calls} calls");
}
