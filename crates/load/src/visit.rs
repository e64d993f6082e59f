//! A whole consultation: a patient comes, tells a complaint, answers, takes things back, asks why, ends, deletes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use prost::Message;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tonic::Code;
use tonic::metadata::{Ascii, MetadataValue};
use wenzhen_pack::Locale;
use wenzhen_proto::clinical::v1::{Agent as Missing, Degradation};
use wenzhen_proto::orchestrator::v1 as api;
use wenzhen_proto::orchestrator::v1::DecisionKind;
use wenzhen_proto::orchestrator::v1::send_message_response::Update;

use crate::agent::{Agent, consultation};
use crate::clock::Sleeper;
use crate::record::count;
use crate::run::Shared;
use crate::wire::{Call, Reply};
use crate::workload::{Case, answer, felt, locale_message, scatter, told};

/// Turns after which a patient gives up.
const MOST_TURNS: u32 = 25;
/// Attempts at one message: the same message under the same id.
const ATTEMPTS: u32 = 3;
/// Share of complaints that show a feeling.
const FELT: f64 = 0.2;
/// Share of patients whose age and sex are known beforehand.
const KNOWN: f64 = 0.3;
/// Share of patients who ask something when they have their answer.
const ASKS_AFTER: f64 = 0.3;

/// How a consultation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Completed,
    Abandoned,
    Cut,
}

/// What came of a turn.
struct Turn {
    question: Option<api::Question>,
    completed: api::TurnCompleted,
}

impl Turn {
    fn asks(&self) -> bool {
        use DecisionKind::{Ask, AskContext, Clarify, Redirect};
        !self.completed.ended && matches!(self.completed.decision(), Ask | AskContext | Clarify | Redirect)
    }
}

/// A consultation being held.
pub struct Visit<'a> {
    shared: &'a Shared,
    sleeper: &'a Sleeper,
    case: Case,
    locale: Locale,
    random: ChaCha8Rng,
    arrived: Duration,
    messages: u32,
    /// The version that was shown last: a record that is behind it has lost what was acknowledged.
    seen: u64,
    id: String,
    authorization: Option<MetadataValue<Ascii>>,
}

impl<'a> Visit<'a> {
    /// Holds the consultation of an arrival to its end, or until the run is over.
    pub async fn hold(shared: &'a Arc<Shared>, sleeper: &'a Sleeper, number: u64, due: Duration) {
        let mut random = ChaCha8Rng::seed_from_u64(scatter(shared.settings.seed ^ scatter(number)));
        let locale = shared.materials.locale(&mut random);
        // The pack was tried before the run: it has patients.
        let Some(case) = Case::sample(&shared.materials.pack, &mut random) else { return };
        let (id, authorization) = (String::new(), None);
        let mut visit =
            Self { shared, sleeper, case, locale, random, arrived: due, messages: 0, seen: 0, id, authorization };
        let end = visit.course(due).await.err().unwrap_or(End::Completed);
        shared.consultation(due, |all| match end {
            End::Completed => all.completed += 1,
            End::Abandoned => all.abandoned += 1,
            End::Cut => all.cut += 1,
        });
        if end == End::Cut && visit.authorization.is_some() {
            // Nobody will come back to it. The run is over: this call is not measured.
            let request = api::DeleteConsultationRequest { consultation_id: visit.id.clone() };
            shared.caller.call(visit.call_of(consultation::DELETE, &request), |_| {}).await;
        }
    }

    async fn course(&mut self, due: Duration) -> Result<(), End> {
        self.start(due).await?;
        let behaviour = self.shared.settings.behaviour.clone();
        let mut undo_at = self.random.random_bool(behaviour.undo).then(|| self.random.random_range(2..=4));
        let mut words = self.complaint();
        for turn in 1..=MOST_TURNS {
            let said = self.say(&words).await?;
            if !said.asks() {
                break;
            }
            if said.question.is_some() && self.random.random_bool(behaviour.why) {
                self.get().await?;
            }
            let question = if undo_at.take_if(|at| *at == turn).is_some() { self.undo().await? } else { said.question };
            words = self.reply_to(question.as_ref());
        }
        if self.random.random_bool(ASKS_AFTER)
            && let Some(asked) = self.question_after()
        {
            self.say(&asked).await?;
        }
        if self.random.random_bool(behaviour.end) {
            let consultation_id = self.id.clone();
            self.quiet(consultation::END, &api::EndConsultationRequest { consultation_id }).await?;
        }
        if self.random.random_bool(behaviour.delete) {
            let consultation_id = self.id.clone();
            self.quiet(consultation::DELETE, &api::DeleteConsultationRequest { consultation_id }).await?;
        }
        Ok(())
    }

    async fn start(&mut self, due: Duration) -> Result<(), End> {
        self.shared.consultation(self.arrived, |all| all.started += 1);
        let known = self.random.random_bool(KNOWN);
        let request = api::StartConsultationRequest {
            locale: locale_message(self.locale).into(),
            patient: known.then(|| self.case.person.clone()),
            ..api::StartConsultationRequest::default()
        };
        let call = Call { authorization: self.shared.caller.opener(), ..self.call_of(consultation::START, &request) };
        let reply = self.shared.caller.call(call, |_| {}).await;
        let started = api::StartConsultationResponse::decode(&*reply.last).unwrap_or_default();
        let authorization = format!("Bearer {}", started.token).parse().ok();
        let good = !started.consultation_id.is_empty() && !started.token.is_empty() && authorization.is_some();
        self.enter(consultation::START, due, &reply, (!good, Vec::new()));
        if reply.status.code() != Code::Ok || !good {
            return Err(End::Abandoned);
        }
        (self.id, self.authorization, self.seen) = (started.consultation_id, authorization, started.version);
        Ok(())
    }

