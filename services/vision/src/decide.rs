//! From probabilities to what is told: features with abstention, findings of the pack, constitutions. Pure.

use std::collections::BTreeMap;

use wenzhen_pack::{FindingIx, Pack, TongueTable};
use wenzhen_proto::clinical::v1::FindingState;
use wenzhen_proto::vision::v1::{ClassProbability, Constitution, Feature, Provenance, TongueFinding};

use crate::card::{self, Card, HeadCard, Role};

/// A finding that is less likely than not is never told, whatever the model's thresholds.
const LEAST: f32 = 0.5;

/// The heads that are told, with their probabilities.
fn told<'a>(card: &'a Card, heads: &'a [Vec<f32>]) -> impl Iterator<Item = (&'a HeadCard, &'a [f32])> {
    let all = card.heads.iter().zip(heads.iter().map(Vec::as_slice));
    all.filter(|(head, _)| head.role == Role::Feature && head.enabled)
}

/// The features, in the order of the card.
pub fn features(card: &Card, heads: &[Vec<f32>]) -> Vec<Feature> {
    let feature = |(head, probabilities): (&HeadCard, &[f32])| {
        let classes = head.classes.iter().zip(probabilities);
        let mut classes: Vec<_> = classes
            .map(|(class, probability)| ClassProbability { class: class.clone(), probability: *probability })
            .collect();
        classes.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        let first = classes.first().cloned().unwrap_or_default();
        let abstained = first.probability < threshold(head, &first.class);
        Feature { name: head.name.clone(), classes, abstained, provenance: provenance(head.provenance) as i32 }
    };
    told(card, heads).map(feature).collect()
}

/// The findings that the pack's table draws from the features, surest first. What several classes mean counts them all,
/// and must come to the highest of their thresholds.
pub fn findings(pack: &Pack, table: &TongueTable, card: &Card, heads: &[Vec<f32>]) -> Vec<TongueFinding> {
    let mut found = Vec::new();
    for (head, probabilities) in told(card, heads) {
        let Some(classes) = table.features.get(&head.name) else { continue };
        // Finding and whether it is present, to its probability and what it must come to.
        let mut meant: BTreeMap<(FindingIx, bool), (f32, f32)> = BTreeMap::new();
        for (class, probability) in head.classes.iter().zip(probabilities) {
            let Some(meaning) = classes.get(class) else { continue };
            let present = meaning.present.iter().map(|finding| (*finding, true));
            for key in present.chain(meaning.denied.iter().map(|finding| (*finding, false))) {
                let (sum, least) = meant.entry(key).or_insert((0.0, LEAST));
                *sum += probability;
                *least = least.max(threshold(head, class));
            }
        }
        for ((finding, present), (probability, least)) in meant {
            let Some(finding) = pack.findings.get(finding.at()).filter(|_| probability >= least) else { continue };
            let state = if present { FindingState::Present } else { FindingState::Denied };
            found.push(TongueFinding {
                finding_id: finding.id.clone(),
                state: state as i32,
                probability: probability.min(1.0),
                feature: head.name.clone(),
            });
        }
    }
    found.sort_by(|a, b| b.probability.total_cmp(&a.probability).then_with(|| a.finding_id.cmp(&b.finding_id)));
    found
}

/// The constitutions, most probable first: the softmax of each one's bias and of its signs, weighed by their
/// probabilities. A feature that is not told adds nothing.
pub fn constitutions(pack: &Pack, table: &TongueTable, card: &Card, heads: &[Vec<f32>]) -> Vec<Constitution> {
    let locale = pack.manifest.default_locale();
    let probability = |feature: &str, class: &str| {
        let (head, probabilities) = told(card, heads).find(|(head, _)| head.name == feature)?;
        probabilities.get(head.classes.iter().position(|name| name == class)?).copied()
    };
    let score = |row: &wenzhen_pack::ConstitutionRow| {
        let signs = row.signs.iter();
        let sum: f64 =
            signs.map(|sign| sign.weight * f64::from(probability(&sign.feature, &sign.class).unwrap_or(0.0))).sum();
        (row.bias + sum).exp()
    };
    let weights: Vec<f64> = table.constitutions.iter().map(score).collect();
    let sum: f64 = weights.iter().sum();
    let rows = table.constitutions.iter().zip(weights);
    let mut told: Vec<Constitution> = rows
        .map(|(row, weight)| Constitution {
            constitution_id: row.id.clone(),
            name: row.names.text(locale).to_owned(),
            probability: (weight / sum) as f32,
        })
        .collect();
    told.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    told
}

/// What a class must come to.
fn threshold(head: &HeadCard, class: &str) -> f32 {
    let at = head.classes.iter().position(|name| name == class);
    at.and_then(|at| head.abstain.get(at)).copied().unwrap_or(1.0)
}

/// The provenance on the wire.
pub fn provenance(of: card::Provenance) -> Provenance {
    match of {
        card::Provenance::Rendered => Provenance::Rendered,
        card::Provenance::Photographs => Provenance::Photographs,
    }
}
