//! Handlers that compute leave a thread to everybody else, however many they are.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use support::{Running, Unary, call, hello};
use tokio::task::JoinSet;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use wenzhen_service::{Limits, Services, layers};

/// Longest time for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// What handlers do until they are told to end: they keep their thread.
#[derive(Clone, Default)]
struct Computing {
    now: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
}

impl Computing {
    fn service(&self) -> Unary {
        let computing = self.clone();
        Unary::new(move |request| {
            let computing = computing.clone();
            async move {
                computing.now.fetch_add(1, Ordering::SeqCst);
                while !computing.over.load(Ordering::SeqCst) {
                    std::thread::yield_now();
                }
                Ok(request.into_inner())
            }
        })
    }

    async fn begun(&self, count: usize) {
        while self.now.load(Ordering::SeqCst) < count {
            tokio::task::yield_now().await;
        }
    }
}

async fn one_thread_is_left() {
    let computing = Computing::default();
    let cores = layers::workers() - 1;
    let limits = Limits { max_in_flight: cores * 4, max_waiting: 0, ..Limits::default() };
    let server = Running::start(Services::new().with(computing.service()), limits).await;
    let channel = server.channel().await;
    let mut calls = JoinSet::new();
    for _ in 0..cores * 4 {
        let channel = channel.clone();
        calls.spawn(async move { call(&channel, hello()).await });
    }
    computing.begun(cores).await;
    let all = format!("Describe\"}} {}", cores * 4);
    while !server.metrics.text().lines().any(|line| line.starts_with("wenzhen_rpc_in_flight") && line.ends_with(&all)) {
        tokio::task::yield_now().await;
    }
    // From another connection, which nobody has read yet.
    let other = server.channel().await;
    HealthClient::new(other.clone()).check(HealthCheckRequest::default()).await.expect("probes are answered");
    assert_eq!(call(&other, hello()).await.expect_err("there is no place").code(), Code::ResourceExhausted);
    assert_eq!(computing.now.load(Ordering::SeqCst), cores, "nobody begins before it is its turn");
    computing.over.store(true, Ordering::SeqCst);
    while let Some(answer) = calls.join_next().await {
        assert_eq!(answer.unwrap().unwrap(), "hello");
    }
    server.stop().await;
}

#[test]
fn who_computes_leaves_a_thread_to_probes_and_to_those_who_are_turned_away() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(layers::workers()).enable_all().build();
    let runtime = runtime.unwrap();
    let done = runtime.block_on(async { tokio::time::timeout(PATIENCE, tokio::spawn(one_thread_is_left())).await });
    done.expect("nothing stands still").unwrap();
}
