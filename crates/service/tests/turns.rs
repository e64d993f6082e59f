//! Handlers that compute leave a thread to everybody else, however many they are.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use support::{Running, Unary, call, hello};
use tokio::task::JoinSet;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use wenzhen_service::{Limits, Services, layers};

/// Longest time that a handler computes, and that anything is waited for meanwhile.
const COMPUTES: Duration = Duration::from_secs(2);
/// What a runtime has put beside the call that a thread is busy with no other thread takes: a connection that waits
/// there is read when the handler is done. So not every attempt shows that a thread is left; without one, none does.
const ATTEMPTS: usize = 10;

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
                let began = Instant::now();
                while !computing.over.load(Ordering::SeqCst) && began.elapsed() < COMPUTES {
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

/// Whether probes and refusals were answered while handlers computed, as many as there are cores and no more.
async fn one_thread_is_left() -> bool {
    let computing = Computing::default();
    let cores = layers::workers() - 1;
    let limits = Limits { max_in_flight: cores * 4, max_waiting: 0, ..Limits::default() };
    let server = Running::start(Services::new().with(computing.service()), limits).await;
    let (channel, other) = (server.channel().await, server.channel().await);
    let mut calls = JoinSet::new();
    for _ in 0..cores * 4 {
        let channel = channel.clone();
        calls.spawn(async move { call(&channel, hello()).await });
    }
    let all = format!("Describe\"}} {}", cores * 4);
    let full = || {
        let text = server.metrics.text();
        text.lines().any(|line| line.starts_with("wenzhen_rpc_in_flight") && line.ends_with(&all))
    };
    let seen = async {
        computing.begun(cores).await;
        while !full() {
            tokio::task::yield_now().await;
        }
        // From another connection.
        HealthClient::new(other.clone()).check(HealthCheckRequest::default()).await.expect("probes are answered");
        call(&other, hello()).await.map_err(|refused| refused.code())
    };
    let refused = tokio::time::timeout(COMPUTES / 2, seen).await;
    let begun = computing.now.load(Ordering::SeqCst);
    computing.over.store(true, Ordering::SeqCst);
    while let Some(answer) = calls.join_next().await {
        assert_eq!(answer.unwrap().unwrap(), "hello");
    }
    server.stop().await;
    refused == Ok(Err(Code::ResourceExhausted)) && begun == cores
}

#[test]
fn who_computes_leaves_a_thread_to_probes_and_to_those_who_are_turned_away() {
    let seen = (0..ATTEMPTS).any(|_| {
        let workers = layers::workers();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build();
        let runtime = runtime.unwrap();
        runtime.block_on(async { tokio::spawn(one_thread_is_left()).await }).unwrap()
    });
    assert!(seen, "nobody was answered while handlers computed");
}
