//! HTTP/2 by hand, for what no client library would send.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;

/// A frame: length, kind, flags, stream, payload (RFC 9113, section 4.1).
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// `POST https /` by the static table of HPACK, without a body.
pub fn request(stream: u32) -> Vec<u8> {
    const END_STREAM_AND_HEADERS: u8 = 5;
    frame(HEADERS, END_STREAM_AND_HEADERS, stream, &[0x83, 0x87, 0x84])
}

/// Sends bytes and waits until the server has closed the connection.
pub async fn closed_after(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut reply = Vec::new();
    // A reset is an end as well.
    let _ = stream.read_to_end(&mut reply).await;
    reply
}

/// A caller who makes a call and answers pings, but gives no room for any byte of an answer.
pub struct Stalled {
    _answers_pings: tokio::task::JoinHandle<()>,
}

impl Stalled {
    /// Calls, and waits for the head of the answer.
    pub async fn call(address: SocketAddr, path: &str) -> Self {
        const END_STREAM: u8 = 1;
        // An empty message.
        let message = frame(0, END_STREAM, 1, &[0; 5]);
        let (stalled, answer) = Self::send(address, &head(path, None), &message).await;
        answer.await.unwrap();
        stalled
    }

    /// Sends the head of a call with this timeout, and nothing else.
    pub async fn head(address: SocketAddr, path: &str, timeout: &str) -> Self {
        Self::send(address, &head(path, Some(timeout)), &[]).await.0
    }

    async fn send(address: SocketAddr, headers: &[u8], more: &[u8]) -> (Self, oneshot::Receiver<()>) {
        const INITIAL_WINDOW: [u8; 6] = [0, 4, 0, 0, 0, 0];
        const END_HEADERS: u8 = 4;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let settings = frame(SETTINGS, 0, 0, &INITIAL_WINDOW);
        let bytes = [PREFACE, &settings, &frame(HEADERS, END_HEADERS, 1, headers), more].concat();
        stream.write_all(&bytes).await.unwrap();
        let (answered, answer) = oneshot::channel();
        (Self { _answers_pings: tokio::spawn(answer_pings(stream, answered)) }, answer)
    }
}

/// The head of a gRPC call: literals that are not indexed.
fn head(path: &str, timeout: Option<&str>) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    // Names 4 and 31 of the static table are `:path` and `content-type`.
    let mut head = [&[0x83, 0x86, 0x04][..], &text(path), &[0x0f, 0x10], &text("application/grpc")].concat();
    for (name, value) in [("te", Some("trailers")), ("grpc-timeout", timeout)] {
        if let Some(value) = value {
            head.extend([&[0x00][..], &text(name), &text(value)].concat());
        }
    }
    head
}

/// Reads frames; says when the headers of the response have come.
async fn answer_pings(mut stream: TcpStream, answered: oneshot::Sender<()>) {
    const PING: u8 = 6;
    const ACK: u8 = 1;
    let mut answered = Some(answered);
    let mut head = [0; 9];
    while stream.read_exact(&mut head).await.is_ok() {
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        stream.read_exact(&mut payload).await.unwrap();
        match (head[3], head[4]) {
            (PING, 0) => stream.write_all(&frame(PING, ACK, 0, &payload)).await.unwrap(),
            (HEADERS, _) => drop(answered.take().map(|answered| answered.send(()))),
            _ => {}
        }
    }
}
