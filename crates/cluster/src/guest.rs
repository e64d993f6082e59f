//! Somebody else's command against a cluster: clients in other languages, the load generator.

use std::process::ExitStatus;

use anyhow::Context as _;
use tokio::process::Command;

use crate::{Cluster, Plan};

/// Name of the clinician whose key the command gets.
const CLINICIAN: &str = "guest";

/// Starts a cluster and runs a command, which finds in its environment `CLUSTER_ORCHESTRATOR`, `CLUSTER_KG` and so on
/// (`HOST:PORT`), `CLUSTER_CLINICIAN_KEY`, and `CLUSTER_BIN`, the folder of the binaries.
///
/// # Errors
/// When the cluster or the command does not start.
pub async fn run(command: &[String]) -> anyhow::Result<ExitStatus> {
    let (program, arguments) = command.split_first().context("no command")?;
    let folder = tempfile::tempdir()?;
    let keys = folder.path().join("clinicians.keys");
    let key = format!("{:032x}", rand::random::<u128>());
    tokio::fs::write(&keys, format!("{CLINICIAN}:{key}\n")).await?;
    let flags = vec![("orchestrator", format!("--clinicians-file={}", keys.display()))];
    let cluster = Cluster::start(Plan { flags, vision: true, ..Plan::default() }).await?;
    let binaries = std::env::current_exe()?;
    let orchestrator = cluster.orchestrators.first().context("no orchestrator")?.address().await?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("CLUSTER_BIN", binaries.parent().context("no folder of binaries")?)
        .env("CLUSTER_CLINICIAN_KEY", &key)
        .env("CLUSTER_ORCHESTRATOR", orchestrator.to_string())
        .kill_on_drop(true);
    for (agent, replicas) in &cluster.agents {
        let address = replicas.first().context("no replica")?.address().await?;
        command.env(format!("CLUSTER_{}", agent.to_uppercase()), address.to_string());
    }
    command.status().await.with_context(|| format!("cannot run {program}"))
}
