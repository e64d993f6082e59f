//! What the balanced channel costs: the same unary call over loopback through a bare tonic channel, through one endpoint
//! of a balanced channel, through three, and in one process.
//!
//! `cargo run --release -p wenzhen-channel --example overhead`

#![allow(clippy::print_stdout, reason = "this program's output is its purpose")]

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::transport::{Channel, Endpoint, Server};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use wenzhen_channel::{Balanced, ChannelMetrics, Settings};
use wenzhen_service::{Client, in_process};

/// Calls of one measurement, and how often all are measured in turn: the best of each counts, as the least disturbed.
const CALLS: usize = 40_000;
const ROUNDS: usize = 5;
/// Calls in flight.
const AT_ONCE: [usize; 3] = [1, 16, 256];

type Failure = Box<dyn Error + Send + Sync>;

/// Servers have a thread of their own, as they would have a process of their own.
fn serve(runtime: &tokio::runtime::Runtime) -> Result<String, Failure> {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    let (_, service) = tonic_health::server::health_reporter();
    let server = Server::builder()
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .add_service(service)
        .serve_with_incoming(TcpListenerStream::new(listener));
    runtime.spawn(server);
    Ok(format!("http://{address}"))
}

/// Calls a second.
async fn rate<S>(channel: S, at_once: usize) -> Result<f64, Failure>
where
    S: tower::Service<http::Request<Body>, Response = http::Response<Body>> + Clone,
    S::Error: Error + Send + Sync + 'static,
{
    let client = HealthClient::new(Client::new(channel));
    let one = |_| {
        let mut client = client.clone();
        async move {
            let mut request = tonic::Request::new(HealthCheckRequest::default());
            request.set_timeout(Duration::from_secs(10));
            client.check(request).await
        }
    };
    let since = Instant::now();
    let mut calls = futures::stream::iter(0..CALLS).map(one).buffer_unordered(at_once);
    while let Some(outcome) = calls.next().await {
        outcome?;
    }
    Ok(CALLS as f64 / since.elapsed().as_secs_f64())
}

async fn measure(addresses: Vec<String>) -> Result<(), Failure> {
    let bare: Channel = Endpoint::from_shared(addresses[0].clone())?
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .connect()
        .await?;
    let settings = || Settings { idempotent: Arc::new(|_| true), ..Settings::default() };
    let metrics = ChannelMetrics::default();
    let one = Balanced::connect(&addresses[0].parse()?, settings(), &metrics)?;
    let three = Balanced::connect(&addresses.join(",").parse()?, settings(), &metrics)?;
    let (_, service) = tonic_health::server::health_reporter();
    let (memory, _server) = in_process(Routes::new(service));
    let single = Balanced::single(memory.clone());
    one.ready().await;
    while three.endpoints().ready < addresses.len() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    println!(
        "{:>8} {:>12} {:>18} {:>18} {:>12} {:>18}",
        "at once", "bare", "one endpoint", "three endpoints", "in memory", "single"
    );
    for at_once in AT_ONCE {
        let mut best = [0_f64; 5];
        for _ in 0..ROUNDS {
            let rates = [
                rate(bare.clone(), at_once).await?,
                rate(one.clone(), at_once).await?,
                rate(three.clone(), at_once).await?,
                rate(memory.clone(), at_once).await?,
                rate(single.clone(), at_once).await?,
            ];
            best.iter_mut().zip(rates).for_each(|(best, rate)| *best = best.max(rate));
        }
        let [bare, one, three, memory, single] = best;
        println!(
            "{at_once:>8} {bare:>10.0}/s {one:>9.0}/s ({:.2}) {three:>9.0}/s ({:.2}) {memory:>10.0}/s {single:>9.0}/s ({:.2})",
            one / bare,
            three / bare,
            single / memory,
        );
    }
    Ok(())
}

fn main() -> Result<(), Failure> {
    let servers = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let addresses = (0..3).map(|_| serve(&servers)).collect::<Result<Vec<_>, _>>()?;
    let callers = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    callers.block_on(measure(addresses))
}
