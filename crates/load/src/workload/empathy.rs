//! Requests to empathy: what patients feel, and drafts to rewrite.

use rand::Rng as _;
use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha8Rng;
use wenzhen_pack::{Locale, Pack};
use wenzhen_proto::clinical::v1::{Draft, Emotion, EmotionAssessment, EmpathyNecessity, Fact, FactKind, Subject};
use wenzhen_proto::empathy::v1::{AssessRequest, ModulateRequest, Order};

use super::words::{felt, told};
use super::{Case, Materials, locale_message};
use crate::error::LoadError;

/// Share of messages that show a feeling.
const FELT: f64 = 0.6;

fn case(materials: &Materials, random: &mut ChaCha8Rng) -> Result<Case, LoadError> {
    Case::sample(&materials.pack, random).ok_or(LoadError::Workload("no condition has a finding that can be told"))
}

/// A message, most of them with a feeling before the complaint.
pub fn assess(materials: &Materials, random: &mut ChaCha8Rng) -> Result<AssessRequest, LoadError> {
    let previous = random.random_bool(0.5).then(|| assessment(random));
    let request = AssessRequest { pins: materials.pins(), previous, seed: random.random(), ..Default::default() };
    if let Some(text) = materials.samples.emotions.choose(random).filter(|_| random.random_bool(0.25)) {
        return Ok(AssessRequest { text: text.clone(), ..request });
    }
    let case = case(materials, random)?;
    let locale = materials.locale(random);
    let phrases = materials.words.of(locale);
    let complaint = told(&materials.pack, phrases, locale, &case.complaints, random);
    let feels = random.random_bool(FELT);
    let text = if feels { felt(&materials.pack, phrases, locale, &complaint, random) } else { complaint };
    Ok(AssessRequest { text, locale: locale_message(locale).into(), ..request })
}

/// A draft about a case's condition, with somebody's feelings.
pub fn modulate(materials: &Materials, random: &mut ChaCha8Rng) -> Result<ModulateRequest, LoadError> {
    let case = case(materials, random)?;
    let locale = materials.locale(random);
    let orders = [Order::FactToEmpathy, Order::FactToEmpathy, Order::EmpathyToFact, Order::SingleStage];
    Ok(ModulateRequest {
        pins: materials.pins(),
        draft: Some(draft(&materials.pack, &case, materials, locale)),
        assessment: Some(assessment(random)),
        order: orders.choose(random).copied().unwrap_or_default().into(),
        subject: Subject::Self_.into(),
        seed: random.random(),
    })
}

fn draft(pack: &Pack, case: &Case, materials: &Materials, locale: Locale) -> Draft {
    let condition = pack.conditions.get(case.condition.at());
    let id = condition.map(|condition| condition.id.clone()).unwrap_or_default();
    let name = condition.map(|condition| condition.name(locale)).unwrap_or_default();
    let advice = condition.and_then(|condition| condition.advice.list(locale).first().cloned());
    let referral = condition.map(|condition| condition.refer.text(locale).to_owned());
    let facts = [(FactKind::Condition, Some(name)), (FactKind::Advice, advice), (FactKind::Referral, referral)];
    let (mut text, mut kept) = (materials.words.of(locale).draft.clone(), Vec::new());
    for (at, (kind, words)) in facts.into_iter().enumerate() {
        let slot = format!("f{}", at + 1);
        match words.filter(|words| !words.trim().is_empty()) {
            Some(words) => {
                kept.push(Fact {
                    id: slot,
                    kind: kind.into(),
                    text: words,
                    subject_id: id.clone(),
                    clinician_only: false,
                });
            }
            None => text = text.replace(&format!("{{{{{slot}}}}}"), ""),
        }
    }
    Draft { locale: locale_message(locale).into(), text, facts: kept }
}

fn assessment(random: &mut ChaCha8Rng) -> EmotionAssessment {
    let felt = [
        (Emotion::Neutral, 0, EmpathyNecessity::None),
        (Emotion::Anxiety, 4, EmpathyNecessity::Full),
        (Emotion::Anxiety, 2, EmpathyNecessity::Light),
        (Emotion::Anger, 3, EmpathyNecessity::Full),
        (Emotion::Sadness, 4, EmpathyNecessity::Full),
        (Emotion::Pain, 3, EmpathyNecessity::Light),
        (Emotion::Confusion, 2, EmpathyNecessity::Light),
    ];
    let (emotion, intensity, necessity) =
        felt.choose(random).copied().unwrap_or((Emotion::Neutral, 0, EmpathyNecessity::None));
    EmotionAssessment {
        emotion: emotion.into(),
        intensity,
        necessity: necessity.into(),
        confidence: 0.8,
        ..EmotionAssessment::default()
    }
}
