//! How each agent's built-in voice speaks, per locale (`voice/<locale>/*.toml`).

mod empathy;
mod expert;
mod guidance;
mod orchestrator;

pub use empathy::*;
pub use expert::*;
pub use guidance::*;
pub use orchestrator::*;

/// All voices of one locale.
#[derive(Debug, Clone)]
pub struct Voice {
    /// Question frames.
    pub guidance: GuidanceVoice,
    /// Draft sentences.
    pub expert: ExpertVoice,
    /// Emotion lexicon and comfort.
    pub empathy: EmpathyVoice,
    /// Consent, refusals, escalation, degraded replies.
    pub orchestrator: OrchestratorVoice,
}
