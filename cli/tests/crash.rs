//! A server that is killed in the middle of writing loses no turn that it acknowledged.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use support::{Turn, say_as};
use tokio::sync::Notify;
use tonic::transport::{Channel, Endpoint};
use wenzhen::client::Session;
use wenzhen::process::{Options, Place, Process};
use wenzhen_orchestrator::auth::sha256;
use wenzhen_orchestrator::store::{Append, ConsultationId, RedbStore, Store as _, Summary};
use wenzhen_proto::orchestrator::v1 as api;
use wenzhen_proto::orchestrator::v1::event::Kind;

const CLIENTS: usize = 6;
/// Turns of all clients together before the server is killed.
const TURNS: usize = 40;

/// A server in a process of its own.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    /// Starts it on free ports, which it tells in its log.
    fn start(store: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_wenzhen"))
            .args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--log-format", "json"])
            .arg("--store")
            .arg(store)
            .arg("--pack")
            .arg(support::folder("../packs/tcm"))
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines.by_ref().map(Result::unwrap).find_map(|line| {
            let line: serde_json::Value = serde_json::from_str(&line).expect("a log line is one JSON object");
            (line["service"] == "orchestrator").then(|| line["address"].as_str().unwrap().to_owned())
        });
        // What it logs later must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address: address.expect("the server says where it listens") }
    }

    async fn connect(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.address)).unwrap().connect().await.unwrap()
    }

    /// As `kill -9` does.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already gone after a kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a client knows of its consultation when the server goes down.
struct Client {
    session: Session,
    acknowledged: Vec<(String, Turn)>,
    unanswered: Option<String>,
}

/// The words of a client's turn.
fn words(turn: usize) -> &'static str {
    let words = &support::words::words().messages;
    match turn {
        0 => &words.complaint,
        1 => &support::words::words().zh.person,
        _ if turn.is_multiple_of(2) => &support::words::words().zh.neither,
        _ => &support::words::words().zh.first_only,
    }
}

/// Writes turn after turn until the server is gone.
async fn write(channel: Channel, count: Arc<AtomicUsize>, enough: Arc<Notify>) -> Client {
    let (session, _) = Session::start(channel, api::StartConsultationRequest::default()).await.unwrap();
    let mut client = Client { session, acknowledged: Vec::new(), unanswered: None };
    for turn in 0.. {
        let id = format!("m{turn}");
        match say_as(&mut client.session, &id, words(turn)).await {
            Ok(answer) => client.acknowledged.push((id, answer)),
            Err(_) => {
                client.unanswered = Some(id);
                return client;
            }
        }
        if count.fetch_add(1, Ordering::Relaxed) + 1 >= TURNS {
            enough.notify_one();
        }
    }
    client
}

/// The replies on record, by message.
async fn replies(session: &mut Session) -> BTreeMap<String, String> {
    let mut ids = BTreeMap::new();
    let mut replies = BTreeMap::new();
    for event in session.events().await.unwrap() {
        match event.kind {
            Some(Kind::MessageReceived(message)) => {
                let earlier = ids.insert(event.turn, message.message_id);
                assert_eq!(earlier, None, "one message a turn");
            }
            Some(Kind::Replied(replied)) => {
                let earlier = replies.insert(ids[&event.turn].clone(), replied.text);
                assert_eq!(earlier, None, "one reply a turn");
            }
            _ => {}
        }
    }
    replies
}

