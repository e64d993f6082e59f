//! Requests to guidance: what patients say, and findings to ask for.

use rand::Rng as _;
use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha8Rng;
use wenzhen_pack::{FindingIx, Pack};
use wenzhen_proto::clinical::v1::{FindingState, Subject};
use wenzhen_proto::guidance::v1::{AskRequest, InterpretRequest};

use super::words::{felt, told};
use super::{Case, Materials, locale_message};
use crate::error::LoadError;

/// Findings in a question at most.
const MOST_ASKED: usize = 3;

fn ids(pack: &Pack, findings: &[FindingIx]) -> Vec<String> {
    findings.iter().filter_map(|finding| pack.findings.get(finding.at())).map(|finding| finding.id.clone()).collect()
}

fn case(materials: &Materials, random: &mut ChaCha8Rng) -> Result<Case, LoadError> {
    Case::sample(&materials.pack, random).ok_or(LoadError::Workload("no condition has a finding that can be told"))
}

/// A complaint, a short answer to a question, or a text of the pack's tests.
pub fn interpret(materials: &Materials, random: &mut ChaCha8Rng) -> Result<InterpretRequest, LoadError> {
    let request = InterpretRequest { pins: materials.pins(), turn: random.random_range(1..10), ..Default::default() };
    let kind = random.random_range(0..100);
    if let Some((text, asked)) = materials.samples.utterances.choose(random).filter(|_| kind < 25) {
        return Ok(InterpretRequest { text: text.clone(), asked_finding_ids: asked.clone(), ..request });
    }
    let case = case(materials, random)?;
    let locale = materials.locale(random);
    let phrases = materials.words.of(locale);
    let request = InterpretRequest { locale: locale_message(locale).into(), ..request };
    if kind < 60 {
        let asked: Vec<FindingIx> = case.questions.iter().take(random.random_range(1..=2)).copied().collect();
        let has = |at: usize| asked.get(at).map(|finding| case.state(*finding) == FindingState::Present);
        let text = match (has(0), has(1)) {
            (Some(true), None) => &phrases.yes,
            (Some(false), None) => &phrases.no,
            (Some(true), Some(true)) => &phrases.both,
            (Some(true), Some(false)) => &phrases.first_only,
            (Some(false), Some(true)) => &phrases.second_only,
            (Some(false), Some(false)) => &phrases.neither,
            (None, _) => &phrases.unsure,
        };
        return Ok(InterpretRequest { text: text.clone(), asked_finding_ids: ids(&materials.pack, &asked), ..request });
    }
    let complaint = told(&materials.pack, phrases, locale, &case.complaints, random);
    let text = if kind < 70 { felt(&materials.pack, phrases, locale, &complaint, random) } else { complaint };
    Ok(InterpretRequest { text, ..request })
}

/// A question for one to three findings of a case, or for what an ambiguous saying means.
pub fn ask(materials: &Materials, random: &mut ChaCha8Rng) -> Result<AskRequest, LoadError> {
    let subjects = [Subject::Self_, Subject::Self_, Subject::Self_, Subject::Child, Subject::Parent];
    let request = AskRequest {
        pins: materials.pins(),
        locale: locale_message(materials.locale(random)).into(),
        subject: subjects.choose(random).copied().unwrap_or_default().into(),
        seed: random.random(),
        ..AskRequest::default()
    };
    if let Some(ambiguity) = materials.pack.ambiguities.choose(random).filter(|_| random.random_bool(0.1)) {
        return Ok(AskRequest { ambiguity_id: ambiguity.id.clone(), ..request });
    }
    let case = case(materials, random)?;
    let count = random.random_range(1..=MOST_ASKED);
    let asked: Vec<FindingIx> = case.questions.iter().chain(&case.complaints).take(count).copied().collect();
    Ok(AskRequest { finding_ids: ids(&materials.pack, &asked), ..request })
}
