//! Weights that learn, from a whole consultation to the next one: confirmed, reviewed, published, scored with.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use support::script::Script;
use support::{CLINICIAN_KEY, Turn, as_clinician, pack, patient, say, script};
use tonic::Request;
use wenzhen::client::Session;
use wenzhen::process::{Learning, Options, Process};
use wenzhen_channel::Balanced;
use wenzhen_orchestrator::{AccessRules, Knowledge, replay};
use wenzhen_pack::Locale;
use wenzhen_proto::kg::v1 as kg;
use wenzhen_proto::kg::v1::kg_service_client::KgServiceClient;
use wenzhen_proto::orchestrator::v1 as api;
use wenzhen_proto::orchestrator::v1::event::Kind;
use wenzhen_proto::orchestrator::v1::{DecisionKind, ReviewOutcome};
use wenzhen_service::Keys;

const ADMIN_KEY: &str = "key-of-the-tests-admin";
/// Whatever is waited for longer hangs.
const HANGS: Duration = Duration::from_secs(60);

/// A running system with a clinician and an admin.
async fn system(keep_epochs: u64) -> Process {
    let (mut clinicians, mut admins) = (Keys::default(), Keys::default());
    clinicians.insert("tester", CLINICIAN_KEY);
    admins.insert("root", ADMIN_KEY);
    let options = Options {
        access: AccessRules { clinicians, ..AccessRules::default() },
        learning: Learning { admins, keep_epochs, ..Learning::default() },
        ..Options::new(vec![pack().clone()])
    };
    Process::start(options).await.unwrap()
}

/// One of the golden consultations, held by an ordinary patient.
struct Consultation {
    script: Script,
    session: Session,
    epoch: u64,
    last: Option<Turn>,
}

impl Consultation {
    async fn start(system: &Process) -> Self {
        let script = script::all().into_iter().find(|s| s.name == "zh_plain_cold").expect("the everyday consultation");
        let request = api::StartConsultationRequest::default();
        let (session, started) = Session::start(system.channel.clone(), request).await.unwrap();
        Self { script, session, epoch: started.pins.unwrap().weight_epoch, last: None }
    }

    /// The patient's next words; `false` when nothing is asked any more.
    async fn go_on(&mut self) -> bool {
        let turn = self.last.as_ref().map_or(0, |last| last.completed.turn);
        let words = match &self.last {
            None => self.script.steps[0].say.clone().unwrap(),
            Some(Turn { question: Some(question), .. }) => {
                patient::answer(pack(), &self.script, question, Locale::Zh, turn as usize).text
            }
            Some(_) => return false,
        };
        let said = say(&mut self.session, &words).await.unwrap();
        assert!(said.completed.degraded.is_empty(), "{:?}", said.completed.degraded);
        self.last = Some(said);
        true
    }

    async fn up_to_the_diagnosis(mut self) -> Self {
        while self.go_on().await {}
        assert_eq!(self.last.as_ref().unwrap().kind(), DecisionKind::Diagnose);
        self
    }

    async fn events(&self, system: &Process) -> Vec<api::Event> {
        as_clinician(&system.channel, &self.session.consultation_id).events().await.unwrap()
    }

    /// The scores of every decision, bit for bit.
    async fn scores(&self, system: &Process) -> Vec<Vec<(String, u64)>> {
        let events = self.events(system).await;
        let inputs = events.into_iter().filter_map(|event| match event.kind {
            Some(Kind::Decided(decided)) => decided.inputs,
            _ => None,
        });
        inputs.map(|i| i.ranked.into_iter().map(|r| (r.condition_id, r.score.to_bits())).collect()).collect()
    }

