//! What speaks for and against the best conditions, and what only a clinician could decide.

use wenzhen_pack::{Closed, ConditionIx, FindingIx, Observer, Pack, State};
use wenzhen_proto::clinical::v1::{Contribution, RankedCondition};
use wenzhen_proto::expert::v1::Differential;

use crate::case::{Case, DIFFERENTIALS, Ranked};
use crate::knowledge::Knowledge;

/// Evidence weighing less, in nats, says nothing.
const LEAST_WEIGHT: f64 = 0.05;
/// A denial makes nothing less likely than to a quarter: people forget and misunderstand.
const LEAST_DENIAL: f64 = -1.386;
/// A finding separates two conditions when it is at least twice as likely under one of them.
const SEPARATES: f64 = std::f64::consts::LN_2;
/// Findings listed in one direction, at most.
const MOST_EVIDENCE: usize = 20;
/// Undecided findings, at most.
const MOST_UNDECIDED: usize = 6;

/// What one finding says about one condition.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weighed {
    /// The finding.
    pub finding: FindingIx,
    /// Its state.
    pub state: State,
    /// Log likelihood ratio against the other ranked conditions, in nats; positive speaks for.
    pub weight: f64,
    /// It follows from other findings and was not said.
    pub derived: bool,
}

/// One condition with everything that bears on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Weighing {
    /// The condition and its score.
    pub ranked: Ranked,
    /// What speaks for it, strongest first.
    pub speaks_for: Vec<Weighed>,
    /// What speaks against it, strongest first.
    pub against: Vec<Weighed>,
    /// What only a clinician can see and would decide, strongest first.
    pub undecided: Vec<FindingIx>,
}

/// Weighs the best conditions, best first, at most three.
pub fn weigh(case: &Case<'_>) -> Vec<Weighing> {
    let best = case.ranked.iter().take(DIFFERENTIALS);
    best.map(|ranked| {
        let (speaks_for, against) = evidence(&case.known(), ranked.condition);
        Weighing { ranked: *ranked, speaks_for, against, undecided: undecided(case, ranked.condition) }
    })
    .collect()
}

/// What is known and what it is weighed against.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The pack, prepared.
    pub knowledge: &'a Knowledge,
    /// One entry per finding of the pack.
    pub closed: &'a [Option<Closed>],
    /// Conditions with scores, best first.
    pub ranked: &'a [Ranked],
}

/// What speaks for a condition and what against it, measured against the other ranked ones, strongest first.
pub fn evidence(case: &Known<'_>, condition: ConditionIx) -> (Vec<Weighed>, Vec<Weighed>) {
    let others = others(case, condition);
    let known = case.closed.iter().enumerate().filter_map(|(i, c)| c.map(|c| (FindingIx::new(i), c)));
    let weighed = known.filter(|(finding, closed)| counts(case, *finding, *closed)).filter_map(|(finding, closed)| {
        let weight = weight(case, &others, condition, finding, closed)?;
        Some(Weighed { finding, state: closed.state, weight, derived: closed.derived })
    });
    let (mut speaks_for, mut against): (Vec<_>, Vec<_>) =
        weighed.filter(|w| w.weight.abs() >= LEAST_WEIGHT).partition(|w| w.weight > 0.0);
    for list in [&mut speaks_for, &mut against] {
        list.sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()).then(a.finding.cmp(&b.finding)));
        list.truncate(MOST_EVIDENCE);
    }
    (speaks_for, against)
}

/// A denial that follows from a denied parent would count the same answer twice.
fn counts(case: &Known<'_>, finding: FindingIx, closed: Closed) -> bool {
    let parent = || case.knowledge.pack().findings.get(finding.at()).and_then(|f| f.parent);
    let twice = closed.derived
        && closed.state == State::Denied
        && parent().and_then(|p| case.closed.get(p.at()).copied().flatten()).is_some_and(|p| p.state == State::Denied);
    closed.state != State::Unsure && !twice
}

