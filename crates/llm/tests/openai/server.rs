//! A server over loopback that answers as a test tells it to, well or badly.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What is done with a request.
pub enum Reply {
    /// These bytes, then the connection is closed.
    Bytes(Vec<u8>),
    /// These bytes, then nothing, and the connection stays open.
    Stall(Vec<u8>),
    /// A well-formed stream of as many tokens as were allowed, which depend on the request alone.
    Tokens,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// First line and headers, in lower case.
    pub head: String,
    pub body: Value,
}

/// A server that is up while this lives.
pub struct Server {
    pub url: String,
    pub asked: Arc<Mutex<Vec<Asked>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    pub async fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (answer, seen) = (Arc::new(answer), Arc::clone(&asked));
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                let (answer, seen) = (Arc::clone(&answer), Arc::clone(&seen));
                tokio::spawn(async move {
                    // A client that goes away in the middle is no mistake of the server's.
                    let _ = serve(stream, &*answer, &seen).await;
                });
            }
        });
        Self { url, asked, task }
    }

    /// A server that does everything right.
    pub async fn good() -> Self {
        Self::start(|_| Reply::Tokens).await
    }

    pub fn requests(&self) -> usize {
        self.asked.lock().len()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A URL at which nobody listens.
pub async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

async fn serve(
    stream: TcpStream,
    answer: &(dyn Fn(&Asked) -> Reply + Send + Sync),
    seen: &Mutex<Vec<Asked>>,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let head = head.to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let asked = Asked { head, body: serde_json::from_slice(&body).unwrap_or_default() };
    seen.lock().push(asked.clone());
    match answer(&asked) {
        Reply::Bytes(bytes) => stream.write_all(&bytes).await,
        Reply::Stall(bytes) => {
            stream.write_all(&bytes).await?;
            std::future::pending().await
        }
        Reply::Tokens => tokens(&mut stream, &asked.body).await,
    }
}

async fn tokens(stream: &mut BufReader<TcpStream>, body: &Value) -> std::io::Result<()> {
    stream.write_all(HEAD.as_bytes()).await?;
    let most = body["max_tokens"].as_u64().unwrap_or(0);
    let mut state = body["messages"]
        .to_string()
        .bytes()
        .fold(body["seed"].as_u64().unwrap_or(0), |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    for _ in 0..most {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let letter = char::from(b'a' + u8::try_from((state >> 33) % 26).unwrap());
        stream.write_all(text(&letter.to_string()).as_bytes()).await?;
        stream.flush().await?;
        tokio::task::yield_now().await;
    }
    let counts = json!({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": most}});
    stream.write_all(format!("{}data: {counts}\n\ndata: [DONE]\n\n", finish("length")).as_bytes()).await
}

/// The head of a good answer; its end is that of the connection.
pub const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\nconnection: close\r\n\r\n";

/// A piece of text as an event.
pub fn text(text: &str) -> String {
    format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]}))
}

/// The last event of a text.
pub fn finish(reason: &str) -> String {
    format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}))
}

/// An answer that is none, with a status.
pub fn status(line: &str, headers: &str, body: &str) -> Reply {
    let length = body.len();
    Reply::Bytes(format!("HTTP/1.1 {line}\r\ncontent-length: {length}\r\n{headers}\r\n{body}").into_bytes())
}