    /// A clinician signs the plan and says what it was; then the patient leaves.
    async fn confirm(&mut self, system: &Process, condition: &str) {
        let consultation_id = self.session.consultation_id.clone();
        let mut clinician = as_clinician(&system.channel, &consultation_id);
        let named = condition.to_owned();
        let wrong = api::SignPlanRequest {
            consultation_id: consultation_id.clone(),
            confirmed_condition_id: "c1".into(),
            ..Default::default()
        };
        let wrong = clinician.authorised(wrong);
        assert_eq!(clinician.client().sign_plan(wrong).await.unwrap_err().code(), tonic::Code::InvalidArgument);
        let sign = api::SignPlanRequest {
            consultation_id: consultation_id.clone(),
            confirmed_condition_id: named,
            ..Default::default()
        };
        let sign = clinician.authorised(sign);
        clinician.client().sign_plan(sign).await.unwrap();
        let end = self.session.authorised(api::EndConsultationRequest { consultation_id });
        self.session.client().end_consultation(end).await.unwrap();
    }

    async fn reviewed(&self, system: &Process) -> api::Reviewed {
        let events = self.events(system).await;
        let found = events.into_iter().find_map(|event| match event.kind {
            Some(Kind::Reviewed(reviewed)) => Some(reviewed),
            _ => None,
        });
        found.expect("a review on record")
    }
}

/// The graph, as an admin sees it.
struct Admin(KgServiceClient<Balanced>);

impl Admin {
    fn of(system: &Process) -> Self {
        Self(KgServiceClient::new(system.agents.kg.clone()))
    }

    fn request<T>(message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", format!("Bearer {ADMIN_KEY}").parse().unwrap());
        request
    }

    async fn publish(&mut self, id: &str) -> kg::Epoch {
        let (pack_digest, publish_id) = (pack().digest.to_string(), id.to_owned());
        let publish = kg::PublishEpochRequest { pack_digest, publish_id, reason: "a test".into() };
        self.0.publish_epoch(Self::request(publish)).await.unwrap().into_inner().epoch.unwrap()
    }

    async fn roll_back(&mut self, to_epoch: u64, id: &str) -> kg::Epoch {
        let (pack_digest, publish_id) = (pack().digest.to_string(), id.to_owned());
        let rollback = kg::RollbackRequest { pack_digest, to_epoch, publish_id, reason: "a test".into() };
        self.0.rollback(Self::request(rollback)).await.unwrap().into_inner().epoch.unwrap()
    }

    async fn ledger(&mut self) -> Vec<kg::LedgerEntry> {
        let pack_digest = pack().digest.to_string();
        let request = kg::ListLedgerRequest { pack_digest, page_size: 1000, ..Default::default() };
        self.0.list_ledger(request).await.unwrap().into_inner().entries
    }
}

/// Reviews until nothing is due; the system does so by itself every few seconds.
async fn review(system: &Process) {
    let reviewer = system.orchestrator.reviewer();
    let all = async {
        loop {
            let swept = reviewer.sweep().await.unwrap();
            assert!(!swept.away);
            if swept.reviewed == 0 && swept.left == 0 {
                return;
            }
        }
    };
    tokio::time::timeout(HANGS, all).await.expect("the reviews do not come to an end");
}