/// The other ranked conditions with their priors, scaled to sum to one; empty where there is none.
fn others(case: &Known<'_>, condition: ConditionIx) -> Vec<(ConditionIx, f64)> {
    let conditions = &case.knowledge.pack().conditions;
    let prior = |c: ConditionIx| conditions.get(c.at()).map_or(0.0, |c| c.prior);
    let mut others: Vec<(ConditionIx, f64)> =
        case.ranked.iter().map(|r| (r.condition, prior(r.condition))).filter(|(c, _)| *c != condition).collect();
    let sum: f64 = others.iter().map(|(_, prior)| prior).sum();
    for (_, prior) in &mut others {
        *prior /= sum;
    }
    others
}

/// Log likelihood ratio of what is known of a finding; `None` where it says nothing.
fn weight(
    case: &Known<'_>,
    others: &[(ConditionIx, f64)],
    condition: ConditionIx,
    finding: FindingIx,
    closed: Closed,
) -> Option<f64> {
    let rates = case.knowledge.rates();
    let here = rates.present(condition, finding);
    let there = match others {
        [] => rates.base(finding),
        others => others.iter().map(|(c, share)| share * rates.present(*c, finding)).sum(),
    };
    let hard = match closed.state {
        State::Present => (here / there).ln(),
        State::Denied => ((1.0 - here) / (1.0 - there)).ln().max(LEAST_DENIAL),
        State::Unsure => return None,
    };
    // Jeffrey's mixture: with probability `sure` the state holds, else nothing is known.
    let sure = f64::from(closed.probability).clamp(0.0, 1.0);
    let soft = if sure < 1.0 { (sure * hard.exp() + 1.0 - sure).ln() } else { hard };
    soft.is_finite().then_some(soft)
}

/// Unknown findings that no patient can be asked for and that separate the condition from its
/// strongest rival.
fn undecided(case: &Case<'_>, condition: ConditionIx) -> Vec<FindingIx> {
    let Some(rival) = case.ranked.iter().map(|r| r.condition).find(|c| *c != condition) else { return Vec::new() };
    let rates = case.knowledge.rates();
    let mut separating: Vec<(FindingIx, f64)> = Vec::new();
    for (i, finding) in case.knowledge.pack().findings.iter().enumerate() {
        let ix = FindingIx::new(i);
        if finding.observable.contains(&Observer::Patient) || case.state(ix).is_some() {
            continue;
        }
        let ratio = (rates.present(condition, ix) / rates.present(rival, ix)).ln().abs();
        if ratio >= SEPARATES {
            separating.push((ix, ratio));
        }
    }
    separating.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    separating.into_iter().take(MOST_UNDECIDED).map(|(finding, _)| finding).collect()
}

/// The message form of evidence.
pub fn contributions(pack: &Pack, list: Vec<Weighed>) -> Vec<Contribution> {
    let contribution = |w: Weighed| Contribution {
        finding_id: pack.findings.get(w.finding.at()).map_or_else(String::new, |f| f.id.clone()),
        state: crate::validate::state_message(w.state).into(),
        weight: w.weight,
        derived: w.derived,
    };
    list.into_iter().map(contribution).collect()
}

/// The message form of a weighing.
pub fn message(case: &Case<'_>, weighing: Weighing) -> Differential {
    let pack = case.knowledge.pack();
    let id = |f: FindingIx| pack.findings.get(f.at()).map_or_else(String::new, |f| f.id.clone());
    let text = |pick: fn(&wenzhen_pack::Condition) -> &wenzhen_pack::Localized<String>| {
        let condition = pack.conditions.get(weighing.ranked.condition.at());
        condition.map_or_else(String::new, |c| pick(c).text(case.locale).to_owned())
    };
    Differential {
        condition: Some(RankedCondition {
            condition_id: pack
                .conditions
                .get(weighing.ranked.condition.at())
                .map_or_else(String::new, |c| c.id.clone()),
            score: weighing.ranked.score,
        }),
        disease: text(|c| &c.disease),
        pattern: text(|c| &c.pattern),
        mechanism: text(|c| &c.mechanism),
        evidence_for: contributions(pack, weighing.speaks_for),
        evidence_against: contributions(pack, weighing.against),
        undecided_finding_ids: weighing.undecided.into_iter().map(id).collect(),
    }
}
