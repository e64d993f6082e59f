//! How long an agent may take travels with the call, so that the channel can go elsewhere in time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod agents;
mod fickle;
mod past;

use std::sync::Arc;
use std::time::Duration;

use agents::{Fakes, Way};
use fickle::{Patient, with};
use past::{KNOWLEDGE, ago, finished};
use wenzhen_channel::{Balanced, ChannelMetrics, Settings};
use wenzhen_orchestrator::agents::Channels;
use wenzhen_orchestrator::store::MemoryStore;
use wenzhen_orchestrator::{AccessRules, Agents, Budgets};
use wenzhen_proto::clinical::v1::Agent;
use wenzhen_service::Metrics;

/// Cases that are sent until the silent replica has surely been asked.
const MANY: usize = 40;

#[tokio::test]
async fn an_agent_is_told_how_long_it_may_take() {
    let (store, fakes) = (Arc::new(MemoryStore::default()), Fakes::start(&KNOWLEDGE.digest));
    let orchestrator = fickle::orchestrator(store.clone(), &fakes);
    Patient::start(&orchestrator).await.say("m1", "hm").await;
    let longest = |told: Vec<Option<Duration>>| told.into_iter().map(|left| left.expect("no deadline")).max().unwrap();
    assert!(longest(fakes.deadlines()) <= Budgets::default().advance);
    finished(&*store, ago(60)).await;
    assert_eq!(orchestrator.reviewer().sweep().await.unwrap().reviewed, 1);
    assert_eq!(fakes.deadlines().len(), 4, "a case, a condition, a review, feedback");
    assert!(longest(fakes.deadlines()) <= Duration::from_secs(5));
}

#[tokio::test]
async fn a_replica_that_says_nothing_costs_no_turn_its_graph() {
    let (silent, well) = (Fakes::start(&KNOWLEDGE.digest), Fakes::start(&KNOWLEDGE.digest));
    silent.be(Way::Silent);
    let target = format!("http://{},http://{}", silent.listen().await, well.listen().await).parse().unwrap();
    let settings = Settings { idempotent: Arc::new(|_| true), ..Settings::default() };
    let kg = Balanced::connect(&target, settings, &ChannelMetrics::register(&Metrics::default())).unwrap();
    kg.ready().await;
    let agents = Agents::new(Channels { kg, ..well.channels() }, Budgets::default());
    let orchestrator = with(Arc::new(MemoryStore::default()), agents, AccessRules::default());
    for _ in 0..MANY {
        let told = Patient::start(&orchestrator).await.say("m1", "hm").await;
        let degraded = told.completed.expect("the turn ends").degraded;
        assert!(degraded.iter().all(|d| d.agent() != Agent::Kg), "{degraded:?}");
        if silent.scored() > 0 {
            return;
        }
    }
    panic!("the silent replica was never asked");
}
