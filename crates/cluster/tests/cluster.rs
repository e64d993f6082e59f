//! The real binaries as a cluster on this machine: what holds when parts of it die.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use wenzhen_cluster::patients::{Words, opened};
use wenzhen_cluster::proxy::Fault;
use wenzhen_cluster::{Cluster, Plan, Program};

/// Time for one turn to be acknowledged, outage and all.
const PATIENCE: Duration = Duration::from_secs(40);

fn words() -> Words {
    Words::load().unwrap()
}

/// Whatever dies, every turn that was acknowledged is on record once, and everybody is answered in the end.
#[tokio::test(flavor = "multi_thread")]
async fn an_orchestrator_and_redis_die_and_nothing_is_lost_or_doubled() {
    let mut cluster = Cluster::start(Plan { orchestrators: 2, ..Plan::default() }).await.unwrap();
    let (first, second) = (cluster.channel(0).await.unwrap(), cluster.channel(1).await.unwrap());
    let mut patients = opened(&[first.clone(), second.clone()], 6, 2).await.unwrap();

    cluster.orchestrators[0].signal("KILL").await.unwrap();
    for patient in &mut patients {
        patient.over(second.clone());
        patient.insist(&words(), PATIENCE).await.unwrap();
    }

    cluster.redis.kill().await.unwrap();
    let speaking = patients.into_iter().map(|mut patient| {
        tokio::spawn(async move {
            for _ in 0..2 {
                patient.insist(&words(), PATIENCE).await.unwrap();
            }
            patient
        })
    });
    let speaking: Vec<_> = speaking.collect();
    cluster.redis.restart().await.unwrap();
    for patient in speaking {
        patient.await.unwrap().check().await.unwrap();
    }
}

/// With each agent gone, a consultation goes on and says what it did without.
#[tokio::test(flavor = "multi_thread")]
async fn every_agent_can_be_gone() {
    let mut cluster = Cluster::start(Plan::default()).await.unwrap();
    let channel = [cluster.channel(0).await.unwrap()];
    for agent in ["empathy", "guidance", "kg"] {
        cluster.replica(agent, 0).unwrap().signal("KILL").await.unwrap();
        let mut patient = opened(&channel, 1, 0).await.unwrap().remove(0);
        let mut degraded = false;
        for _ in 0..3 {
            degraded |= !patient.turn(&words()).await.unwrap().degraded.is_empty();
        }
        assert!(degraded, "{agent} is gone and no reply said so");
        patient.check().await.unwrap();
    }
    let counted = cluster.orchestrators[0].metric("wenzhen_degraded_replies_total", "").await.unwrap();
    assert!(counted >= 3.0, "{counted} degraded replies were counted");
}

/// A replica behind a broken network is left alone; the others answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_broken_network_to_one_replica_is_worked_around() {
    let cluster = Cluster::start(Plan { replicas: 2, proxies: true, ..Plan::default() }).await.unwrap();
    let channel = [cluster.channel(0).await.unwrap()];
    let late = Fault::Latency(Duration::from_millis(30));
    for fault in [Fault::Reset, Fault::Blackhole, Fault::HalfOpen, Fault::Drip(50), late] {
        let mut patient = opened(&channel, 1, 1).await.unwrap().remove(0);
        for proxies in cluster.proxies.values() {
            proxies[0].set(fault);
        }
        for _ in 0..3 {
            patient.insist(&words(), PATIENCE).await.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        }
        patient.check().await.unwrap();
        for proxies in cluster.proxies.values() {
            proxies[0].set(Fault::None);
        }
    }
}

/// What a patient says is in no log, metric or readiness report of any process, at any level of logging.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_patient_says_leaves_the_record() {
    const CANARY: &str = "heliotrope-canary-4711";
    let everything = ["orchestrator", "kg", "guidance", "expert", "empathy"];
    let filter = "trace,h2=info,hyper=info,tower=info".to_owned();
    let flags =
        everything.into_iter().flat_map(|service| [(service, "--log-filter".to_owned()), (service, filter.clone())]);
    let cluster = Cluster::start(Plan { flags: flags.collect(), ..Plan::default() }).await.unwrap();
    let channel = cluster.channel(0).await.unwrap();
    let mut patients = opened(&[channel], 1, 0).await.unwrap();
    for _ in 0..2 {
        patients[0].say(&format!("{} {CANARY}", words().of(0, 0))).await.unwrap();
    }
    let programs = cluster.agents.values().flatten().chain(&cluster.orchestrators);
    for program in programs {
        let metrics = program.get("/metrics").await.unwrap();
        assert!(metrics.contains("wenzhen_rpc_requests"), "no metrics");
        for text in [program.tail(), metrics, program.get("/readyz").await.unwrap()] {
            assert!(!text.contains(CANARY) && !text.contains(words().of(0, 0)), "patient text:\n{text}");
        }
        assert!(!program.tail().is_empty(), "the log was not read");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_sigterm_every_process_ends_in_order() {
    let mut cluster = Cluster::start(Plan::default()).await.unwrap();
    let programs = cluster.orchestrators.iter_mut().chain(cluster.agents.values_mut().flatten());
    for program in programs {
        let status = program.stop().await.unwrap();
        assert!(status.success(), "{status}\n{}", program.tail());
    }
}

/// What is wrong with the flags ends the process before it serves, with one line that names the flag.
#[tokio::test(flavor = "multi_thread")]
async fn a_misconfigured_orchestrator_says_what_is_wrong() {
    let agents = ["kg", "guidance", "expert", "empathy"].map(|agent| format!("--{agent}=http://127.0.0.1:1"));
    let with = |more: &[&str]| {
        let more = more.iter().map(ToString::to_string);
        agents.iter().cloned().chain(more).collect::<Vec<_>>()
    };
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (free, taken) = ("127.0.0.1:0".to_owned(), taken.local_addr().unwrap().to_string());
    let rows: [(&String, Vec<String>, i32, &str); 11] = [
        (&free, with(&[]), 2, "--redis"),
        (&free, with(&["--memory", "--store=x.redb"]), 2, "--redis"),
        (&free, vec!["--memory".to_owned()], 2, "--kg"),
        (&free, [vec!["--kg=ftp://x".to_owned()], with(&["--memory"]).split_off(1)].concat(), 2, "--kg"),
        (&free, with(&["--redis=nonsense"]), 2, "redis"),
        (&free, with(&["--redis=redis://127.0.0.1:1", "--redis-patience-ms=50"]), 1, "redis"),
        (&free, with(&["--memory", "--clinicians-file=/nowhere/keys"]), 1, "--clinicians-file"),
        (&free, with(&["--memory", "--pack=/nowhere"]), 1, "/nowhere"),
        (&free, with(&["--memory", "--pack-digest=000000000000"]), 1, "--pack-digest"),
        (&free, with(&["--memory", "--tls-cert=/nowhere.pem"]), 2, "--tls"),
        (&taken, with(&["--memory"]), 1, "--listen"),
    ];
    for (listen, arguments, code, named) in rows {
        let mut program = Program::start("wenzhen-orchestrator", listen, &arguments).unwrap();
        let status = tokio::time::timeout(Duration::from_secs(30), program.ended()).await;
        let status = status.unwrap_or_else(|_| panic!("{arguments:?} goes on serving")).unwrap();
        let said = program.whole_log().await;
        let last = said.lines().filter(|line| !line.starts_with('{')).collect::<Vec<_>>().join("\n");
        assert_eq!(status.code(), Some(code), "{arguments:?}: {said}");
        assert!(last.to_lowercase().contains(named), "{arguments:?}: {said}");
    }
}
