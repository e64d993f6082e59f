//! The real binaries as a cluster on this machine: what holds when parts of it die.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use wenzhen_cluster::patients::{Patient, Words, opened};
use wenzhen_cluster::proxy::Fault;
use wenzhen_cluster::{Cluster, Plan, Program};
use wenzhen_proto::clinical::v1::{Agent, Degradation};
use wenzhen_proto::orchestrator::v1::DecisionKind;

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

/// With each agent gone, a consultation goes on to its end and names the agent; with the agent back, nothing is missing.
#[tokio::test(flavor = "multi_thread")]
async fn every_agent_can_be_gone() {
    let mut cluster = Cluster::start(Plan::default()).await.unwrap();
    let channel = [cluster.channel(0).await.unwrap()];
    let words = words();
    for (agent, name) in
        [("kg", Agent::Kg), ("guidance", Agent::Guidance), ("expert", Agent::Expert), ("empathy", Agent::Empathy)]
    {
        let address = cluster.replica(agent, 0).unwrap().address().await.unwrap().to_string();
        cluster.replica(agent, 0).unwrap().signal("KILL").await.unwrap();
        let mut patient = opened(&channel, 1, 0).await.unwrap().remove(0);
        let mut missed = Vec::new();
        let last = hold(&mut patient, &words, &mut missed).await;
        assert!(missed.contains(&name), "{agent} is gone and no reply said so: {missed:?}");
        assert!(missed.iter().all(|other| *other == name), "{agent} is gone, and missed were {missed:?}");
        // Without scores nobody guesses; without any other agent there is a diagnosis all the same.
        let wanted = if agent == "kg" { DecisionKind::Abstain } else { DecisionKind::Diagnose };
        assert_eq!(last, wanted, "without {agent}");
        patient.check().await.unwrap();

        let back = cluster.launch(agent, 0, &address).unwrap();
        back.ready().await.unwrap();
        *cluster.replica(agent, 0).unwrap() = back;
        let target = format!("target=\"{}\",state=\"ready\"", cluster.target(agent));
        grows(&cluster.orchestrators[0], "wenzhen_channel_endpoints", &target).await;
        let mut missed = Vec::new();
        hold(&mut opened(&channel, 1, 0).await.unwrap().remove(0), &words, &mut missed).await;
        assert_eq!(missed, [], "{agent} is back");
    }
    for agent in ["KG", "GUIDANCE", "EXPERT", "EMPATHY"] {
        let label = format!("agent=\"{agent}\"");
        let counted = cluster.orchestrators[0].metric("wenzhen_degraded_replies_total", &label).await.unwrap();
        assert!(counted >= 1.0, "no degraded reply is counted for {agent}");
    }
}

/// Holds a consultation to the decision that it is held for; notes which agents were done without.
async fn hold(patient: &mut Patient, words: &Words, missed: &mut Vec<Agent>) -> DecisionKind {
    for turn in 0..20 {
        let completed = patient.say(words.course(turn)).await.unwrap();
        missed.extend(completed.degraded.iter().map(Degradation::agent));
        if matches!(completed.decision(), DecisionKind::Diagnose | DecisionKind::Abstain | DecisionKind::HandOver) {
            return completed.decision();
        }
    }
    panic!("the consultation does not end");
}

/// Waits until a gauge is above zero.
async fn grows(program: &Program, name: &str, labels: &str) {
    let mut pause = tokio::time::interval(Duration::from_millis(20));
    let waiting = async {
        while program.metric(name, labels).await.unwrap() < 1.0 {
            pause.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{name}{{{labels}}} stays at zero"));
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
        refused("wenzhen-orchestrator", (listen, &arguments), (code, named)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_misconfigured_service_says_what_is_wrong() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (free, taken) = ("127.0.0.1:0".to_owned(), taken.local_addr().unwrap().to_string());
    for service in ["kg", "guidance", "expert", "empathy", "orchestrator"] {
        let mut own = match service {
            "kg" => vec!["--memory".to_owned()],
            "orchestrator" => ["kg", "guidance", "expert", "empathy"]
                .map(|agent| format!("--{agent}=http://127.0.0.1:1"))
                .into_iter()
                .chain(["--memory".to_owned()])
                .collect(),
            _ => Vec::new(),
        };
        let (binary, length) = (format!("wenzhen-{service}"), own.len());
        for (listen, more, code, named) in [
            (&free, &["--tls-cert=/nowhere.pem", "--tls-key=/nowhere.key"][..], 1, "/nowhere.pem"),
            (&free, &["--tls-ca=/nowhere.ca"], 1, "/nowhere.ca"),
            (&free, &["--tls-client-auth=required"], 2, "--tls-cert"),
            (&free, &["--pack=/nowhere"], 1, "/nowhere"),
            (&free, &["--pack-digest=000000000000"], 1, "--pack-digest"),
            (&free, &["--config=/nowhere.toml"], 2, "/nowhere.toml"),
            (&free, &["--log-filter=wenzhen=loud"], 2, "--log-filter"),
            (&taken, &[], 1, "--listen"),
        ] {
            own.truncate(length);
            own.extend(more.iter().map(ToString::to_string));
            refused(&binary, (listen, &own), (code, named)).await;
        }
    }
}

/// Starts a program that is to end at once, and holds it to its exit code and to one line that names what is wrong.
async fn refused(binary: &str, (listen, arguments): (&str, &[String]), (code, named): (i32, &str)) {
    let mut program = Program::start(binary, listen, arguments).unwrap();
    let status = tokio::time::timeout(Duration::from_secs(30), program.ended()).await;
    let status = status.unwrap_or_else(|_| panic!("{binary} {arguments:?} goes on serving")).unwrap();
    let log = program.whole_log().await;
    assert_eq!(status.code(), Some(code), "{binary} {arguments:?}: {log}");
    let mut said: Vec<&str> = log.lines().filter(|line| !line.starts_with('{')).collect();
    // How it is to be called comes after what is wrong.
    if let Some(end) = said.iter().position(|line| line.is_empty()) {
        said.truncate(end);
    }
    let head = said.first().unwrap_or_else(|| panic!("{binary} {arguments:?} says nothing: {log}"));
    let flags = said.iter().skip(1).all(|line| line.starts_with("  "));
    assert!(flags, "{binary} {arguments:?} says more than one line: {said:?}");
    let all = said.join(" ").to_lowercase();
    assert!(all.contains(named), "{binary} {arguments:?}: {head}");
}
