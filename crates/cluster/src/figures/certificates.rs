//! Certificates are exchanged while consultations go on.

use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use wenzhen_proto::orchestrator::v1::TurnCompleted;

use super::Figure;
use crate::certificates::{Authority, Folder};
use crate::patients::{Patient, Words, opened};
use crate::system::AGENTS;
use crate::{Cluster, Plan, Program};

/// Patients who take turns, and turns a second.
const PATIENTS: usize = 400;
const RATE: u32 = 50;
/// Age at which an agent asks a connection to go, so that every certificate is shown soon.
const AGE: Duration = Duration::from_secs(1);
/// Time for every process to see new files: they look each second.
const PATIENCE: Duration = Duration::from_secs(15);

const RELOADS: &str = "wenzhen_tls_reloads_total";
const HANDSHAKES: &str = "wenzhen_tls_handshakes_total";

pub(super) async fn rotated() -> anyhow::Result<Vec<Figure>> {
    let (old, new) = (Authority::new("old")?, Authority::new("new")?);
    let services = AGENTS.into_iter().chain(["orchestrator", "client"]);
    let made = services.map(|name| anyhow::Ok((name, Folder::new(name, &old, &[&old])?)));
    let mut folders = made.collect::<anyhow::Result<Vec<_>>>()?;
    let of = |(name, folder): &(&'static str, Folder)| folder.flags().into_iter().map(|flag| (*name, flag)).collect();
    let mut flags: Vec<_> = folders.iter().flat_map::<Vec<_>, _>(of).collect();
    flags.retain(|(name, _)| *name != "client");
    flags.extend(AGENTS.map(|agent| (agent, format!("--connection-age-ms={}", AGE.as_millis()))));
    let cluster = Cluster::start(Plan { replicas: 2, https: true, flags, ..Plan::default() }).await?;
    let orchestrator = cluster.orchestrators.first().context("no orchestrator")?;

    let first = connect(orchestrator, client(&folders)?).await?;
    let patients = opened(std::slice::from_ref(&first), PATIENTS, 1).await?;
    let (current, channel) = watch::channel(first);
    let stop = CancellationToken::new();
    let load = tokio::spawn(speak(patients, channel, stop.clone()));
    let before = total(&cluster, HANDSHAKES).await?;
    let both = [&old, &new];
    for (signer, trusted) in [(&old, &both[..]), (&new, &both[..]), (&new, &both[1..])] {
        let mut seen = Vec::new();
        for program in cluster.programs() {
            seen.push(program.metric(RELOADS, "outcome=\"ok\"").await?);
        }
        for (_, folder) in &mut folders {
            folder.exchange(signer, trusted)?;
        }
        for (program, seen) in cluster.programs().zip(seen) {
            more(program, RELOADS, seen).await?;
        }
        // Every connection to an agent is made anew, and the client comes back with its new certificate.
        tokio::time::sleep(AGE * 3).await;
        current.send_replace(connect(orchestrator, client(&folders)?).await?);
    }
    let made = total(&cluster, HANDSHAKES).await? - before;
    stop.cancel();
    let load = load.await??;
    Ok(vec![Figure {
        what: "certificates and their authority exchanged three times under 50 turns/s, mTLS between nine processes",
        found: format!(
            "{} turns, {} failed, {} degraded, {made:.0} handshakes meanwhile, longest turn {:.0} ms{}",
            load.turns,
            load.failed.len(),
            load.degraded,
            load.longest.as_secs_f64() * 1000.0,
            load.failed.first().map(|why| format!(": {why}")).unwrap_or_default()
        ),
        wanted: "no turn failed or degraded",
        reached: load.failed.is_empty() && load.degraded == 0 && load.turns > 0 && made >= 24.0,
    }])
}

fn client<'f>(folders: &'f [(&'static str, Folder)]) -> anyhow::Result<&'f Folder> {
    folders.iter().find(|(name, _)| *name == "client").map(|(_, folder)| folder).context("no client")
}

async fn connect(orchestrator: &Program, folder: &Folder) -> anyhow::Result<Channel> {
    let endpoint = Channel::from_shared(format!("https://{}", orchestrator.address().await?))?;
    Ok(endpoint.tcp_nodelay(true).tls_config(folder.client()?)?.connect().await?)
}

/// The sum of a counter over all processes.
async fn total(cluster: &Cluster, name: &str) -> anyhow::Result<f64> {
    let mut sum = 0.0;
    for program in cluster.programs() {
        sum += program.metric(name, "outcome=\"ok\"").await?;
    }
    Ok(sum)
}

/// Waits until a counter has grown.
async fn more(program: &Program, name: &str, than: f64) -> anyhow::Result<()> {
    let (until, mut pause) = (Instant::now() + PATIENCE, interval(Duration::from_millis(100)));
    while program.metric(name, "outcome=\"ok\"").await? <= than {
        anyhow::ensure!(Instant::now() < until, "a process did not read its new certificate:\n{}", program.tail());
        pause.tick().await;
    }
    Ok(())
}

/// What became of the turns.
#[derive(Default)]
struct Load {
    turns: usize,
    degraded: usize,
    failed: Vec<String>,
    longest: Duration,
}

/// Turns at a steady rate over the connection of the moment, until `stop`.
async fn speak(
    patients: Vec<Patient>,
    channel: watch::Receiver<Channel>,
    stop: CancellationToken,
) -> anyhow::Result<Load> {
    let words = Words::load()?;
    let mut beats = interval(Duration::from_secs(1) / RATE);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (back, mut free) = mpsc::channel(patients.len().max(1));
    for patient in patients {
        back.send(patient).await?;
    }
    let (mut work, mut load) = (JoinSet::new(), Load::default());
    while !stop.is_cancelled() {
        let due = beats.tick().await;
        let mut patient = free.recv().await.context("no patient")?;
        patient.over(channel.borrow().clone());
        let (words, back) = (words.clone(), back.clone());
        work.spawn(async move {
            let said = patient.turn(&words).await.map_err(|status| status.to_string());
            // The list holds everybody.
            let _ = back.send(patient).await;
            (said, due.elapsed())
        });
        while let Some(done) = work.try_join_next() {
            load.add(done?);
        }
    }
    while let Some(done) = work.join_next().await {
        load.add(done?);
    }
    Ok(load)
}

impl Load {
    fn add(&mut self, (said, took): (Result<TurnCompleted, String>, Duration)) {
        self.turns += 1;
        self.longest = self.longest.max(took);
        match said {
            Ok(completed) => self.degraded += usize::from(!completed.degraded.is_empty()),
            Err(why) => self.failed.push(why),
        }
    }
}
