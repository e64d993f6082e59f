//! A consultation's state: the fold of its events. Pure.

use std::collections::BTreeSet;
use std::sync::Arc;

use prost_types::Timestamp;
use wenzhen_pack::Pack;
use wenzhen_proto::clinical::v1::{
    CandidateFinding, EmotionAssessment, Locale, Observation, PatientContext, Pins, RankedCondition, Urgency,
};
use wenzhen_proto::guidance::v1::Intent;
use wenzhen_proto::orchestrator::v1::event::Kind;
use wenzhen_proto::orchestrator::v1::{
    ConsultationStatus, Decided, Decision, DecisionInputs, DecisionKind, Diagnosis, Event, MessageReceived, PlanStatus,
    Question, Repinned, Replied, Started,
};
use wenzhen_proto::vision::v1::Quality;

use crate::policy::{MOVED_ON, NOTED};
use crate::recorder;

/// A concluded consultation counts as over when nothing has happened in it for so long.
const QUIET_SECONDS: i64 = 600;

/// How far a turn has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The message is recorded.
    Received,
    /// The decision has fallen.
    Decided,
    /// The reply is recorded.
    Replied,
}

/// One turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// Its number, from 1.
    pub number: u32,
    /// Id of the message that began it.
    pub message_id: Arc<str>,
    /// SHA-256 of that message's text, or of its photograph.
    pub text_sha256: Arc<[u8]>,
    /// Version of the event that began it.
    pub version: u64,
    /// How far it has come.
    pub stage: Stage,
    /// It was taken back.
    pub undone: bool,
}

/// A consultation as it stands. Every turn works on copies: what seldom changes is shared between them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct State {
    /// Number of events.
    pub version: u64,
    /// What opened it.
    pub started: Arc<Started>,
    /// When it was opened.
    pub started_at: Timestamp,
    /// When something last happened.
    pub last_at: Timestamp,
    /// Language; unset until the first message tells.
    pub locale: Locale,
    /// The person.
    pub patient: PatientContext,
    /// What was observed, in the order of the last word on each finding.
    pub record: Vec<Arc<Observation>>,
    /// Findings asked or refused.
    pub asked: Vec<Arc<str>>,
    /// Questions for findings so far.
    pub rounds: u32,
    /// Ambiguities clarified.
    pub clarified: BTreeSet<String>,
    /// Fields of the person asked for.
    pub context_asked: BTreeSet<String>,
    /// Cues lit so far.
    pub cues: BTreeSet<String>,
    /// Red flags raised so far.
    pub flags: BTreeSet<String>,
    /// Urgency.
    pub urgency: Urgency,
    /// Where it stands.
    pub status: ConsultationStatus,
    /// The question that stands.
    pub question: Option<Arc<Question>>,
    /// Frame of the last question.
    pub last_frame: String,
    /// The diagnosis.
    pub diagnosis: Option<Arc<Diagnosis>>,
    /// The last assessment.
    pub emotion: Option<EmotionAssessment>,
    /// Conditions as of the last decision.
    pub ranked: Arc<[RankedCondition]>,
    /// Findings worth asking as of the last decision.
    pub worth_asking: Arc<[CandidateFinding]>,
    /// Why each finding of the last question was asked, as the graph said then.
    pub why: Arc<[CandidateFinding]>,
    /// A clinician has taken over.
    pub taken_over: bool,
    /// The patient has asked for the diagnosis and has not got it yet.
    pub wants_diagnosis: bool,
    /// Messages in a row that led nowhere.
    pub misunderstood: u32,
    /// All turns.
    pub turns: Vec<Turn>,
    /// Messages recorded whose turn never came to a decision: their words still count for red flags.
    pub unheard: Vec<String>,
    /// The patient was told that something was done with less than usual.
    pub told_degraded: bool,
    /// Since when a clinician is waited for.
    pub waiting_since: Option<Timestamp>,
    /// Turns up to this one cannot be taken back: a clinician has acted on them.
    pub settled_turn: u32,
    /// What it is pinned to since its first pins were kept no more.
    pub repinned: Option<Arc<Pins>>,
    /// The outcome that a clinician confirmed; none any more once there is another diagnosis.
    pub confirmed: Option<Arc<Confirmed>>,
    /// It was reviewed; that happens once.
    pub reviewed: bool,
    /// A photograph was read.
    pub photographed: bool,
}

