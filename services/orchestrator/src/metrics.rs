//! What the orchestrator counts. Labels are names of decisions, agents and fixed reasons, nothing that anybody said.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use wenzhen_proto::clinical::v1::{Agent, Degradation};
use wenzhen_proto::orchestrator::v1::DecisionKind;
use wenzhen_service::Metrics;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct TurnLabels {
    decision: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct DegradedLabels {
    agent: &'static str,
    reason: String,
}

/// `wenzhen_turns_total{decision}`, `wenzhen_degraded_replies_total{agent,reason}`.
#[derive(Clone, Debug)]
pub(crate) struct TurnMetrics {
    turns: Family<TurnLabels, Counter>,
    degraded: Family<DegradedLabels, Counter>,
}

impl TurnMetrics {
    pub(crate) fn register(metrics: &Metrics) -> Self {
        let (turns, degraded) = (Family::default(), Family::default());
        metrics.register(|registry| {
            registry.register("turns", "Turns by what was decided", turns.clone());
            registry.register(
                "degraded_replies",
                "Replies for which an agent could not be used, by agent and reason",
                degraded.clone(),
            );
        });
        Self { turns, degraded }
    }

    /// Counts a turn that was answered.
    pub(crate) fn answered(&self, kind: DecisionKind, degraded: &[Degradation]) {
        let decision = kind.as_str_name().trim_start_matches("DECISION_KIND_");
        self.turns.get_or_create(&TurnLabels { decision }).inc();
        for degradation in degraded {
            let agent = Agent::try_from(degradation.agent).unwrap_or_default();
            let agent = agent.as_str_name().trim_start_matches("AGENT_");
            self.degraded.get_or_create(&DegradedLabels { agent, reason: degradation.reason.clone() }).inc();
        }
    }
}
