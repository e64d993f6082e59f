//! Workloads from the flagship pack: the same for the same seed, and as varied as patients are.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use prost::Message as _;
use wenzhen_load::workload::{Case, Corpus, print};
use wenzhen_load::{Agent, LoadError, Materials, Options, Samples, Settings};
use wenzhen_pack::Pack;
use wenzhen_proto::clinical::v1::FindingState;
use wenzhen_proto::empathy::v1::ModulateRequest;
use wenzhen_proto::expert::v1::DiagnoseRequest;
use wenzhen_proto::guidance::v1::InterpretRequest;
use wenzhen_proto::kg::v1::AdvanceRequest;

static MATERIALS: LazyLock<Materials> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs/tcm");
    let pack = Arc::new(Pack::load_dir(&folder).unwrap());
    let lines = |name: &str| std::fs::read_to_string(folder.join("tests").join(name)).unwrap();
    Materials::new(pack, Samples::from_lines(&lines("utterances.jsonl"), &lines("emotions.jsonl"))).unwrap()
});

fn corpus(agent: Agent, seed: u64, size: usize) -> Corpus {
    let weights: Vec<u32> = agent.methods().iter().map(|method| method.weight).collect();
    Corpus::new(agent, &MATERIALS, &weights, (seed, size)).unwrap()
}

#[test]
fn the_same_seed_sends_the_same() {
    for agent in Agent::ALL {
        let picked = |seed| (0..500).map(|number| corpus_of(agent, seed).pick(number)).collect::<Vec<_>>();
        if agent == Agent::Orchestrator {
            assert!(corpus_of(agent, 1).is_empty(), "consultations are held, not prepared");
            continue;
        }
        assert_eq!(picked(1), picked(1));
        assert_ne!(picked(1), picked(2));
    }
}

fn corpus_of(agent: Agent, seed: u64) -> &'static Corpus {
    type Key = (Agent, u64);
    static ALL: LazyLock<std::collections::BTreeMap<Key, Corpus>> = LazyLock::new(|| {
        let keys = Agent::ALL.into_iter().flat_map(|agent| [(agent, 1), (agent, 2)]);
        keys.map(|(agent, seed)| ((agent, seed), corpus(agent, seed, 50))).collect()
    });
    &ALL[&(agent, seed)]
}

#[test]
fn methods_come_in_their_shares() {
    let corpus = corpus(Agent::Guidance, 3, 20);
    let asks = (0..10_000).filter(|number| corpus.pick(*number).0 == 1).count();
    assert!((1800..2200).contains(&asks), "{asks} of 10,000 for a share of a fifth");
}

#[test]
fn cases_grow_through_their_rounds() {
    let requests: Vec<AdvanceRequest> =
        corpus(Agent::Kg, 1, 400).of(0).iter().map(|bytes| AdvanceRequest::decode(&**bytes).unwrap()).collect();
    let cases: Vec<_> = requests.iter().map(|request| request.case.as_ref().unwrap()).collect();
    for pair in cases.windows(2).filter(|pair| pair[1].round > 0) {
        assert_eq!(pair[0].round + 1, pair[1].round);
        assert!(pair[1].observations.starts_with(&pair[0].observations), "what was said stays said");
        assert_eq!(pair[1].seed, pair[0].seed);
    }
    let states: BTreeSet<i32> = cases.iter().flat_map(|case| &case.observations).map(|o| o.state).collect();
    let all = [FindingState::Present, FindingState::Denied, FindingState::Unsure];
    assert_eq!(states, all.map(i32::from).into_iter().collect());
    let firsts = cases.iter().filter(|case| case.round == 0);
    assert!(firsts.clone().all(|case| (1..=3).contains(&case.observations.len())));
    assert!(firsts.count() > 40);
}

#[test]
fn patients_have_what_their_condition_shows() {
    let pack = &MATERIALS.pack;
    let mut random = rand::SeedableRng::seed_from_u64(4);
    let (mut conditions, mut present, mut listed) = (BTreeSet::new(), 0, 0);
    for _ in 0..500 {
        let case = Case::sample::<rand_chacha::ChaCha8Rng>(pack, &mut random).unwrap();
        let condition = &pack.conditions[case.condition.at()];
        conditions.insert(condition.id.clone());
        for edge in &condition.edges {
            listed += 1;
            present += usize::from(case.state(edge.finding) == FindingState::Present);
        }
        assert!(case.complaints.iter().all(|finding| case.state(*finding) == FindingState::Present));
        let age = case.person.age_months.map(|months| months / 12);
        assert!(condition.gate.admits(None, age), "{}: {age:?}", condition.id);
    }
    assert!(conditions.len() > 30, "{} conditions", conditions.len());
    let share = present as f64 / listed as f64;
    assert!((0.25..0.75).contains(&share), "{share}");
}

#[test]
fn rankings_are_what_the_expert_takes() {
    for bytes in corpus(Agent::Expert, 1, 100).of(0) {
        let request = DiagnoseRequest::decode(&**bytes).unwrap();
        assert!((1..=20).contains(&request.ranked.len()));
        assert!(request.ranked.iter().all(|row| (0.0..=1.0).contains(&row.score)));
        assert!(request.ranked.windows(2).all(|pair| pair[0].score >= pair[1].score));
    }
}

#[test]
fn words_are_varied_and_no_placeholder_is_left() {
    let texts: BTreeSet<String> = corpus(Agent::Guidance, 1, 400)
        .of(0)
        .iter()
        .map(|bytes| InterpretRequest::decode(&**bytes).unwrap().text)
        .collect();
    assert!(texts.len() > 200, "{}", texts.len());
    assert!(texts.iter().all(|text| !text.is_empty() && !text.contains('{')));
    assert!(texts.iter().any(|text| text.is_ascii()) && texts.iter().any(|text| !text.is_ascii()));
    for bytes in corpus(Agent::Empathy, 1, 100).of(1) {
        let draft = ModulateRequest::decode(&**bytes).unwrap().draft.unwrap();
        for fact in &draft.facts {
            assert_eq!(draft.text.matches(&format!("{{{{{}}}}}", fact.id)).count(), 1);
        }
        assert_eq!(draft.text.matches("{{").count(), draft.facts.len());
    }
}

#[test]
fn requests_are_printed_as_json_lines() {
    let settings = |agent, method: &[&str]| {
        let method = method.iter().map(|method| method.parse().unwrap()).collect();
        Settings::new(&Options { agent: Some(agent), method, ..Options::default() }).unwrap()
    };
    let lines = print::requests(&settings(Agent::Guidance, &["Ask"]), &MATERIALS, 5).unwrap();
    assert_eq!(lines.len(), 5);
    for line in &lines {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["pins"]["packDigest"], MATERIALS.pack.digest.to_string());
    }
    let both = print::requests(&settings(Agent::Guidance, &[]), &MATERIALS, 5).unwrap_err();
    assert!(matches!(both, LoadError::Usage(_)) && both.to_string().contains("Interpret"));
    assert_eq!(print::requests(&settings(Agent::Orchestrator, &[]), &MATERIALS, 3).unwrap().len(), 3);
}