/// An outcome that a clinician confirmed.
#[derive(Debug, Clone, PartialEq)]
pub struct Confirmed {
    /// The condition.
    pub condition_id: String,
    /// Name of the clinician's key.
    pub clinician: String,
    /// When.
    pub at: Timestamp,
}

impl State {
    /// Folds all events of a consultation. Of a turn that was taken back only what concerns safety
    /// stays: its cues, its red flags and its urgency.
    pub fn fold(pack: &Pack, events: &[Event]) -> Self {
        let undone: BTreeSet<u32> = events
            .iter()
            .filter_map(|event| match &event.kind {
                Some(Kind::TurnUndone(undone)) => Some(undone.undone_turn),
                _ => None,
            })
            .collect();
        let mut state = Self { urgency: Urgency::Routine, status: ConsultationStatus::Open, ..Self::default() };
        for event in events {
            if undone.contains(&event.turn) {
                state.apply_undone(event);
            } else {
                state.apply(pack, event);
            }
        }
        state
    }

    /// What the consultation is pinned to.
    pub fn pins(&self) -> Pins {
        let now = self.repinned.as_deref().or(self.started.pins.as_ref());
        now.cloned().unwrap_or_default()
    }

    /// From when on (ms since 1970) it is to be reviewed: it is over, or has been concluded and quiet for a while, a
    /// clinician has confirmed the outcome, and nobody has reviewed it yet.
    pub fn review_due_ms(&self) -> Option<u64> {
        let quiet = match self.status {
            ConsultationStatus::Ended => 0,
            ConsultationStatus::Concluded => QUIET_SECONDS,
            ConsultationStatus::Unspecified | ConsultationStatus::Open | ConsultationStatus::HandedOver => return None,
        };
        let due = self.confirmed.is_some() && !self.reviewed;
        due.then(|| u64::try_from(self.last_at.seconds.saturating_add(quiet)).unwrap_or(0).saturating_mul(1000))
    }

    /// The turn of a message.
    pub fn turn_of(&self, message_id: &str) -> Option<&Turn> {
        self.turns.iter().find(|turn| *turn.message_id == *message_id)
    }

    /// Number of the next turn.
    pub fn next_turn(&self) -> u32 {
        self.last_number() + 1
    }

    /// The last turn that stands.
    pub fn last_turn(&self) -> Option<&Turn> {
        self.turns.iter().rev().find(|turn| !turn.undone)
    }

    /// Age in whole years.
    pub fn age_years(&self) -> Option<u32> {
        self.patient.age_months.map(|months| months / 12)
    }

    /// Enters one event that follows what was folded. After a [`Kind::TurnUndone`] the state is to be
    /// folded anew: what the turn had changed cannot be taken out of a sum.
    pub fn apply(&mut self, pack: &Pack, event: &Event) {
        self.version = event.version;
        // A review is nobody's doing: it does not prolong the life of a consultation.
        if !matches!(event.kind, Some(Kind::Reviewed(_))) {
            self.last_at = event.at.unwrap_or_default();
        }
        match &event.kind {
            Some(Kind::Started(started)) => self.start(started, event),
            Some(Kind::MessageReceived(message)) => self.receive(message, event),
            Some(Kind::ImageReceived(image)) => self.begin((&image.message_id, &image.image_sha256), event, false),
            Some(Kind::Decided(decided)) => self.decided(pack, decided, event),
            Some(Kind::Replied(replied)) => self.replied(replied),
            Some(Kind::PlanSigned(signed)) => {
                let first = self.diagnosis.as_ref().and_then(|d| d.differential.first());
                let first = first.map(|first| first.condition_id.clone()).unwrap_or_default();
                self.confirm(&[&signed.confirmed_condition_id, &first], &signed.clinician, event);
                self.settle_plan(PlanStatus::Signed, &signed.note);
            }
            Some(Kind::PlanRejected(rejected)) => {
                self.confirm(&[&rejected.confirmed_condition_id], &rejected.clinician, event);
                self.settle_plan(PlanStatus::Rejected, &rejected.reason);
            }
            Some(Kind::TakenOver(_)) => {
                self.taken_over = true;
                self.status = ConsultationStatus::HandedOver;
                self.question = None;
                self.waiting_since = None;
                self.settled_turn = self.last_number();
            }
            Some(Kind::UrgencySet(set)) => self.set_urgency(set.urgency()),
            Some(Kind::Ended(_)) => {
                self.status = ConsultationStatus::Ended;
                self.question = None;
            }
            Some(Kind::Reviewed(_)) => self.reviewed = true,
            Some(Kind::Repinned(repinned)) => self.repin(repinned),
            Some(Kind::TurnUndone(_)) | None => {}
        }
    }

