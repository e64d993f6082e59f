//! Names as a test sets them, and a network in memory whose hosts can be cut off or held.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::BoxFuture;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use wenzhen_channel::{Authority, Connect, Io, Resolve};

use super::replica::Script;

/// A name server with one name. None: it fails.
#[derive(Clone, Default)]
pub struct Names {
    answer: Arc<Mutex<Option<Vec<SocketAddr>>>>,
    asked: Arc<AtomicUsize>,
}

impl Names {
    pub fn of(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        let names = Self::default();
        names.set(Some(addresses.into_iter().collect()));
        names
    }

    pub fn set(&self, answer: Option<Vec<SocketAddr>>) {
        *self.answer.lock() = answer;
    }

    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Resolve for Names {
    fn resolve(&self, _: &Authority) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = self.answer.lock().clone();
        Box::pin(async move { answer.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound)) })
    }
}

struct Host {
    pipes: mpsc::Sender<io::Result<DuplexStream>>,
    held: watch::Sender<bool>,
    shutdown: CancellationToken,
    cut: CancellationToken,
}

/// Hosts in memory: for tests that let hours pass in no time.
#[derive(Clone, Default)]
pub struct Network(Arc<Mutex<HashMap<SocketAddr, Host>>>);

/// The nth address of the network.
pub fn address(number: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, number], 7000))
}

impl Network {
    /// Starts a replica at the nth address, in place of any that was there.
    pub fn start(&self, number: u8, script: &Script) -> SocketAddr {
        let (pipes, accepted) = mpsc::channel(64);
        let shutdown = CancellationToken::new();
        tokio::spawn(script.clone().serve(ReceiverStream::new(accepted), shutdown.clone()));
        let host = Host { pipes, held: watch::Sender::new(false), shutdown, cut: CancellationToken::new() };
        self.0.lock().insert(address(number), host);
        address(number)
    }

    /// Says goodbye on all connections and takes no new one.
    pub fn stop(&self, number: u8) {
        let host = self.0.lock().remove(&address(number)).unwrap();
        host.shutdown.cancel();
    }

    /// All connections break, and no new one can be made.
    pub fn kill(&self, number: u8) {
        let host = self.0.lock().remove(&address(number)).unwrap();
        host.cut.cancel();
    }

    /// A stopped process: connections stay open and can be made, but nothing comes through.
    pub fn hold(&self, number: u8, held: bool) {
        self.0.lock()[&address(number)].held.send_replace(held);
    }
}

impl Connect for Network {
    fn connect(&self, address: SocketAddr) -> BoxFuture<'static, io::Result<Box<dyn Io>>> {
        let found =
            self.0.lock().get(&address).map(|host| (host.pipes.clone(), host.held.subscribe(), host.cut.clone()));
        Box::pin(async move {
            let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
            let (pipes, held, cut) = found.ok_or_else(refused)?;
            let (near, middle) = tokio::io::duplex(64 << 10);
            let (other, far) = tokio::io::duplex(64 << 10);
            pipes.send(Ok(far)).await.map_err(|_| refused())?;
            tokio::spawn(async move { cut.run_until_cancelled(carry(middle, other, held)).await });
            Ok(Box::new(near) as Box<dyn Io>)
        })
    }
}

/// Carries bytes both ways, but not while held.
pub async fn carry<A, B>(one: A, two: B, held: watch::Receiver<bool>)
where
    A: AsyncRead + AsyncWrite,
    B: AsyncRead + AsyncWrite,
{
    let (one_read, one_write) = tokio::io::split(one);
    let (two_read, two_write) = tokio::io::split(two);
    tokio::join!(carry_one(one_read, two_write, held.clone()), carry_one(two_read, one_write, held));
}

async fn carry_one(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, mut held: watch::Receiver<bool>) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if held.wait_for(|held| !held).await.is_err() || to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
    // The other side has nothing more to say; that must not arrive while held either.
    if held.wait_for(|held| !held).await.is_ok() {
        let _ = to.shutdown().await;
    }
}
