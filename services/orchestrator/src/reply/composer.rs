//! Collects the text of a reply and streams it as it comes.

use wenzhen_proto::clinical::v1::{Agent, Degradation, Draft, Pins};
use wenzhen_proto::orchestrator::v1::{AgentVersion, Diagnosis, Question, Replied};

use crate::turn::{Scene, Updates};

/// A reply in the making.
pub(crate) struct Composer<'a> {
    out: &'a Updates,
    text: String,
    pub(super) question: Option<Question>,
    pub(super) diagnosis: Option<Diagnosis>,
    pub(super) degraded: Vec<Degradation>,
    versions: Vec<AgentVersion>,
}

impl<'a> Composer<'a> {
    pub(crate) fn new(out: &'a Updates, degraded: Vec<Degradation>) -> Self {
        Self { out, text: String::new(), question: None, diagnosis: None, degraded, versions: Vec::new() }
    }

    pub(super) fn out(&self) -> &'a Updates {
        self.out
    }

    /// A piece of text as it is.
    pub(super) async fn piece(&mut self, text: &str) {
        if !text.is_empty() {
            self.out.text(text).await;
            self.text.push_str(text);
        }
    }

    /// Whether the reply has no text yet.
    pub(super) fn nothing_said(&self) -> bool {
        self.text.is_empty()
    }

    /// A sentence, set off from what stands before.
    pub(super) async fn line(&mut self, text: &str) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        let wide = self.text.chars().last().is_none_or(|c| c == '\n' || !c.is_ascii());
        let text = if wide { text.to_owned() } else { format!(" {text}") };
        self.piece(&text).await;
    }

    /// Words of an agent that must not hold any fact: what the guard objects to is left out.
    pub(super) async fn safely(&mut self, scene: &Scene<'_>, text: &str) {
        if text.trim().is_empty() {
            return;
        }
        let draft = Draft::default();
        let mut session = scene.knowledge.guard.session(&draft);
        let mut released = session.push(text);
        let (rest, report) = session.finish();
        released.extend(rest);
        let clean: String = released.into_iter().filter(|r| !r.replaced).map(|r| r.text).collect();
        if !report.violations.is_empty() {
            self.degrade(crate::agents::degradation(Agent::Empathy, "guard"));
        }
        self.line(&clean).await;
    }

    pub(super) fn degrade(&mut self, why: Degradation) {
        if !self.degraded.contains(&why) {
            self.degraded.push(why);
        }
    }

    pub(super) fn made_by(&mut self, agent: Agent, pins: Option<Pins>) {
        self.versions.push(AgentVersion { agent: agent as i32, pins });
    }

    /// What goes on record.
    pub(crate) fn finish(self) -> Replied {
        Replied {
            text: self.text,
            question: self.question,
            diagnosis: self.diagnosis,
            degraded: self.degraded,
            versions: self.versions,
        }
    }
}