fn replays(events: &[api::Event]) {
    let knowledge = Knowledge::new(pack().clone()).unwrap();
    let same = replay::replay(&knowledge, events).unwrap_or_else(|difference| panic!("{difference:#?}"));
    assert!(same > 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_consultation_is_scored_with_what_the_last_one_taught() {
    let system = system(100).await;
    let mut admin = Admin::of(&system);
    let mut first = Consultation::start(&system).await.up_to_the_diagnosis().await;
    let mut pinned = Consultation::start(&system).await;
    assert!(pinned.go_on().await, "under way while the weights change");
    assert_eq!((first.epoch, pinned.epoch), (0, 0));
    let as_written = first.scores(&system).await;

    let another = as_written.last().unwrap()[1].0.clone();
    first.confirm(&system, &another).await;
    review(&system).await;
    let reviewed = first.reviewed(&system).await;
    assert_eq!(reviewed.outcome(), ReviewOutcome::Taught);
    assert!(reviewed.proposals > 0);
    let epoch = admin.publish("p1").await;
    assert_eq!((epoch.epoch, epoch.consultations, epoch.applied), (1, 1, reviewed.proposals));
    let ledger = admin.ledger().await;
    assert!(ledger.len() == epoch.edges_changed as usize && !ledger.is_empty());
    for entry in &ledger {
        assert_eq!(entry.condition_id, another);
        assert!(entry.shares.iter().all(|share| share.confirmed_by == "tester"));
        assert!(!format!("{entry:?}").contains(&first.session.consultation_id), "the ledger names no consultation");
    }

    let next = Consultation::start(&system).await.up_to_the_diagnosis().await;
    assert_eq!(next.epoch, 1);
    let learned = next.scores(&system).await;
    assert!(learned != as_written);
    let score = |scores: &[Vec<(String, u64)>]| {
        let last = scores.last().unwrap().iter().find(|(id, _)| *id == another);
        last.map_or(0.0, |(_, bits)| f64::from_bits(*bits))
    };
    assert!(score(&learned) > score(&as_written), "what was confirmed became likelier");
    let pinned = pinned.up_to_the_diagnosis().await;
    assert_eq!(pinned.scores(&system).await, as_written, "what was pinned before is scored as before");

    assert_eq!(admin.roll_back(0, "r1").await.epoch, 2);
    let after = Consultation::start(&system).await.up_to_the_diagnosis().await;
    assert_eq!((after.epoch, after.scores(&system).await), (2, as_written), "bit for bit as it was");
    for consultation in [&first, &pinned, &next, &after] {
        replays(&consultation.events(&system).await);
    }
    let seen = first.session.events().await.unwrap();
    assert!(!format!("{seen:?}").contains(&format!("confirmed_condition_id: \"{another}\"")), "not the patient's");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_is_rejected_without_a_condition_teaches_nothing() {
    let system = system(100).await;
    let mut consultation = Consultation::start(&system).await.up_to_the_diagnosis().await;
    let consultation_id = consultation.session.consultation_id.clone();
    let mut clinician = as_clinician(&system.channel, &consultation_id);
    let reject = api::RejectPlanRequest {
        consultation_id: consultation_id.clone(),
        reason: "please come in".into(),
        ..Default::default()
    };
    let reject = clinician.authorised(reject);
    clinician.client().reject_plan(reject).await.unwrap();
    let end = consultation.session.authorised(api::EndConsultationRequest { consultation_id });
    consultation.session.client().end_consultation(end).await.unwrap();
    review(&system).await;
    let events = consultation.events(&system).await;
    assert!(!events.iter().any(|event| matches!(event.kind, Some(Kind::Reviewed(_)))));
    assert_eq!(Admin::of(&system).ledger().await, []);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consultation_whose_epoch_is_retired_goes_on_with_the_newest() {
    let system = system(1).await;
    let mut admin = Admin::of(&system);
    admin.roll_back(0, "r1").await;
    let mut consultation = Consultation::start(&system).await;
    assert!(consultation.epoch == 1 && consultation.go_on().await);
    // More than a replica keeps at hand.
    for i in 2..=7 {
        assert_eq!(admin.roll_back(0, &format!("r{i}")).await.epoch, i);
    }
    let consultation = consultation.up_to_the_diagnosis().await;
    let events = consultation.events(&system).await;
    let moved: Vec<_> = events
        .iter()
        .filter_map(|event| match &event.kind {
            Some(Kind::Repinned(moved)) => Some((event.turn, moved.from_epoch, moved.pins.clone()?.weight_epoch)),
            _ => None,
        })
        .collect();
    assert_eq!(moved, [(2, 1, 7)], "once, on record, in the turn that met it");
    let view = as_clinician(&system.channel, &consultation.session.consultation_id).get().await.unwrap();
    assert_eq!(view.pins.unwrap().weight_epoch, 7);
    replays(&events);
    system.stop().await;
}
