//! What the system tests share: a whole system in this process, patients and clinicians who talk to it over gRPC.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

pub mod check;
pub mod log;
pub mod patient;
pub mod raw;
pub mod redaction;
pub mod script;
pub mod vision;
pub mod words;

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tonic::transport::Channel;
use tonic::{Request, Status};
use wenzhen::client::Session;
use wenzhen::photo::Photo;
use wenzhen::process::{Options, Process};
use wenzhen_orchestrator::AccessRules;
use wenzhen_pack::Pack;
use wenzhen_proto::clinical::v1::{Agent, RedFlag, Urgency};
use wenzhen_proto::orchestrator::v1 as api;
use wenzhen_proto::orchestrator::v1::event::Kind;
use wenzhen_proto::orchestrator::v1::send_message_response::Update;
use wenzhen_service::Keys;

/// The key of the tests' clinician.
pub const CLINICIAN_KEY: &str = "key-of-the-tests-clinician";
/// A turn that takes longer hangs.
const HANGS: Duration = Duration::from_secs(60);

static PACK: LazyLock<Arc<Pack>> = LazyLock::new(|| {
    Arc::new(
        Pack::load_dir(&folder("../packs/tcm")).unwrap_or_else(|errors| panic!("the pack does not load: {errors}")),
    )
});

/// A folder beside this crate's manifest.
pub fn folder(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The flagship pack, from its folder.
pub fn pack() -> &'static Arc<Pack> {
    &PACK
}

/// A running system with some agents away, and its clinician's key.
pub async fn system_without(away: &[Agent]) -> Process {
    let mut clinicians = Keys::default();
    clinicians.insert("tester", CLINICIAN_KEY);
    let options = Options {
        access: AccessRules { clinicians, ..AccessRules::default() },
        away: away.to_vec(),
        vision: Some(vision::services(&pack().digest.to_string())),
        ..Options::new(vec![pack().clone()])
    };
    Process::start(options).await.unwrap()
}

/// A running system.
pub async fn system() -> Process {
    system_without(&[]).await
}

/// The same consultation in a clinician's hands.
pub fn as_clinician(channel: &Channel, consultation_id: &str) -> Session {
    Session::resume(channel.clone(), consultation_id.to_owned(), CLINICIAN_KEY.to_owned()).unwrap()
}

/// One turn as its sender saw it.
#[derive(Debug)]
pub struct Turn {
    /// The whole text.
    pub text: String,
    /// The question that came with it.
    pub question: Option<api::Question>,
    /// The diagnosis that came with it.
    pub diagnosis: Option<api::Diagnosis>,
    /// Red flags shown, in order.
    pub flags: Vec<RedFlag>,
    /// The end.
    pub completed: api::TurnCompleted,
}

impl Turn {
    /// What was decided.
    pub fn kind(&self) -> api::DecisionKind {
        self.completed.decision()
    }
}

/// Sends a message and reads its turn to the end.
pub async fn say(session: &mut Session, text: &str) -> Result<Turn, Status> {
    let updates = session.send(text).await?;
    read(updates).await
}

/// Sends a message under an id and reads its turn to the end.
pub async fn say_as(session: &mut Session, id: &str, text: &str) -> Result<Turn, Status> {
    let updates = session.send_as(id, text).await?;
    read(updates).await
}

/// Reads a turn: red flags stand before any text, the end is last, and the pieces make up the text.
pub async fn read(mut updates: tonic::Streaming<api::SendMessageResponse>) -> Result<Turn, Status> {
    let (mut streamed, mut flags, mut question, mut diagnosis, mut completed) =
        (String::new(), vec![], None, None, None);
    loop {
        let next = tokio::time::timeout(HANGS, updates.message()).await.expect("the turn hangs")?;
        let Some(update) = next.and_then(|response| response.update) else { break };
        assert!(completed.is_none(), "an update after the end of the turn");
        match update {
            Update::Progress(_) => {}
            Update::Urgency(raised) => {
                assert!(streamed.is_empty(), "red flags after the first words");
                assert!(raised.urgency() > Urgency::Routine && !raised.red_flags.is_empty());
                flags.extend(raised.red_flags);
            }
            Update::Text(piece) => streamed.push_str(&piece.text),
            Update::Question(asked) => question = Some(asked),
            Update::Diagnosis(given) => diagnosis = Some(given),
            Update::Completed(end) => completed = Some(end),
        }
    }
    let completed = completed.ok_or_else(|| Status::internal("a turn without an end"))?;
    assert_eq!(streamed, completed.text, "the pieces are not the text");
    Ok(Turn { text: streamed, question, diagnosis, flags, completed })
}

/// Sends a photograph under an id; gives its turn as that of a message, and what was read.
pub async fn attach_as(session: &mut Session, id: &str, photo: &Photo) -> Result<(Turn, api::PhotoReading), Status> {
    let told = tokio::time::timeout(HANGS, session.attach_as(id, photo)).await.expect("the turn hangs")?;
    let completed = told.completed.ok_or_else(|| Status::internal("a turn without an end"))?;
    let flags = told.urgency.map(|raised| raised.red_flags).unwrap_or_default();
    let (question, diagnosis) = (told.question, told.diagnosis);
    let turn = Turn { text: completed.text.clone(), question, diagnosis, flags, completed };
    Ok((turn, told.photo.unwrap_or_default()))
}

/// Takes the last turn back.
pub async fn undo(session: &mut Session) -> Result<api::UndoTurnResponse, Status> {
    let consultation_id = session.consultation_id.clone();
    let request = session.authorised(api::UndoTurnRequest { consultation_id, expected_version: None });
    Ok(session.client().undo_turn(request).await?.into_inner())
}

/// The whole record as its holder may see it.
pub async fn export(session: &mut Session) -> Result<api::ExportConsultationResponse, Status> {
    let consultation_id = session.consultation_id.clone();
    let request = session.authorised(api::ExportConsultationRequest { consultation_id });
    Ok(session.client().export_consultation(request).await?.into_inner())
}

/// Signs the plan.
pub async fn sign(clinician: &mut Session) -> Result<api::SignPlanResponse, Status> {
    let consultation_id = clinician.consultation_id.clone();
    let request = clinician.authorised(api::SignPlanRequest { consultation_id, ..Default::default() });
    Ok(clinician.client().sign_plan(request).await?.into_inner())
}

/// What a turn's decision rests on, and the decision.
pub fn decided(events: &[api::Event], turn: u32) -> (api::DecisionInputs, api::Decision) {
    let found = events.iter().filter(|event| event.turn == turn).find_map(|event| match &event.kind {
        Some(Kind::Decided(decided)) => Some(decided.clone()),
        _ => None,
    });
    let decided = found.unwrap_or_else(|| panic!("turn {turn} has no decision"));
    (decided.inputs.unwrap_or_default(), decided.decision.unwrap_or_default())
}

/// A request without a token.
pub fn bare<T>(message: T) -> Request<T> {
    Request::new(message)
}
