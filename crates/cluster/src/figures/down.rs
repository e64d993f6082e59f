//! An agent that is wholly gone: consultations go on without it, say so, and come to their end.

use anyhow::Context as _;
use wenzhen_proto::clinical::v1::Agent;
use wenzhen_proto::orchestrator::v1::DecisionKind;

use super::Figure;
use crate::patients::{Patient, Words, opened};
use crate::system::AGENTS;
use crate::{Cluster, Plan};

/// Consultations that are held without it, and the turns that each may take.
const PATIENTS: usize = 20;
const TURNS: usize = 30;

/// Each agent in turn.
pub(super) async fn agent_down() -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for agent in AGENTS {
        figures.push(without(agent).await?);
    }
    Ok(figures)
}

async fn without(agent: &'static str) -> anyhow::Result<Figure> {
    let mut cluster = Cluster::start(Plan::default()).await?;
    let patients = opened(&[cluster.channel(0).await?], PATIENTS, 0).await?;
    let before = attempts(&cluster, agent).await?;
    cluster.replica(agent, 0)?.signal("KILL").await?;
    let (words, mut seen) = (Words::load()?, Seen::default());
    for (number, mut patient) in patients.into_iter().enumerate() {
        // Every second one comes to a diagnosis, so that every agent is asked.
        let says = |turn| if number % 2 == 0 { words.course(turn) } else { words.of(number, turn) };
        seen.hold(&mut patient, says, agent).await?;
        patient.check().await?;
    }
    let after = attempts(&cluster, agent).await?;
    let (calls, retries) = (after.0 - before.0, after.1 - before.1);
    let factor = (calls + retries) / calls;
    Ok(Figure {
        what: match agent {
            "kg" => "kg wholly down",
            "guidance" => "guidance wholly down",
            "expert" => "expert wholly down",
            _ => "empathy wholly down",
        },
        found: format!(
            "{} of {PATIENTS} consultations came to their end in {} turns, {} turns said that it is away; {calls:.0} calls to it, {factor:.2} attempts a call",
            seen.ended, seen.turns, seen.degraded
        ),
        wanted: "every consultation ends, degraded is said, <= 1.2 attempts a call to it",
        reached: seen.ended == PATIENTS && seen.degraded > 0 && calls > 0.0 && factor <= 1.2,
    })
}

/// Calls to an agent, and further attempts of them.
async fn attempts(cluster: &Cluster, agent: &str) -> anyhow::Result<(f64, f64)> {
    let orchestrator = cluster.orchestrators.first().context("no orchestrator")?;
    let target = format!("target=\"{}\"", cluster.target(agent));
    let calls = orchestrator.metric("wenzhen_channel_calls_total", &target).await?;
    let retries = orchestrator.metric("wenzhen_channel_retries_total", &target).await?;
    Ok((calls, retries))
}

#[derive(Default)]
struct Seen {
    turns: usize,
    degraded: usize,
    ended: usize,
}

impl Seen {
    /// One consultation, to the decision that ends the questions.
    async fn hold<'w>(
        &mut self,
        patient: &mut Patient,
        says: impl Fn(usize) -> &'w str,
        agent: &str,
    ) -> anyhow::Result<()> {
        let away = Agent::from_str_name(&format!("AGENT_{}", agent.to_uppercase())).context("no such agent")?;
        for turn in 0..TURNS {
            let completed = patient.say(says(turn)).await?;
            self.turns += 1;
            self.degraded += usize::from(completed.degraded.iter().any(|one| one.agent() == away));
            if concludes(completed.decision()) {
                self.ended += 1;
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Whether a decision is what a consultation was held for: a diagnosis, a referral, or a person who takes over.
fn concludes(decision: DecisionKind) -> bool {
    use DecisionKind::{Abstain, Diagnose, End, Escalate, HandOver};
    matches!(decision, Diagnose | Abstain | Escalate | HandOver | End)
}
