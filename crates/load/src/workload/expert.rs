//! Requests to the expert: whole cases with a ranking.

use rand::Rng as _;
use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha8Rng;
use wenzhen_pack::{Level, Locale, Pack};
use wenzhen_proto::clinical::v1::{FindingState, Observation, RankedCondition, RedFlag, Urgency};
use wenzhen_proto::expert::v1::DiagnoseRequest;

use super::{Case, Materials, locale_message};
use crate::error::LoadError;

/// Conditions in a ranking.
const RANKED: usize = 10;
/// Share of cases with a red flag that can wait until later in the day.
const FLAGGED: f64 = 0.05;
/// Findings asked before a diagnosis.
const ASKED: std::ops::RangeInclusive<usize> = 4..=16;

/// A case as it is when the orchestrator wants a diagnosis.
pub fn diagnose(materials: &Materials, random: &mut ChaCha8Rng) -> Result<DiagnoseRequest, LoadError> {
    let pack = &materials.pack;
    let case = Case::sample(pack, random).ok_or(LoadError::Workload("no condition has a finding that can be told"))?;
    let observations = case.observations(pack, random.random_range(ASKED));
    let locale = materials.locale(random);
    let flag = flag(pack, locale, random);
    Ok(DiagnoseRequest {
        pins: materials.pins(),
        ranked: ranking(pack, &observations),
        observations,
        patient: Some(case.person),
        urgency: flag.as_ref().map_or(Urgency::Routine, |_| Urgency::Today).into(),
        red_flags: flag.into_iter().collect(),
        locale: locale_message(locale).into(),
    })
}

fn flag(pack: &Pack, locale: Locale, random: &mut ChaCha8Rng) -> Option<RedFlag> {
    let today: Vec<_> = pack.safety.red_flags.iter().filter(|flag| flag.level == Level::Today).collect();
    let flag = today.choose(random).filter(|_| random.random_bool(FLAGGED))?;
    let message = flag.message.text(locale).to_owned();
    Some(RedFlag { id: flag.id.clone(), urgency: Urgency::Today.into(), message })
}

/// Naive Bayes over the pack as it is written: near enough to what the graph says for a workload.
fn ranking(pack: &Pack, observations: &[Observation]) -> Vec<RankedCondition> {
    let score = |condition: &wenzhen_pack::Condition| -> f64 {
        let evidence = observations.iter().filter_map(|observation| {
            let finding = pack.finding(&observation.finding_id)?;
            let edge = condition.edges.iter().find(|edge| edge.finding == finding);
            let base = pack.findings.get(finding.at()).map_or(0.05, |finding| finding.base_rate);
            let present = edge.map_or(base, |edge| edge.present).clamp(0.001, 0.999);
            match observation.state() {
                FindingState::Present => Some(present.ln()),
                FindingState::Denied => Some((1.0 - present).ln()),
                FindingState::Unsure | FindingState::Unspecified => None,
            }
        });
        condition.prior.ln() + evidence.sum::<f64>()
    };
    let mut scored: Vec<(&str, f64)> = pack.conditions.iter().map(|c| (c.id.as_str(), score(c))).collect();
    scored.sort_by(|a, b| b.1.total_cmp(&a.1));
    let best = scored.first().map_or(0.0, |(_, score)| *score);
    let sum: f64 = scored.iter().map(|(_, score)| (score - best).exp()).sum();
    let ranked = scored.into_iter().take(RANKED);
    ranked
        .map(|(id, score)| RankedCondition { condition_id: id.to_owned(), score: (score - best).exp() / sum.max(1.0) })
        .collect()
}
