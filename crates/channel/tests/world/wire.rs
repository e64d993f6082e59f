//! Simulated streams for both sides, which write down what passes through them.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::body::Body;
use tower::{Service, ServiceExt as _};
use turmoil::net::{TcpListener, TcpStream};
use wenzhen_channel::{Connect, Io};

use super::trace::{Trace, What};

/// Opens streams in the simulation.
pub struct Simulated(pub Arc<Trace>);

impl Connect for Simulated {
    fn connect(&self, address: SocketAddr) -> BoxFuture<'static, io::Result<Box<dyn Io>>> {
        let trace = Arc::clone(&self.0);
        Box::pin(async move { Ok(Box::new(Wire::new(TcpStream::connect(address).await?, trace)?) as Box<dyn Io>) })
    }
}

/// Serves whoever connects to the host that asks. Not by tonic's server, for its responses carry the date of the day.
///
/// # Errors
/// When the port is taken.
pub async fn serve<S, B>(port: u16, trace: Arc<Trace>, service: S) -> io::Result<()>
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await?;
    loop {
        let wire = Wire::new(listener.accept().await?.0, Arc::clone(&trace))?;
        let service = service.clone().map_request(|request: Request<Incoming>| request.map(Body::new));
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .auto_date_header(false)
            .serve_connection(TokioIo::new(wire), TowerToHyperService::new(service));
        // One that breaks concerns nobody else.
        tokio::spawn(async move { drop(connection.await) });
    }
}

/// One end of a stream.
pub struct Wire {
    stream: TcpStream,
    local: SocketAddr,
    peer: SocketAddr,
    trace: Arc<Trace>,
}

impl Wire {
    fn new(stream: TcpStream, trace: Arc<Trace>) -> io::Result<Self> {
        let (local, peer) = (stream.local_addr()?, stream.peer_addr()?);
        trace.note(local, peer, What::Opened);
        Ok(Self { stream, local, peer, trace })
    }

    fn note(&self, what: What) {
        self.trace.note(self.local, self.peer, what);
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_ready() {
            self.note(What::Read(buffer.filled().len() - before));
        }
        read
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if let Poll::Ready(Ok(count)) = written {
            self.note(What::wrote(bytes.get(..count).unwrap_or_default()));
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
