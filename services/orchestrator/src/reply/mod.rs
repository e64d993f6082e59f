//! The reply to a decision: worded, guarded, streamed.

mod answer;
mod composer;
mod diagnose;
mod meaning;
mod question;

use wenzhen_proto::clinical::v1::Urgency;
use wenzhen_proto::orchestrator::v1::{Decision, DecisionInputs, DecisionKind};

use crate::Error;
use crate::state::State;
use crate::turn::Scene;

pub(crate) use answer::why_asked;
pub(crate) use composer::Composer;

/// What a reply is made from.
pub(crate) struct Material<'a> {
    pub scene: &'a Scene<'a>,
    /// The state before the turn, with the message recorded.
    pub before: &'a State,
    /// The state after the decision.
    pub after: &'a State,
    pub inputs: &'a DecisionInputs,
    pub decision: &'a Decision,
}

/// Composes the reply to a decision.
pub(crate) async fn compose(
    scene: &Scene<'_>,
    (before, after): (&State, &State),
    (inputs, decision): (&DecisionInputs, &Decision),
    composer: &mut Composer<'_>,
) -> Result<(), Error> {
    let material = Material { scene, before, after, inputs, decision };
    let voice = scene.knowledge.voice(after.locale)?;
    let kind = decision.kind();
    if kind != DecisionKind::Diagnose && decision.urgency() <= Urgency::Today {
        // Thanks have an answer of their own.
        if decision.reason != "thanks" {
            composer.safely(scene, &inputs.preface).await;
        }
        let today = material.messages(&decision.raised_flag_ids);
        if !today.is_empty() {
            composer.line(&voice.today.replace("{message}", &today)).await;
        }
    }
    // A word that was asked about beside an answer is explained before the next question.
    if kind != DecisionKind::Answer && decision.urgency() <= Urgency::Today {
        composer.line(&meaning::explained(&material)?).await;
    }
    match kind {
        DecisionKind::Ask | DecisionKind::Clarify | DecisionKind::AskContext => {
            question::compose(&material, composer).await?;
        }
        DecisionKind::Redirect => question::redirect(&material, composer).await?,
        DecisionKind::Diagnose => diagnose::compose(&material, composer).await?,
        DecisionKind::Abstain => answer::abstain(&material, composer).await?,
        DecisionKind::Answer => answer::compose(&material, composer).await?,
        DecisionKind::Escalate => answer::escalate(&material, composer).await?,
        DecisionKind::HandOver => {
            // Until a clinician has taken over, nobody may say so.
            let taken = decision.reason == "handed_over" && before.waiting_since.is_none();
            let line = if taken { &voice.handed_over } else { &voice.hand_over };
            composer.line(line).await;
        }
        DecisionKind::End => composer.line(&voice.end).await,
        DecisionKind::Unspecified => {}
    }
    // Where a built-in voice took a model's place, the patient misses nothing that it could be told of.
    if composer.degraded.iter().any(|why| !why.fell_back) && !before.told_degraded {
        composer.line(&voice.degraded).await;
    }
    Ok(())
}

impl Material<'_> {
    /// Messages of red flags, most urgent first, each once.
    fn messages(&self, flags: &[String]) -> String {
        let raised = crate::turn::raised(self.scene.knowledge, self.after.locale, self.after.urgency, flags);
        let mut messages: Vec<String> = Vec::new();
        for flag in raised.into_iter().flat_map(|raised| raised.red_flags) {
            if !messages.contains(&flag.message) && messages.len() < 2 {
                messages.push(flag.message);
            }
        }
        messages.join(" ")
    }

    /// One of several ways to say something; the same consultation and turn give the same words.
    fn pick<'t>(&self, variants: &'t [String]) -> &'t str {
        let seed = self.after.started.seed.wrapping_add(u64::from(self.scene.number));
        let at = usize::try_from(seed % variants.len().max(1) as u64).unwrap_or(0);
        variants.get(at).map_or("", String::as_str)
    }
}
