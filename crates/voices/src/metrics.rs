//! What voices and their engines count. Labels are names of tasks and fixed reasons, nothing that anybody said.

use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Unit;
use wenzhen_llm::{Engine, Usage};
use wenzhen_service::Metrics;

use crate::Fault;

/// Upper bounds of the buckets of times, in seconds.
const BUCKETS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// What a model is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Task {
    /// Words to findings.
    Interpret,
    /// Findings to a question.
    Ask,
    /// The expert's draft.
    Diagnose,
    /// What a consultation teaches.
    Review,
    /// Feelings.
    Assess,
    /// Comfort around facts.
    Modulate,
    /// Whether the model works.
    Probe,
}

impl Task {
    const fn label(self) -> &'static str {
        match self {
            Self::Interpret => "interpret",
            Self::Ask => "ask",
            Self::Diagnose => "diagnose",
            Self::Review => "review",
            Self::Assess => "assess",
            Self::Modulate => "modulate",
            Self::Probe => "probe",
        }
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct AnswerLabels {
    task: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct TaskLabels {
    task: &'static str,
}

type Times = Family<TaskLabels, Histogram, fn() -> Histogram>;

/// `wenzhen_voice_answers_total{task,outcome}`, `wenzhen_voice_dropped_total{task}`,
/// `wenzhen_llm_time_to_first_token_seconds{task}`, `wenzhen_llm_inter_token_seconds{task}`,
/// `wenzhen_llm_queued_seconds{task}`. Clones share the counts.
#[derive(Clone, Debug)]
pub struct VoiceMetrics {
    answers: Family<AnswerLabels, Counter>,
    dropped: Family<TaskLabels, Counter>,
    first: Times,
    between: Times,
    queued: Times,
}

impl Default for VoiceMetrics {
    fn default() -> Self {
        let times = || Times::new_with_constructor(|| Histogram::new(BUCKETS));
        let (first, between, queued) = (times(), times(), times());
        Self { answers: Family::default(), dropped: Family::default(), first, between, queued }
    }
}

impl VoiceMetrics {
    /// Registers the counts, and what the engine says of itself when it is looked at.
    pub fn new(metrics: &Metrics, engine: &Arc<dyn Engine>) -> Self {
        let own = Self::default();
        metrics.register(|registry| {
            registry.register(
                "voice_answers",
                "Answers of the model's voice, by task and outcome",
                own.answers.clone(),
            );
            registry.register(
                "voice_dropped",
                "Ids and quotations of a model that stand for nothing",
                own.dropped.clone(),
            );
            let (first, between, queued) = (own.first.clone(), own.between.clone(), own.queued.clone());
            registry.register_with_unit(
                "llm_time_to_first_token",
                "From a request to its first token",
                Unit::Seconds,
                first,
            );
            registry.register_with_unit(
                "llm_inter_token",
                "Mean time between tokens of an answer",
                Unit::Seconds,
                between,
            );
            registry.register_with_unit("llm_queued", "From a request to the start of its work", Unit::Seconds, queued);
            registry.register_collector(Box::new(Looked(Arc::clone(engine))));
        });
        own
    }

    /// How a task came out.
    pub(crate) fn answered(&self, task: Task, fault: Option<Fault>) {
        let labels = AnswerLabels { task: task.label(), outcome: fault.map_or("model", Fault::label) };
        self.answers.get_or_create(&labels).inc();
    }

    /// Entries of an answer that stand for nothing.
    pub fn dropped(&self, task: Task, count: usize) {
        self.dropped.get_or_create(&TaskLabels { task: task.label() }).inc_by(count as u64);
    }

    /// What a generation took.
    pub(crate) fn ended(&self, task: Task, usage: &Usage) {
        let labels = TaskLabels { task: task.label() };
        self.queued.get_or_create(&labels).observe(usage.queued.as_secs_f64());
        let Some(first) = usage.to_first_token else { return };
        self.first.get_or_create(&labels).observe(first.as_secs_f64());
        if let Some(gaps) = usage.generated_tokens.checked_sub(1).filter(|gaps| *gaps > 0) {
            let between = usage.total.saturating_sub(first).as_secs_f64() / f64::from(gaps);
            self.between.get_or_create(&labels).observe(between);
        }
    }
}

/// An engine, looked at when metrics are read.
struct Looked(Arc<dyn Engine>);

impl std::fmt::Debug for Looked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Looked")
    }
}

impl Collector for Looked {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let now = self.0.statistics();
        let gauges = [
            ("llm_waiting_generations", "Generations that wait for a place in the batch", now.waiting),
            ("llm_running_generations", "Generations in the batch", now.running),
        ];
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(i64::from(value));
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        let counters = [
            ("llm_prompt_tokens", "Tokens of prompts", now.prompt_tokens),
            ("llm_reused_tokens", "Tokens of prompts that had been read for others before", now.reused_tokens),
            ("llm_generated_tokens", "Tokens of answers", now.generated_tokens),
            ("llm_guessed_tokens", "Likely tokens of answers, computed before they were drawn", now.guessed_tokens),
            ("llm_held_tokens", "Those of them that were drawn: each spared a pass", now.held_tokens),
            ("llm_steps", "Forward passes", now.steps),
            ("llm_rows", "Token rows in all forward passes; by steps, the size of a batch", now.rows),
        ];
        for (name, help, value) in counters {
            let counter = ConstCounter::new(value);
            counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)?;
        }
        Ok(())
    }
}
