//! Why a condition has its score, and what a question would separate.

use wenzhen_pack::{ConditionIx, Evidence, FindingIx, State, StrategyName};

use crate::model::Model;
use crate::strategy::bayes::{Likelihood, posterior};
use crate::strategy::{Candidate, Query, Ranked, Scored, advance, dopi};
use crate::terms::{Known, Term};

/// What a finding contributed to a condition's score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contribution {
    /// The finding.
    pub finding: FindingIx,
    /// The state that was scored.
    pub state: State,
    /// Strategy bayes: log odds against the average of the other conditions, in nats.
    /// Strategy dopi: share of the cosine.
    pub weight: f64,
    /// It follows from other findings and was not said.
    pub derived: bool,
}

/// What asking for a finding would do.
#[derive(Debug, Clone, PartialEq)]
pub struct QuestionEffect {
    /// The finding with its value; the value is 0 where it would not be asked.
    pub candidate: Candidate,
    /// Ranking if the answer is yes.
    pub if_present: Vec<Ranked>,
    /// Ranking if the answer is no.
    pub if_denied: Vec<Ranked>,
}

/// Contributions of all known findings to a condition, largest in size first. Findings that
/// count for nothing (unsure, following from another one) are left out.
pub fn contributions(model: &Model, query: &Query<'_>, condition: ConditionIx) -> Vec<Contribution> {
    let known = Known::new(model, query.evidence, query.asked);
    let mut list = match query.dialogue.strategy {
        StrategyName::BayesPlain => log_odds(model, query, &known, condition),
        StrategyName::Dopi => cosine_shares(model, &known, condition),
    };
    list.sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()));
    list
}

fn log_odds(model: &Model, query: &Query<'_>, known: &Known, condition: ConditionIx) -> Vec<Contribution> {
    let others: Vec<ConditionIx> = model
        .conditions()
        .zip(&model.pack().conditions)
        .filter(|(c, other)| *c != condition && query.person.passes(&other.gate))
        .map(|(c, _)| c)
        .collect();
    let likelihood = Likelihood::new(model, known);
    let weight = |term: &Term| {
        let under = |c: ConditionIx| likelihood.part(model, term, c);
        let mean = others.iter().map(|c| under(*c)).sum::<f64>() / others.len().max(1) as f64;
        under(condition) - mean
    };
    let of_term = |term: &Term| {
        // The denied values of one axis share one factor; each gets its equal part.
        let part = weight(term) / (1 + term.with.len()) as f64;
        let (state, derived) = (term.state, term.derived);
        term.findings().map(|finding| Contribution { finding, state, weight: part, derived }).collect::<Vec<_>>()
    };
    known.terms.iter().flat_map(of_term).collect()
}

fn cosine_shares(model: &Model, known: &Known, condition: ConditionIx) -> Vec<Contribution> {
    dopi::present(known)
        .map(|(finding, _)| Contribution {
            finding,
            state: State::Present,
            weight: dopi::share(model, known, condition, finding),
            derived: known.state(finding).is_some_and(|c| c.derived),
        })
        .collect()
}

/// What asking for `finding` would do, by scoring both answers.
pub fn question(model: &Model, query: &Query<'_>, finding: FindingIx) -> QuestionEffect {
    let everything = Query { limit: model.pack().findings.len(), ..*query };
    let now: Scored = advance(model, &everything);
    let candidate = now.worth_asking.iter().find(|c| c.finding == finding).cloned().unwrap_or(Candidate {
        finding,
        value: 0.0,
        probability: 0.0,
        separates: Vec::new(),
    });
    let with = |state| {
        let mut evidence = query.evidence.to_vec();
        evidence.push(Evidence { finding, state, probability: 1.0 });
        let asked: Vec<FindingIx> = query.asked.iter().copied().chain([finding]).collect();
        advance(model, &Query { evidence: &evidence, asked: &asked, limit: 0, ..*query }).ranked
    };
    QuestionEffect { candidate, if_present: with(State::Present), if_denied: with(State::Denied) }
}

/// Score of one condition as [`advance`] ranks it; `None` where it cannot concern the person.
pub fn score(model: &Model, query: &Query<'_>, condition: ConditionIx) -> Option<Ranked> {
    let known = Known::new(model, query.evidence, query.asked);
    let scores = match query.dialogue.strategy {
        StrategyName::BayesPlain => posterior(model, &known, query.person),
        StrategyName::Dopi => dopi::cosines(model, &known),
    };
    let gate = &model.pack().conditions.get(condition.at())?.gate;
    let score = scores.get(condition.at()).copied().filter(|_| query.person.passes(gate))?;
    Some(Ranked { condition, score })
}
