//! `check()`: one golden consultation through the whole system, and everything that must be so in every turn.

mod invariants;
mod record;

use tonic::transport::Channel;
use wenzhen::client::Session;
use wenzhen_language::detect_locale;
use wenzhen_pack::Locale;
use wenzhen_proto::clinical::v1 as clinical;
use wenzhen_proto::orchestrator::v1 as api;
use wenzhen_proto::orchestrator::v1::{ConsultationStatus, DecisionKind};

use super::script::{Script, Step};
use super::vision::Shown;
use super::{Turn, as_clinician, attach_as, decided, pack, patient, redaction, say, undo};
use invariants::Asked;

/// Questions that a patient answers in one step.
const PATIENCE: usize = 20;

/// What came of a golden consultation.
#[derive(Debug, Default)]
pub struct Checked {
    /// Every mistake; empty when all is as it should be.
    pub wrong: Vec<String>,
    /// What was said, for whoever looks for the cause.
    pub dialogue: Vec<String>,
}

/// Replays a golden consultation.
pub async fn check(channel: &Channel, script: &Script) -> Checked {
    let mut run = match Run::start(channel, script).await {
        Ok(run) => run,
        Err(error) => return Checked { wrong: vec![error], dialogue: Vec::new() },
    };
    if let Err(error) = run.all().await {
        run.wrong(error);
    }
    run.checked
}

/// The events of a golden consultation, as a clinician may read them; up to where it stopped, if it did.
pub async fn events(channel: &Channel, script: &Script) -> Result<Vec<api::Event>, String> {
    let mut run = Run::start(channel, script).await?;
    for step in &script.steps {
        if run.step(step).await.is_err() {
            break;
        }
    }
    run.clinician.events().await.map_err(|status| format!("{status}"))
}

/// A consultation under way.
struct Run<'a> {
    script: &'a Script,
    patient: Session,
    clinician: Session,
    locale: Locale,
    last: Option<Turn>,
    asked: Asked,
    turns: usize,
    place: String,
    checked: Checked,
}

impl<'a> Run<'a> {
    async fn start(channel: &Channel, script: &'a Script) -> Result<Self, String> {
        let said = script.locale.as_deref().and_then(Locale::from_tag);
        let request = api::StartConsultationRequest {
            locale: said.map_or(clinical::Locale::Unspecified, wire) as i32,
            patient: script.patient.as_deref().map(|text| wenzhen::chat::parse_patient(text).unwrap()),
            strategy: script.strategy.clone().unwrap_or_default(),
            ..api::StartConsultationRequest::default()
        };
        let (patient, started) = Session::start(channel.clone(), request).await.map_err(|e| format!("{e:#}"))?;
        let clinician = as_clinician(channel, &started.consultation_id);
        let locale = said.unwrap_or(Locale::Zh);
        Ok(Self {
            script,
            patient,
            clinician,
            locale,
            last: None,
            asked: Asked::default(),
            turns: 0,
            place: String::new(),
            checked: Checked::default(),
        })
    }

    fn wrong(&mut self, what: impl std::fmt::Display) {
        self.checked.wrong.push(format!("{} / {} turn {}: {what}", self.script.name, self.place, self.turns));
    }

    async fn all(&mut self) -> Result<(), String> {
        for (i, step) in self.script.steps.iter().enumerate() {
            self.place = format!("step {}", i + 1);
            self.step(step).await?;
        }
        self.end().await
    }

    async fn step(&mut self, step: &Step) -> Result<(), String> {
        if let Some(words) = &step.say {
            self.turn(words).await?;
        } else if let Some(shown) = &step.photo {
            self.photo(shown).await?;
        } else if step.undo {
            let undone = undo(&mut self.patient).await.map_err(|status| format!("undo: {status}"))?;
            self.asked.undo(undone.turn);
            if let Some(last) = &mut self.last {
                last.question = undone.question;
            }
        } else if let Some(name) = &step.urgency_set {
            self.set_urgency(record::urgency(name)).await?;
        } else if step.go_on {
            self.go_on().await?;
        } else {
            for _ in 0..step.answer.unwrap_or(1) {
                self.answer().await?;
            }
        }
        self.expect(step).await
    }

    /// Sends a photograph and checks what holds for every turn.
    async fn photo(&mut self, shown: &Shown) -> Result<(), String> {
        let before = self.clinician.get().await.map_err(|status| format!("{status}"))?;
        let id = format!("photo-{}", self.turns);
        let sent = attach_as(&mut self.patient, &id, &shown.photo()).await;
        let (turn, _) = sent.map_err(|status| format!("the photograph was refused: {status}"))?;
        self.settle(&before, turn, "a photograph").await
    }

    /// Sends words and checks what holds for every turn.
    async fn turn(&mut self, words: &str) -> Result<(), String> {
        let before = self.clinician.get().await.map_err(|status| format!("{status}"))?;
        let turn = say(&mut self.patient, words).await.map_err(|status| format!("`{words}` was refused: {status}"))?;
        let events = self.clinician.events().await.map_err(|status| format!("{status}"))?;
        let (inputs, _) = decided(&events, turn.completed.turn);
        self.locale = self.language(words, inputs.locale());
        self.settle(&before, turn, words).await
    }

