//! A TCP proxy that breaks connections in the ways in which networks do.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Bytes moved at once.
const CHUNK: usize = 16 << 10;

/// What is wrong with the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Every chunk is late by so much, in each direction.
    Latency(Duration),
    /// Bytes go nowhere; connections stand, and new ones are accepted.
    Blackhole,
    /// Connections are cut at once, new ones too.
    Reset,
    /// What the client sends arrives; what the server answers does not.
    HalfOpen,
    /// So many bytes a second, a few at a time.
    Drip(u32),
}

/// A proxy in front of one address. It ends when this is dropped.
pub struct Proxy {
    address: SocketAddr,
    fault: Arc<watch::Sender<Fault>>,
    _stop: DropGuard,
}

impl Proxy {
    /// Starts one on a free port.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn start(upstream: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let fault = Arc::new(watch::Sender::new(Fault::None));
        let stop = CancellationToken::new();
        tokio::spawn(stop.clone().run_until_cancelled_owned(accept(listener, upstream, fault.clone(), stop.clone())));
        Ok(Self { address, fault, _stop: stop.drop_guard() })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Breaks the network, or mends it.
    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }
}

async fn accept(
    listener: TcpListener,
    upstream: SocketAddr,
    fault: Arc<watch::Sender<Fault>>,
    stop: CancellationToken,
) {
    while let Ok((client, _)) = listener.accept().await {
        let faults = fault.subscribe();
        tokio::spawn(stop.clone().run_until_cancelled_owned(carry(client, upstream, faults)));
    }
}

/// One connection, to its end.
async fn carry(client: TcpStream, upstream: SocketAddr, mut faults: watch::Receiver<Fault>) {
    if *faults.borrow() == Fault::Reset {
        return;
    }
    let Ok(server) = TcpStream::connect(upstream).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let (there, back) = (faults.clone(), faults.clone());
    tokio::select! {
        () = copy(from_client, to_server, there, |fault| fault == Fault::Blackhole) => {}
        () = copy(from_server, to_client, back, |fault| matches!(fault, Fault::Blackhole | Fault::HalfOpen)) => {}
        _ = faults.wait_for(|fault| *fault == Fault::Reset) => {}
    }
}

/// One direction. Swallowed bytes are read, so that the sender notices nothing.
async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    faults: watch::Receiver<Fault>,
    swallows: fn(Fault) -> bool,
) {
    let mut chunk = vec![0; CHUNK];
    loop {
        let Ok(length @ 1..) = from.read(&mut chunk).await else { return };
        let bytes = chunk.get(..length).unwrap_or_default();
        let fault = *faults.borrow();
        let sent = match fault {
            fault if swallows(fault) => Ok(()),
            Fault::Latency(late) => {
                tokio::time::sleep(late).await;
                to.write_all(bytes).await
            }
            Fault::Drip(rate) => drip(&mut to, bytes, rate).await,
            Fault::None | Fault::Blackhole | Fault::Reset | Fault::HalfOpen => to.write_all(bytes).await,
        };
        if sent.is_err() {
            return;
        }
    }
}

/// Ten portions a second.
async fn drip(to: &mut OwnedWriteHalf, bytes: &[u8], rate: u32) -> io::Result<()> {
    let portion = usize::try_from(rate / 10).unwrap_or(1).max(1);
    for portion in bytes.chunks(portion) {
        to.write_all(portion).await?;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}