    fn repin(&mut self, repinned: &Repinned) {
        self.repinned = repinned.pins.clone().map(Arc::new);
    }

    /// The first of the conditions that was named is what the clinician confirmed.
    fn confirm(&mut self, named: &[&str], clinician: &str, event: &Event) {
        let named = named.iter().find(|id| !id.is_empty());
        self.confirmed = named.map(|id| {
            let (condition_id, clinician) = ((*id).to_owned(), clinician.to_owned());
            Arc::new(Confirmed { condition_id, clinician, at: event.at.unwrap_or_default() })
        });
    }

    fn apply_undone(&mut self, event: &Event) {
        self.version = event.version;
        self.last_at = event.at.unwrap_or_default();
        match &event.kind {
            Some(Kind::MessageReceived(message)) => {
                self.begin((&message.message_id, &message.text_sha256), event, true)
            }
            Some(Kind::ImageReceived(image)) => self.begin((&image.message_id, &image.image_sha256), event, true),
            Some(Kind::Decided(Decided { inputs, decision })) => {
                self.cues.extend(inputs.iter().flat_map(|i| i.cue_ids.iter().cloned()));
                if let Some(decision) = decision {
                    self.raise(decision, event);
                }
            }
            Some(Kind::Repinned(repinned)) => self.repin(repinned),
            _ => {}
        }
    }

    fn last_number(&self) -> u32 {
        self.turns.last().map_or(0, |turn| turn.number)
    }

    fn start(&mut self, started: &Started, event: &Event) {
        self.started = Arc::new(started.clone());
        self.started_at = event.at.unwrap_or_default();
        self.locale = started.locale();
        self.patient = started.patient.clone().unwrap_or_default();
    }

    fn receive(&mut self, message: &MessageReceived, event: &Event) {
        self.unheard.push(message.text.clone());
        self.begin((&message.message_id, &message.text_sha256), event, false);
    }

    /// A turn begins with a message or a photograph; one that was taken back leaves its place.
    fn begin(&mut self, (id, sha256): (&str, &[u8]), event: &Event, undone: bool) {
        self.turns.push(Turn {
            number: event.turn,
            message_id: id.into(),
            text_sha256: sha256.into(),
            version: event.version,
            stage: if undone { Stage::Replied } else { Stage::Received },
            undone,
        });
    }

    fn decided(&mut self, pack: &Pack, decided: &Decided, event: &Event) {
        let (Some(inputs), Some(decision)) = (&decided.inputs, &decided.decision) else { return };
        self.absorb(pack, inputs);
        self.unheard.clear();
        self.settle(decision, event);
        if let Some(turn) = self.turns.iter_mut().rev().find(|turn| turn.number == event.turn) {
            turn.stage = Stage::Decided;
        }
    }

    /// Enters what the agents understood, before anything is decided.
    pub fn absorb(&mut self, pack: &Pack, inputs: &DecisionInputs) {
        if inputs.locale() != Locale::Unspecified {
            self.locale = inputs.locale();
        }
        recorder::record(pack, &mut self.record, &inputs.observations, &inputs.withdrawn_finding_ids);
        if let Some(patient) = &inputs.patient {
            recorder::learn(&mut self.patient, patient);
        }
        self.cues.extend(inputs.cue_ids.iter().cloned());
        self.wants_diagnosis |= inputs.intent == Intent::AsksDiagnosis as i32;
        if inputs.emotion.is_some() {
            self.emotion = inputs.emotion;
        }
        self.photographed |= inputs.photo.as_ref().is_some_and(|photo| photo.quality() == Quality::Ok);
        if !inputs.ranked.is_empty() {
            self.ranked = inputs.ranked.as_slice().into();
            self.worth_asking = inputs.worth_asking.as_slice().into();
        }
    }

