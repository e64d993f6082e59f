//! Handlers that compute leave a thread to everybody else, however many they are.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use support::{Running, Unary, call, hello};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use wenzhen_service::{Limits, Services, layers};

/// Longest time that a handler computes: past it the test has failed, not stood still.
const COMPUTES: Duration = Duration::from_secs(30);

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
}

/// The threads of a server, apart from those of its clients, as another process would have them.
fn threads(count: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(count).enable_all().build().unwrap()
}

/// Keeps a thread of the server awake where one is left: tokio wakes a second one only for a second thing to do, so a
/// lone call that computes would keep the thread that also waits for what comes in. Where no thread is left, what is
/// spawned here is not run either.
async fn awake(server: &Runtime) {
    let mut often = tokio::time::interval(Duration::from_millis(1));
    loop {
        often.tick().await;
        drop(server.spawn(std::future::ready(())));
    }
}

/// What a probe and a call too many are told while handlers compute on every thread but one, as many as there are cores.
async fn told(server: &Runtime) -> (usize, Result<String, Code>) {
    let computing = Computing::default();
    let cores = layers::workers() - 1;
    let limits = Limits { max_in_flight: cores * 4, max_waiting: 0, ..Limits::default() };
    let services = Services::new().with(computing.service());
    let running = server.spawn(Running::start(services, limits)).await.unwrap();
    let (channel, other) = (running.channel().await, running.channel().await);
    let mut calls = JoinSet::new();
    for _ in 0..cores * 4 {
        let channel = channel.clone();
        calls.spawn(async move { call(&channel, hello()).await });
    }
    let all = format!("Describe\"}} {}", cores * 4);
    let full = || {
        let text = running.metrics.text();
        text.lines().any(|line| line.starts_with("wenzhen_rpc_in_flight") && line.ends_with(&all))
    };
    let meanwhile = async {
        while computing.now.load(Ordering::SeqCst) < cores || !full() {
            tokio::task::yield_now().await;
        }
        // From another connection.
        HealthClient::new(other.clone()).check(HealthCheckRequest::default()).await.expect("probes are answered");
        call(&other, hello()).await.map_err(|refused| refused.code())
    };
    let answered = tokio::select! {
        answered = tokio::time::timeout(COMPUTES / 2, meanwhile) => answered,
        () = awake(server) => unreachable!("it never ends"),
    };
    let computed = computing.now.load(Ordering::SeqCst);
    computing.over.store(true, Ordering::SeqCst);
    while let Some(answer) = calls.join_next().await {
        assert_eq!(answer.unwrap().unwrap(), "hello");
    }
    running.stop().await;
    (computed, answered.expect("nobody was answered while handlers computed"))
}

#[test]
fn who_computes_leaves_a_thread_to_probes_and_to_those_who_are_turned_away() {
    let (server, clients) = (threads(layers::workers()), threads(2));
    let (computed, answered) = clients.block_on(told(&server));
    assert_eq!(computed, layers::workers() - 1, "handlers compute at a time");
    assert_eq!(answered, Err(Code::ResourceExhausted));
}
