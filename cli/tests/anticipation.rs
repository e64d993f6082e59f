//! While a model reads the patient's words, the next question is worded by the orchestrator's own reading of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use support::words::words;
use support::{pack, say};
use tokio::sync::watch;
use wenzhen::client::Session;
use wenzhen::process::{Options, Process};
use wenzhen_llm::{Request, Script, Scripted};
use wenzhen_pack::Locale;
use wenzhen_proto::clinical::v1::Agent;
use wenzhen_proto::orchestrator::v1 as api;
use wenzhen_proto::orchestrator::v1::DecisionKind;
use wenzhen_service::Metrics;
use wenzhen_voices::{Speaker, VoiceMetrics};

/// A voice or a test that waits for longer hangs.
const HANGS: Duration = Duration::from_secs(30);

/// A system whose model reads once it was asked to word a question: whoever waits for the reading first waits in vain.
struct Reading {
    system: Process,
    /// Questions that it was asked to word.
    worded: Arc<AtomicUsize>,
    metrics: Metrics,
}

impl Reading {
    async fn new(reading: serde_json::Value) -> Self {
        let (worded, metrics) = (Arc::new(AtomicUsize::new(0)), Metrics::default());
        let (count, asked) = (worded.clone(), watch::Sender::new(false));
        let engine = Scripted::with_room(64, 256, move |request: &Request| {
            let tasks = pack().prompts.as_ref().unwrap().tasks(Locale::Zh).unwrap();
            let (system, user) = (&request.messages[0].content, &request.messages[1].content);
            if *system == tasks.interpret.system {
                return Script::SayWhen(asked.subscribe(), reading.to_string());
            }
            if *system != tasks.ask.system {
                return Script::Say(String::new());
            }
            count.fetch_add(1, Ordering::Relaxed);
            asked.send_replace(true);
            Script::Say(user.trim_end().rsplit('：').next().unwrap_or_default().trim().to_owned())
        });
        let speaker = Speaker::new("scripted", Arc::new(engine), HANGS, VoiceMetrics::default());
        let all = Options::new(vec![pack().clone()]);
        let system = Process::start(Options { speaker: Some(speaker), metrics: metrics.clone(), ..all }).await.unwrap();
        Self { system, worded, metrics }
    }

    /// Cases that the graph has scored.
    fn scored(&self) -> usize {
        let line = "wenzhen_rpc_requests_total{method=\"wenzhen.kg.v1.KgService/Advance\",code=\"OK\"} ";
        let text = self.metrics.text();
        text.lines().find_map(|told| told.strip_prefix(line)?.parse().ok()).unwrap_or(0)
    }
}

/// A consultation whose next turn asks for findings.
async fn begun(system: &Process) -> Session {
    let request = api::StartConsultationRequest {
        patient: Some(wenzhen::chat::parse_patient("age=30,sex=female,pregnant=no").unwrap()),
        ..api::StartConsultationRequest::default()
    };
    Session::start(system.channel.clone(), request).await.unwrap().0
}

#[tokio::test]
async fn the_question_is_worded_while_the_words_are_read() {
    let reading = Reading::new(json!({"intent": "report", "findings": []})).await;
    let turn = say(&mut begun(&reading.system).await, &words().messages.complaint).await.unwrap();
    assert_eq!(turn.kind(), DecisionKind::Ask, "{}", turn.text);
    assert!(turn.completed.degraded.iter().all(|why| why.agent() != Agent::Guidance), "{:?}", turn.completed.degraded);
    let asked = (reading.worded.load(Ordering::Relaxed), reading.scored());
    assert_eq!(asked, (1, 1), "what was anticipated is not asked again");
    reading.system.stop().await;
}

#[tokio::test]
async fn what_the_model_reads_beyond_that_is_asked_for_anew() {
    let words = &words().messages;
    let finding = json!({"id": words.beyond_finding, "state": "present", "quote": words.beyond});
    let reading = Reading::new(json!({"intent": "report", "findings": [finding]})).await;
    let mut session = begun(&reading.system).await;
    say(&mut session, &format!("{}，{}", words.complaint, words.beyond)).await.unwrap();
    let recorded = session.get().await.unwrap().observations;
    assert!(recorded.iter().any(|seen| seen.finding_id == words.beyond_finding), "{recorded:?}");
    assert_eq!(reading.scored(), 2, "the case has one more finding than was anticipated");
    reading.system.stop().await;
}