    fn raise(&mut self, decision: &Decision, event: &Event) {
        self.urgency = decision.urgency();
        self.flags.extend(decision.raised_flag_ids.iter().cloned());
        if self.urgency > Urgency::Today && self.waiting_since.is_none() {
            self.waiting_since = event.at;
        }
    }

    fn settle(&mut self, decision: &Decision, event: &Event) {
        self.raise(decision, event);
        if !decision.ambiguity_id.is_empty() {
            self.clarified.insert(decision.ambiguity_id.clone());
        }
        if !decision.context_field.is_empty() {
            self.context_asked.insert(decision.context_field.clone());
        }
        let reason = decision.reason.as_str();
        let unheard = match reason {
            "unclear" | "off_topic" | "later" | "no_complaint" => true,
            // Understood, but no answer to what was asked.
            NOTED => self.question.is_some(),
            _ => false,
        };
        let lost = decision.kind() == DecisionKind::Redirect && unheard || reason == MOVED_ON;
        self.misunderstood = if lost { self.misunderstood + 1 } else { 0 };
        match decision.kind() {
            DecisionKind::Ask => {
                self.rounds += 1;
                let asked = self.worth_asking.iter().filter(|c| decision.finding_ids.contains(&c.finding_id));
                self.why = asked.cloned().collect();
                self.asked.extend(decision.finding_ids.iter().map(|id| Arc::from(id.as_str())));
                self.status = ConsultationStatus::Open;
            }
            DecisionKind::Diagnose | DecisionKind::Abstain => {
                self.wants_diagnosis = false;
                self.confirmed = None;
                self.status = ConsultationStatus::Concluded;
                self.question = None;
                // A plan for what was said before must not wait for a signature any more.
                if decision.kind() == DecisionKind::Abstain {
                    self.diagnosis = None;
                }
            }
            DecisionKind::HandOver => {
                self.status = ConsultationStatus::HandedOver;
                self.question = None;
                self.waiting_since = self.waiting_since.or(event.at);
            }
            DecisionKind::End => {
                self.status = ConsultationStatus::Ended;
                self.question = None;
            }
            DecisionKind::Escalate => self.question = None,
            DecisionKind::Unspecified
            | DecisionKind::Clarify
            | DecisionKind::AskContext
            | DecisionKind::Answer
            | DecisionKind::Redirect => {}
        }
    }

    fn replied(&mut self, replied: &Replied) {
        self.told_degraded |= replied.degraded.iter().any(|why| !why.fell_back);
        if let Some(question) = &replied.question {
            self.last_frame.clone_from(&question.frame);
            self.question = Some(Arc::new(question.clone()));
        }
        if let Some(diagnosis) = &replied.diagnosis {
            if diagnosis.plan_status() == PlanStatus::Waiting {
                self.waiting_since = self.waiting_since.or(Some(self.last_at));
            }
            self.diagnosis = Some(Arc::new(diagnosis.clone()));
        }
        if let Some(turn) = self.turns.last_mut() {
            turn.stage = Stage::Replied;
        }
    }

    /// Whether the last turn can be taken back.
    pub fn can_undo(&self) -> bool {
        let replied = |turn: &Turn| turn.stage == Stage::Replied && turn.number > self.settled_turn;
        self.last_turn().is_some_and(replied)
            && matches!(self.status, ConsultationStatus::Open | ConsultationStatus::Concluded)
    }

    fn settle_plan(&mut self, status: PlanStatus, note: &str) {
        if let Some(diagnosis) = &mut self.diagnosis {
            let diagnosis = Arc::make_mut(diagnosis);
            diagnosis.plan_status = status as i32;
            note.clone_into(&mut diagnosis.clinician_note);
        }
        self.settled_turn = self.last_number();
        self.waiting_since = None;
    }

    fn set_urgency(&mut self, urgency: Urgency) {
        self.urgency = urgency;
        self.settled_turn = self.last_number();
        if urgency <= Urgency::Today {
            self.waiting_since = None;
        }
    }
}
