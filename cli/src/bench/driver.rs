//! Patients of the benchmark.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use serde::Deserialize;
use tonic::transport::Channel;
use wenzhen_load::metronome;
use wenzhen_proto::orchestrator::v1::StartConsultationRequest;
use wenzhen_proto::orchestrator::v1::send_message_response::Update;

use crate::client::Session;
use crate::process::Process;

/// What they say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    complaints: Vec<String>,
    person: Vec<String>,
    answers: Vec<String>,
}

impl Script {
    /// The script that the binary carries.
    ///
    /// # Errors
    /// Never for a released binary.
    pub fn load() -> anyhow::Result<Arc<Self>> {
        Ok(Arc::new(toml::from_str(include_str!("../../data/bench.toml"))?))
    }

    /// The words of turn `turn` (from 0) of patient `patient`.
    pub fn words(&self, patient: usize, turn: usize) -> &str {
        let list = match turn {
            0 => &self.complaints,
            1 => &self.person,
            _ => &self.answers,
        };
        list.get((patient + turn * 7) % list.len().max(1)).map_or("", String::as_str)
    }
}

/// One patient's consultation.
pub struct Patient {
    session: Session,
    number: usize,
    turns: usize,
}

/// Drives patients against a process.
pub struct Driver {
    channel: Channel,
    script: Arc<Script>,
    clients: usize,
}

/// What a run left.
pub struct Run {
    pub sessions: Vec<Patient>,
    pub latencies: Vec<Duration>,
}

impl Driver {
    pub fn new(process: &Process, script: &Arc<Script>, clients: usize) -> Self {
        Self { channel: process.channel.clone(), script: script.clone(), clients: clients.max(1) }
    }

    /// Opens consultations.
    pub async fn open(&self, count: usize) -> anyhow::Result<Vec<Patient>> {
        let opened = stream::iter(0..count).map(|number| {
            let channel = self.channel.clone();
            async move {
                let (session, _) = Session::start(channel, StartConsultationRequest::default()).await?;
                anyhow::Ok(Patient { session, number, turns: 0 })
            }
        });
        opened.buffer_unordered(self.clients).try_collect().await
    }

    /// Each patient takes `turns` turns; `clients` of them at once.
    pub async fn turns(&self, patients: Vec<Patient>, turns: usize) -> anyhow::Result<Run> {
        let work = stream::iter(patients).map(|mut patient| {
            let script = self.script.clone();
            // A task each: the clients share the machine's cores with the services, as real ones would.
            let task = tokio::spawn(async move {
                let mut latencies = Vec::with_capacity(turns);
                for _ in 0..turns {
                    let began = Instant::now();
                    take_turn(&mut patient, &script).await?;
                    latencies.push(began.elapsed());
                }
                anyhow::Ok((patient, latencies))
            });
            async move { task.await? }
        });
        let done: Vec<(Patient, Vec<Duration>)> = work.buffer_unordered(self.clients).try_collect().await?;
        let (sessions, latencies): (Vec<_>, Vec<_>) = done.into_iter().unzip();
        Ok(Run { sessions, latencies: latencies.concat() })
    }

    /// One turn every `pace`, timed from the moment at which it was due; the second list is how late each was sent.
    pub async fn paced(&self, patients: Vec<Patient>, pace: Duration, turns: usize) -> anyhow::Result<Paced> {
        let mut due = metronome(pace, turns)?;
        let mut waiting = patients.into_iter().collect::<std::collections::VecDeque<_>>();
        let (back, mut returned) = tokio::sync::mpsc::channel(turns.max(1));
        let mut tasks = Vec::with_capacity(turns);
        let mut late = Vec::with_capacity(turns);
        while let Some(due) = due.recv().await {
            while let Ok(patient) = returned.try_recv() {
                waiting.push_back(patient);
            }
            let Some(mut patient) = waiting.pop_front() else { anyhow::bail!("every patient is still waiting") };
            let (script, back) = (self.script.clone(), back.clone());
            late.push(due.elapsed());
            tasks.push(tokio::spawn(async move {
                take_turn(&mut patient, &script).await?;
                let took = due.elapsed();
                let _ = back.send(patient).await;
                anyhow::Ok(took)
            }));
        }
        let mut latencies = Vec::with_capacity(turns);
        for task in tasks {
            latencies.push(task.await??);
        }
        Ok(Paced { latencies, late })
    }
}

/// Latencies at a steady rate.
pub struct Paced {
    pub latencies: Vec<Duration>,
    /// How long after its due time each turn was sent.
    pub late: Vec<Duration>,
}

async fn take_turn(patient: &mut Patient, script: &Script) -> anyhow::Result<()> {
    let text = script.words(patient.number, patient.turns);
    patient.turns += 1;
    let mut updates = patient.session.send(text).await?;
    let mut completed = false;
    // To the end: a stream that is dropped before counts as cancelled.
    while let Some(update) = updates.message().await? {
        completed |= matches!(update.update, Some(Update::Completed(_)));
    }
    anyhow::ensure!(completed, "a turn ended without TurnCompleted");
    Ok(())
}

/// The same order in every run.
pub fn shuffle(patients: &mut [Patient]) {
    patients.shuffle(&mut rand::rngs::StdRng::seed_from_u64(1));
}