    /// What holds for every turn, whatever was sent.
    async fn settle(&mut self, before: &api::Consultation, turn: Turn, words: &str) -> Result<(), String> {
        self.turns += 1;
        let events = self.clinician.events().await.map_err(|status| format!("{status}"))?;
        let (inputs, decision) = decided(&events, turn.completed.turn);
        let mut found = invariants::of_turn(pack(), &turn, &decision, self.locale);
        found.extend(self.asked.question(pack(), before, &turn, &inputs));
        for what in found {
            self.wrong(format!("{what} (after `{words}`)"));
        }
        let heard: Vec<_> = inputs.observations.iter().map(|o| format!("{} {:?}", o.finding_id, o.state())).collect();
        let decided = format!("{} {}", decision.kind().as_str_name(), decision.reason);
        self.checked.dialogue.push(format!("< {words}\n  [{}] {decided}\n> {}", heard.join(", "), turn.text));
        self.last = Some(turn);
        Ok(())
    }

    /// The language that the reply must have: that of the words, unless they are too few to tell.
    fn language(&self, words: &str, taken: clinical::Locale) -> Locale {
        let written = detect_locale(words).unwrap_or(self.locale);
        let few = words.split_whitespace().count() < 4 && words.chars().count() < 20;
        let kept = taken == wire(self.locale) && written == Locale::En && few;
        if kept { self.locale } else { written }
    }

    /// Answers the question that stands; the answer must be recorded as it was meant.
    async fn answer(&mut self) -> Result<(), String> {
        let last = self.last.as_ref().ok_or("nothing was said yet")?;
        let question = last.question.clone().ok_or_else(|| format!("no question stands after `{}`", last.text))?;
        let reply = patient::answer(pack(), self.script, &question, self.locale, self.turns);
        self.turn(&reply.text).await?;
        let record = self.clinician.get().await.map_err(|status| format!("{status}"))?.observations;
        for (id, state) in &reply.means {
            if !record::says(&record, id, *state) {
                let states = record::show(&record, id);
                self.wrong(format!(
                    "asked `{}`, answered `{}`: {id} is {states}, not {state:?}",
                    question.text, reply.text
                ));
            }
        }
        Ok(())
    }

    async fn go_on(&mut self) -> Result<(), String> {
        for _ in 0..PATIENCE {
            let last = self.last.as_ref().ok_or("nothing was said yet")?;
            let over = !matches!(
                last.kind(),
                DecisionKind::Ask | DecisionKind::AskContext | DecisionKind::Clarify | DecisionKind::Redirect
            );
            if over && !(last.kind() == DecisionKind::Answer && last.question.is_some()) {
                return Ok(());
            }
            self.answer().await?;
        }
        Err("the system asks for ever".into())
    }

    async fn set_urgency(&mut self, urgency: clinical::Urgency) -> Result<(), String> {
        let consultation_id = self.clinician.consultation_id.clone();
        let request =
            api::SetUrgencyRequest { consultation_id, urgency: urgency as i32, reason: "seen in person".into() };
        let request = self.clinician.authorised(request);
        self.clinician.client().set_urgency(request).await.map_err(|status| format!("{status}"))?;
        Ok(())
    }

    async fn expect(&mut self, step: &Step) -> Result<(), String> {
        let consultation = self.clinician.get().await.map_err(|status| format!("{status}"))?;
        let mut found = record::compare(&step.expect, &consultation);
        let abstained = self.last.as_ref().is_some_and(|turn| turn.kind() == DecisionKind::Abstain);
        if abstained && !step.undo && consultation.diagnosis.is_some() {
            found.push("an earlier diagnosis stands beside the abstention".to_owned());
        }
        if let Some(turn) = self.last.as_ref().filter(|_| !step.undo && step.urgency_set.is_none()) {
            let events = self.clinician.events().await.map_err(|status| format!("{status}"))?;
            let (inputs, decision) = decided(&events, turn.completed.turn);
            found.extend(record::compare_turn(&step.expect, turn, (&inputs, &decision)));
        }
        for what in found {
            self.wrong(what);
        }
        Ok(())
    }

    /// The verdict, then who may read what of the plan.
    async fn end(&mut self) -> Result<(), String> {
        self.place = "end".into();
        let consultation = self.clinician.get().await.map_err(|status| format!("{status}"))?;
        for what in record::compare_end(&self.script.end, &consultation, pack()) {
            self.wrong(what);
        }
        if consultation.diagnosis.is_some() && consultation.status() == ConsultationStatus::Concluded {
            let plan = redaction::views(&mut self.patient, &mut self.clinician).await?;
            let person = consultation.patient.unwrap_or_default();
            let of_age = person.age_months.map(|months| months >= 14 * 12);
            let child = !of_age.unwrap_or(person.subject() != clinical::Subject::Child);
            for what in record::compare_plan(&self.script.end, &plan, pack(), child) {
                self.wrong(what);
            }
        }
        Ok(())
    }
}

fn wire(locale: Locale) -> clinical::Locale {
    match locale {
        Locale::Zh => clinical::Locale::Zh,
        Locale::En => clinical::Locale::En,
    }
}
