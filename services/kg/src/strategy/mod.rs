//! Scoring strategies: what is known goes in, ranked conditions and a recommendation come out.
//!
//! Pure functions of the query and the model: no clock, no state, no randomness but the seed.

pub mod bayes;
mod candidates;
pub mod dopi;
mod gain;
mod relevance;

use wenzhen_pack::{ConditionIx, Dialogue, Evidence, FindingIx, Gate, Observer, Sex, StrategyName};

use crate::model::Model;
use crate::terms::Known;

/// The person, as far as it decides what can concern them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Person {
    /// Sex, if known.
    pub sex: Option<Sex>,
    /// Age in whole years, if known.
    pub age_years: Option<u32>,
    /// Whether pregnant, if known; who is pregnant is female.
    pub pregnant: Option<bool>,
}

impl Person {
    /// Whether the person may pass a gate. What is not known shuts no gate.
    pub fn passes(&self, gate: &Gate) -> bool {
        let sex = if self.pregnant == Some(true) { Some(Sex::Female) } else { self.sex };
        gate.admits(sex, self.age_years)
    }
}

/// All that a strategy may look at.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// Everything observed.
    pub evidence: &'a [Evidence],
    /// Asked or refused before: never asked again. Present findings that are not among them
    /// are the patient's own complaints.
    pub asked: &'a [FindingIx],
    /// Questions asked so far.
    pub round: u32,
    /// Seed of the exploration noise.
    pub seed: u64,
    /// The person.
    pub person: Person,
    /// Most findings to return.
    pub limit: usize,
    /// Who will answer.
    pub observer: Observer,
    /// Strategy and thresholds.
    pub dialogue: &'a Dialogue,
}

/// A condition with its score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranked {
    /// The condition.
    pub condition: ConditionIx,
    /// Strategy bayes: posterior probability. Strategy dopi: cosine.
    pub score: f64,
}

/// A finding worth asking for.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The finding.
    pub finding: FindingIx,
    /// Strategy bayes: expected gain in bits, beyond that of the findings before it in the
    /// same question, made smaller where it does not bear on the complaint. Strategy dopi:
    /// FinalScore.
    pub value: f64,
    /// P(present) as expected now; 0 under strategy dopi.
    pub probability: f64,
    /// The pair of leading conditions that it separates most, the one that it speaks for
    /// first, with P(present | condition); empty when it separates none.
    pub separates: Vec<(ConditionIx, f64)>,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Next {
    /// Ask for the first candidates.
    Ask,
    /// Enough is known.
    Diagnose,
    /// Not enough to tell, and nothing would help.
    Abstain,
}

/// Why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The best finding still separates conditions.
    Gain,
    /// The posterior reached the threshold.
    PosteriorReached,
    /// The cosine reached epsilon.
    CosineReached,
    /// No finding gains enough any more.
    GainVanished,
    /// The number of questions is spent.
    RoundsSpent,
    /// Nothing is left that the observer could be asked.
    NothingLeft,
    /// Nothing that the pack knows was observed; asked, it is asked by the priors alone.
    NoEvidence,
}

/// A recommendation; whoever asked decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Recommendation {
    /// The step.
    pub next: Next,
    /// Its reason.
    pub reason: Reason,
}

/// The answer of a strategy.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// Conditions that can concern the person, best first.
    pub ranked: Vec<Ranked>,
    /// Findings worth asking, best first; of nearly equal ones those that belong to the ones
    /// before them in the same question.
    pub worth_asking: Vec<Candidate>,
    /// The recommendation.
    pub recommendation: Recommendation,
}

/// Scores a query with the strategy that its dialogue names.
pub fn advance(model: &Model, query: &Query<'_>) -> Scored {
    let known = Known::new(model, query.evidence, query.asked);
    match query.dialogue.strategy {
        StrategyName::BayesPlain => bayes::advance(model, query, &known),
        StrategyName::Dopi => dopi::advance(model, query, &known),
    }
}

/// Conditions by falling score; equal scores stay in the pack's order.
fn rank(model: &Model, scores: &[f64], person: Person) -> Vec<Ranked> {
    let mut ranked: Vec<Ranked> = model
        .conditions()
        .zip(scores)
        .zip(&model.pack().conditions)
        .filter(|(_, condition)| person.passes(&condition.gate))
        .map(|((condition, score), _)| Ranked { condition, score: *score })
        .collect();
    ranked.sort_by(|a, b| b.score.total_cmp(&a.score));
    ranked
}

/// Common end of both strategies: `enough` is their own reason to diagnose, `best` the best
/// candidate's value, `sure_enough` whether the leading condition may be named at the end.
fn recommend(query: &Query<'_>, known: &Known, enough: Option<Reason>, ending: Ending) -> Recommendation {
    let nothing_known = known.terms.is_empty();
    let at_end = |reason| match (nothing_known, ending.sure_enough) {
        (true, _) => Recommendation { next: Next::Abstain, reason: Reason::NoEvidence },
        (false, true) => Recommendation { next: Next::Diagnose, reason },
        (false, false) => Recommendation { next: Next::Abstain, reason },
    };
    match (enough, ending.best) {
        (Some(reason), _) if !nothing_known => Recommendation { next: Next::Diagnose, reason },
        _ if query.round >= query.dialogue.max_rounds => at_end(Reason::RoundsSpent),
        (_, None) => at_end(Reason::NothingLeft),
        (_, Some(best)) if best < ending.least => at_end(Reason::GainVanished),
        (_, Some(_)) if nothing_known => Recommendation { next: Next::Ask, reason: Reason::NoEvidence },
        (_, Some(_)) => Recommendation { next: Next::Ask, reason: Reason::Gain },
    }
}

/// How a strategy stands at the end of a step.
#[derive(Debug, Clone, Copy)]
struct Ending {
    /// Value of the best candidate.
    best: Option<f64>,
    /// Below this value nothing is asked.
    least: f64,
    /// The leading condition may be named when nothing more is asked.
    sure_enough: bool,
}