    /// Thinks, says something, and reads the turn. What is shed or breaks off is said again under the same id.
    async fn say(&mut self, text: &str) -> Result<Turn, End> {
        self.messages += 1;
        let request = api::SendMessageRequest {
            consultation_id: self.id.clone(),
            message_id: format!("load-{}", self.messages),
            text: text.to_owned(),
            seen_version: Some(self.seen),
            ..api::SendMessageRequest::default()
        };
        for _ in 0..ATTEMPTS {
            let due = self.think().await?;
            let mut items: Vec<Bytes> = Vec::new();
            let call = self.call_of(consultation::SEND, &request);
            let reply = self.shared.caller.call(call, |item| items.push(item.clone())).await;
            let turn = turn(&items);
            let degraded = turn.as_ref().map(|turn| turn.completed.degraded.iter().map(label).collect());
            let ended_well = reply.status.code() == Code::Ok;
            self.enter(consultation::SEND, due, &reply, (ended_well && turn.is_none(), degraded.unwrap_or_default()));
            match turn {
                Some(turn) if ended_well => {
                    self.seen = turn.completed.version;
                    self.shared.consultation(self.arrived, |all| {
                        all.turns += 1;
                        count(&mut all.decisions, decision(turn.completed.decision()));
                    });
                    return Ok(turn);
                }
                _ if worth_another(reply.status.code()) => {}
                _ => return Err(End::Abandoned),
            }
        }
        Err(End::Abandoned)
    }

    async fn undo(&mut self) -> Result<Option<api::Question>, End> {
        let request = api::UndoTurnRequest { consultation_id: self.id.clone(), ..api::UndoTurnRequest::default() };
        let reply = self.quiet(consultation::UNDO, &request).await?;
        self.shared.consultation(self.arrived, |all| all.undone += 1);
        Ok(api::UndoTurnResponse::decode(&*reply.last).ok().and_then(|undone| undone.question))
    }

    async fn get(&mut self) -> Result<(), End> {
        let request = api::GetConsultationRequest { consultation_id: self.id.clone() };
        self.quiet(consultation::GET, &request).await.map(drop)
    }

    /// A call that is not a turn. When it fails the patient gives up.
    async fn quiet(&mut self, method: usize, request: &impl Message) -> Result<Reply, End> {
        let due = self.think().await?;
        let reply = self.shared.caller.call(self.call_of(method, request), |_| {}).await;
        self.enter(method, due, &reply, (false, Vec::new()));
        if reply.status.code() == Code::Ok { Ok(reply) } else { Err(End::Abandoned) }
    }

    /// Waits until the patient has thought; the time at which the next call is due.
    async fn think(&mut self) -> Result<Duration, End> {
        let due = Instant::now() + self.shared.settings.behaviour.think.sample(&mut self.random);
        tokio::select! {
            biased;
            () = self.shared.over.cancelled() => Err(End::Cut),
            () = self.sleeper.until(due) => Ok(self.shared.since_start(due)),
        }
    }

    fn complaint(&mut self) -> String {
        let materials = &self.shared.materials;
        let (pack, phrases) = (&materials.pack, materials.words.of(self.locale));
        let told = told(pack, phrases, self.locale, &self.case.complaints, &mut self.random);
        let feels = self.random.random_bool(FELT);
        if feels { felt(pack, phrases, self.locale, &told, &mut self.random) } else { told }
    }

    fn reply_to(&mut self, question: Option<&api::Question>) -> String {
        let Some(question) = question else { return self.complaint() };
        let materials = &self.shared.materials;
        answer((&materials.pack, &materials.words), &self.case, question, self.locale, &mut self.random)
    }

    /// Something that patients ask when they have their answer, in the pack's own words.
    fn question_after(&mut self) -> Option<String> {
        let voice = self.shared.materials.pack.voice(self.locale)?;
        let topic = voice.orchestrator.topics.choose(&mut self.random)?;
        topic.cues.choose(&mut self.random).cloned()
    }

    fn call_of(&self, method: usize, request: &impl Message) -> Call {
        let path = Agent::Orchestrator.methods().get(method).map_or("", |method| method.path);
        Call { path, body: request.encode_to_vec().into(), stream: false, authorization: self.authorization.clone() }
    }

    fn enter(&self, method: usize, due: Duration, reply: &Reply, more: (bool, Vec<String>)) {
        self.shared.enter(method, due, reply, more);
    }
}

/// A turn that came to its end.
fn turn(items: &[Bytes]) -> Option<Turn> {
    let mut question = None;
    for item in items {
        match api::SendMessageResponse::decode(&**item).ok()?.update {
            Some(Update::Question(asked)) => question = Some(asked),
            Some(Update::Completed(completed)) => return Some(Turn { question, completed }),
            _ => {}
        }
    }
    None
}

/// What may go well at another attempt.
const fn worth_another(code: Code) -> bool {
    matches!(
        code,
        Code::ResourceExhausted | Code::Unavailable | Code::Aborted | Code::DeadlineExceeded | Code::Cancelled
    )
}

fn label(degradation: &Degradation) -> String {
    let agent = Missing::try_from(degradation.agent).unwrap_or_default();
    let agent = agent.as_str_name().trim_start_matches("AGENT_").to_lowercase();
    format!("{agent}: {}", degradation.reason)
}

fn decision(kind: DecisionKind) -> &'static str {
    let name = kind.as_str_name();
    name.strip_prefix("DECISION_KIND_").unwrap_or(name)
}
