//! Exchanges with a model.

use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;
use wenzhen_llm::{Engine, Error, Finish, Message, Request, Role, Sampling};
use wenzhen_pack::{Digest, Pack};
use wenzhen_proto::clinical::v1::Pins;
use wenzhen_service::Deadline;

use crate::words::Words;
use crate::{Fault, Task, VoiceMetrics, json};

/// The share of a call's time that a model may take; the rest is for the built-in voice and the way back.
const SHARE: f64 = 0.8;

/// One exchange: what is sent, and what may come back.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// What it is for; a label of metrics.
    pub task: Task,
    /// The same for every request of the task.
    pub system: String,
    /// The request, patient text fenced.
    pub user: String,
    /// Schema of a JSON answer; words otherwise.
    pub schema: Option<Value>,
    /// The longest answer, in tokens.
    pub max_tokens: u32,
    /// 0 for answers that are read by the system, more for words to people.
    pub temperature: f32,
    /// The same seed gives the same words, as far as the engine can promise it.
    pub seed: u64,
}

/// An agent's way to a model. Cheap to clone.
#[derive(Clone)]
pub struct Speaker(Arc<Inner>);

struct Inner {
    engine: Arc<dyn Engine>,
    /// Name of the engine.
    voice: &'static str,
    model: String,
    metrics: VoiceMetrics,
    /// The longest that an answer may take.
    patience: Duration,
}

impl std::fmt::Debug for Speaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Speaker").field("voice", &self.0.voice).field("model", &self.0.model).finish_non_exhaustive()
    }
}

impl Speaker {
    /// Speaks through an engine. `voice` is its name, as `Describe` gives it.
    pub fn new(voice: &'static str, engine: Arc<dyn Engine>, patience: Duration, metrics: VoiceMetrics) -> Self {
        let model = engine.model().name;
        Self(Arc::new(Inner { engine, voice, model, metrics, patience }))
    }

    /// Name of the engine.
    pub fn voice(&self) -> &'static str {
        self.0.voice
    }

    /// Name of the model.
    pub fn model(&self) -> &str {
        &self.0.model
    }

    /// Counts of the voice.
    pub fn metrics(&self) -> &VoiceMetrics {
        &self.0.metrics
    }

    /// Pins of an answer in the model's words.
    pub fn pins(&self, pack: &Pack, weight_epoch: u64) -> Pins {
        let version = pack.prompts.as_ref().map_or("", |prompts| prompts.version.as_str());
        Pins {
            pack_digest: Digest::to_string(&pack.digest),
            weight_epoch,
            prompt_version: version.to_owned(),
            model_version: self.0.model.clone(),
        }
    }

    /// Asks for words as they come.
    ///
    /// # Errors
    /// When the engine refuses at once.
    pub fn speak(&self, exchange: Exchange) -> Result<Words, Fault> {
        let until = self.until();
        let Exchange { task, system, user, schema, max_tokens, temperature, seed } = exchange;
        let message = |role, content| Message { role, content };
        let request = Request {
            messages: vec![message(Role::System, system), message(Role::User, user)],
            max_tokens,
            sampling: Sampling { temperature, top_p: 0.95, top_k: 0, min_p: 0.0, repetition_penalty: 1.0, seed },
            stop: Vec::new(),
            schema: schema.map(Arc::new),
            deadline: Some(until.into_std()),
        };
        let generation = self.0.engine.submit(request).map_err(|error| self.refused(&error))?;
        Ok(Words::new(generation, until, (self.0.metrics.clone(), task)))
    }

    /// Asks for the whole text.
    ///
    /// # Errors
    /// When the engine fails, is late, or the model does not come to an end.
    pub async fn text(&self, exchange: Exchange) -> Result<String, Fault> {
        let (text, finish) = self.all(exchange).await?;
        if finish == Some(Finish::Length) { Err(Fault::Malformed) } else { Ok(text) }
    }

    /// Asks for a JSON object.
    ///
    /// # Errors
    /// As [`Self::text`], and when the answer has not the form of `T`.
    pub async fn json<T: DeserializeOwned>(&self, exchange: Exchange) -> Result<T, Fault> {
        let (text, _) = self.all(exchange).await?;
        json::read(&text)
    }

    async fn all(&self, exchange: Exchange) -> Result<(String, Option<Finish>), Fault> {
        let mut words = self.speak(exchange)?;
        let mut text = String::new();
        while let Some(piece) = words.next().await? {
            text.push_str(&piece);
        }
        Ok((text, words.finish))
    }

    /// Counts how a task came out, and gives it back.
    pub fn counted<T>(&self, task: Task, outcome: Result<T, Fault>) -> Result<T, Fault> {
        self.0.metrics.answered(task, outcome.as_ref().err().copied());
        outcome
    }

    /// One real generation, to know that the model works.
    ///
    /// # Errors
    /// When it does not.
    pub async fn probe(&self) -> Result<(), Fault> {
        let exchange = Exchange {
            task: Task::Probe,
            system: "Answer with one word.".to_owned(),
            user: "Are you there?".to_owned(),
            schema: None,
            max_tokens: 1,
            temperature: 0.0,
            seed: 0,
        };
        self.counted(Task::Probe, self.all(exchange).await.map(drop))
    }

    /// When the model must have answered.
    fn until(&self) -> Instant {
        let left = Deadline::current().map_or(self.0.patience, |deadline| deadline.remaining().mul_f64(SHARE));
        Instant::now() + left.min(self.0.patience)
    }

    fn refused(&self, error: &Error) -> Fault {
        tracing::debug!(%error, "the engine refused a request");
        Fault::from(error)
    }
}