/// Nothing that was acknowledged is missing; what was cut off can be completed; the consultation goes on.
async fn resume(channel: Channel, client: Client) {
    let held = client.session;
    let mut session = Session::resume(channel, held.consultation_id.clone(), held.token.clone()).unwrap();
    let on_record = replies(&mut session).await;
    for (id, turn) in &client.acknowledged {
        assert_eq!(on_record.get(id), Some(&turn.text), "acknowledged turn {id}");
    }
    if let Some((id, last)) = client.acknowledged.last() {
        let turn: usize = id.trim_start_matches('m').parse().unwrap();
        let again = say_as(&mut session, id, words(turn)).await.unwrap();
        assert!(again.completed.replayed);
        assert_eq!(again.text, last.text);
    }
    let id = client.unanswered.expect("the client was writing when the server went down");
    let turn: usize = id.trim_start_matches('m').parse().unwrap();
    let completed = say_as(&mut session, &id, words(turn)).await.unwrap();
    let on_record = replies(&mut session).await;
    assert_eq!(on_record.get(&id), Some(&completed.text));
    let numbers = 1..=u32::try_from(on_record.len()).unwrap();
    assert_eq!(session.get().await.unwrap().turns, *numbers.end(), "no turn is counted twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_turn_is_lost_by_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("consultations.redb");
    let server = Server::start(&store);
    let channel = server.connect().await;
    let (count, enough) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let writing: Vec<_> =
        (0..CLIENTS).map(|_| tokio::spawn(write(channel.clone(), count.clone(), enough.clone()))).collect();
    enough.notified().await;
    server.kill();
    let mut clients = Vec::new();
    for client in writing {
        clients.push(client.await.unwrap());
    }
    assert!(clients.iter().map(|c| c.acknowledged.len()).sum::<usize>() >= TURNS);
    let server = Server::start(&store);
    let channel = server.connect().await;
    for client in clients {
        resume(channel.clone(), client).await;
    }
}

/// The events of a consultation as they are stored: what views withhold is put in again.
async fn stored(process: &Process, session: &Session) -> Vec<api::Event> {
    let mut clinician = support::as_clinician(&process.channel, &session.consultation_id);
    let mut events = clinician.events().await.unwrap();
    for event in &mut events {
        match &mut event.kind {
            Some(Kind::Started(started)) => started.token_sha256 = sha256(session.token.as_bytes()).to_vec(),
            Some(Kind::MessageReceived(message)) => message.text_sha256 = sha256(message.text.as_bytes()).to_vec(),
            _ => {}
        }
    }
    events
}

/// A system that finds these events in its store, as after a crash.
async fn after_a_crash(events: &[api::Event], session: &Session, path: &Path) -> (Process, Session) {
    let id: ConsultationId = session.consultation_id.parse().unwrap();
    let store = RedbStore::open(path).unwrap();
    let summary = Summary { expires_day: u32::MAX, ..Summary::default() };
    store.append(Append { id, expected: 0, events: events.to_vec(), summary }).await.unwrap();
    drop(store);
    let options = Options { place: Place::File(path.to_owned()), ..Options::new(vec![support::pack().clone()]) };
    let process = Process::start(options).await.unwrap();
    let session = Session::resume(process.channel.clone(), session.consultation_id.clone(), session.token.clone());
    (process, session.unwrap())
}

#[tokio::test]
async fn a_turn_cut_off_at_any_point_ends_as_it_would_have() {
    let system = support::system().await;
    let (mut session, _) =
        Session::start(system.channel.clone(), api::StartConsultationRequest::default()).await.unwrap();
    let mut turns = Vec::new();
    for turn in 0..3 {
        turns.push(say_as(&mut session, &format!("m{turn}"), words(turn)).await.unwrap());
    }
    let events = stored(&system, &session).await;
    system.stop().await;
    let folder = tempfile::tempdir().unwrap();
    // After the message or after the decision of a turn: 1 event opens, 3 make a turn.
    for cut in [2, 5, 6, 9] {
        let store = folder.path().join(format!("{cut}.redb"));
        let (system, mut session) = after_a_crash(&events[..cut], &session, &store).await;
        let turn = (cut - 2) / 3;
        let completed = say_as(&mut session, &format!("m{turn}"), words(turn)).await.unwrap();
        assert_eq!(completed.text, turns[turn].text, "cut after {cut} events");
        assert_eq!(completed.question, turns[turn].question, "cut after {cut} events");
        let now = stored_decisions(&session.events().await.unwrap());
        assert_eq!(now, stored_decisions(&events[..turn * 3 + 4]), "cut after {cut} events");
        system.stop().await;
    }
}

fn stored_decisions(events: &[api::Event]) -> Vec<Option<api::Decision>> {
    let decided = events.iter().filter_map(|event| match &event.kind {
        Some(Kind::Decided(decided)) => Some(decided.decision.clone()),
        _ => None,
    });
    decided.collect()
}

#[tokio::test]
async fn words_of_a_turn_that_was_cut_off_still_raise_red_flags() {
    let emergency = &support::words::words().messages.emergency;
    let system = support::system().await;
    let (mut session, _) =
        Session::start(system.channel.clone(), api::StartConsultationRequest::default()).await.unwrap();
    say_as(&mut session, "m0", emergency).await.unwrap();
    let events = stored(&system, &session).await;
    system.stop().await;
    let folder = tempfile::tempdir().unwrap();
    let (system, mut session) = after_a_crash(&events[..2], &session, &folder.path().join("store.redb")).await;
    let next = say_as(&mut session, "m1", words(0)).await.unwrap();
    assert_eq!(next.kind(), api::DecisionKind::Escalate, "{}", next.text);
    system.stop().await;
}
