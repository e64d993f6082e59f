//! A replica that fails at once: to who favours the quickest it looks like the best.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::server::NamedService;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use super::Figure;
use super::balance::{agents, target};
use super::faults::{RATE, between};
use crate::calls::{Caller, Tally};

/// Answers every call of the knowledge graph with UNAVAILABLE, and counts them.
#[derive(Clone, Default)]
struct Failing(Arc<AtomicUsize>);

impl NamedService for Failing {
    const NAME: &'static str = "wenzhen.kg.v1.KgService";
}

impl Service<http::Request<Body>> for Failing {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Request<Body>) -> Self::Future {
        self.0.fetch_add(1, Ordering::Relaxed);
        ready(Ok(Status::unavailable("this replica always fails").into_http()))
    }
}

impl Failing {
    async fn start(&self) -> anyhow::Result<(SocketAddr, AbortOnDropHandle<()>)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let serving = Server::builder().add_service(self.clone()).serve_with_incoming(TcpIncoming::from(listener));
        // It ends when the handle is dropped.
        let served = tokio::spawn(async move { drop(serving.await) });
        Ok((address, AbortOnDropHandle::new(served)))
    }

    fn calls(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// One of three answers UNAVAILABLE at once, on connections that are well.
pub(super) async fn fast_fail() -> anyhow::Result<Vec<Figure>> {
    let (_replicas, mut addresses) = agents(2).await?;
    let failing = Failing::default();
    let (address, _serving) = failing.start().await?;
    addresses.push(address);
    let caller = Caller::new(&target(&addresses), None)?;
    caller.ready(Duration::from_secs(10)).await?;
    let calling = tokio::spawn(async move { caller.paced(RATE, Duration::from_secs(20)).await });
    tokio::time::sleep(Duration::from_secs(5)).await;
    let early = failing.calls();
    let outcomes = calling.await?;
    let (all, settled) = (Tally::of(&outcomes), between(&outcomes, 5, 20));
    let late = failing.calls() - early;
    Ok(vec![Figure {
        what: "one of three replicas answers UNAVAILABLE at once, 200 calls/s: what it gets, by its own count",
        found: format!(
            "{late} of {} calls after 5 s ({:.2} %), {early} before; {} of {} calls failed",
            settled.calls,
            late as f64 / settled.calls as f64 * 100.0,
            all.failed(),
            all.calls
        ),
        wanted: "<= 2 % after 5 s, no failed call",
        reached: early > 0 && late * 50 <= settled.calls && all.failed() == 0,
    }])
}
