//! What is said about a photograph: what was seen and how sure it is, or what is wrong with it.

use wenzhen_pack::Locale;
use wenzhen_pack::voice::PhotoVoice;
use wenzhen_proto::clinical::v1::{FindingState, Observation};
use wenzhen_proto::guidance::v1::Intent;
use wenzhen_proto::orchestrator::v1::DecisionKind;
use wenzhen_proto::vision::v1::Quality;

use super::{Composer, Material};
use crate::Error;
use crate::policy::TONGUE_PHOTO;

/// Findings that are told, the surest first.
const TOLD: usize = 5;

/// Says what there is to say about the photograph of this turn, or about there being none.
pub(super) async fn compose(material: &Material<'_>, composer: &mut Composer<'_>) -> Result<(), Error> {
    composer.line(&line(material)?.unwrap_or_default()).await;
    Ok(())
}

/// The words of [`compose`].
pub(super) fn line(material: &Material<'_>) -> Result<Option<String>, Error> {
    let knowledge = material.scene.knowledge;
    let Some(voice) = &knowledge.voice(material.after.locale)?.photo else { return Ok(None) };
    Ok(match &material.inputs.photo {
        None => declined(material).then(|| voice.declined.clone()),
        Some(photo) => Some(match photo.quality() {
            Quality::Unspecified => voice.away.clone(),
            Quality::Ok => seen(material, voice, &photo.seen),
            Quality::NotATongue => voice.not_a_tongue.clone(),
            Quality::Blurred => voice.blurred.clone(),
            Quality::TooDark => voice.too_dark.clone(),
            Quality::TooBright => voice.too_bright.clone(),
            Quality::ColourCast => voice.colour_cast.clone(),
            Quality::TooSmall => voice.too_small.clone(),
            Quality::Covered => voice.covered.clone(),
        }),
    })
}

/// A photograph was asked for, and the words are no photograph.
fn declined(material: &Material<'_>) -> bool {
    let asked = material.before.question.as_ref().is_some_and(|q| q.context_field == TONGUE_PHOTO);
    let words = Intent::try_from(material.inputs.intent).unwrap_or_default();
    let told = !material.inputs.observations.is_empty() || words == Intent::AsksQuestion;
    let goes_on =
        !matches!(material.decision.kind(), DecisionKind::Redirect | DecisionKind::Answer | DecisionKind::End);
    asked && goes_on && !told
}

fn seen(material: &Material<'_>, voice: &PhotoVoice, seen: &[Observation]) -> String {
    let knowledge = material.scene.knowledge;
    let locale = knowledge.locale(material.after.locale);
    let told: Vec<String> = seen.iter().take(TOLD).map(|seen| item(material, voice, (seen, locale))).collect();
    if told.is_empty() {
        return voice.nothing.clone();
    }
    let between = if locale == Locale::Zh { "、" } else { ", " };
    voice.seen.replace("{seen}", &told.join(between))
}

fn item(material: &Material<'_>, voice: &PhotoVoice, (seen, locale): (&Observation, Locale)) -> String {
    let template = if seen.state() == FindingState::Denied { &voice.denied } else { &voice.present };
    // Never 100: that would be a promise.
    let percent = (f64::from(seen.probability.unwrap_or(1.0)) * 100.0).round().clamp(0.0, 99.0);
    let name = material.scene.knowledge.finding_name(&seen.finding_id, locale);
    template.replace("{name}", &name).replace("{percent}", &format!("{percent:.0}"))
}
