//! Scores and their explanations.

use std::sync::Arc;

use wenzhen_pack::{Kind, Observer};
use wenzhen_proto::clinical::v1::Pins;
use wenzhen_proto::kg::v1::{
    AdvanceRequest, AdvanceResponse, Case, ConditionExplanation, ExplainRequest, ExplainResponse, FindingExplanation,
};

use super::KgServer;
use crate::error::Error;
use crate::model::Model;
use crate::strategy::{Candidate, Query, Ranked, advance};
use crate::{convert, explain};

/// Conditions that are explained when none is named.
const EXPLAINED: usize = 3;
/// Most conditions and most findings of one explanation.
const MOST_EXPLAINED: usize = 20;
/// Most findings that a photograph would show.
const MOST_SHOWN: u32 = 100;
/// Conditions in the ranking of each answer to a question.
const RANKED_PER_ANSWER: usize = 5;

impl KgServer {
    /// A case with the graph of the epoch that it is pinned to.
    async fn case<'a>(&self, case: Option<&'a Case>) -> Result<(Arc<Model>, convert::Case, &'a Pins), Error> {
        let case = case.ok_or_else(|| Error::field("case", "required"))?;
        let pins = case.pins.as_ref().ok_or_else(|| Error::field("case.pins", "required"))?;
        let model = self.0.replica.model(&pins.pack_digest, pins.weight_epoch).await?;
        let case = convert::case(model.pack(), case)?;
        Ok((model, case, pins))
    }

    pub(super) async fn advance_now(&self, request: &AdvanceRequest) -> Result<AdvanceResponse, Error> {
        let conditions = convert::size(request.max_conditions, 10, 1000, "max_conditions")?;
        let findings = convert::size(request.max_findings, 5, 100, "max_findings")?;
        if request.max_shown_findings > MOST_SHOWN {
            return Err(Error::field("max_shown_findings", "at most 100"));
        }
        let (model, case, pins) = self.case(request.case.as_ref()).await?;
        let scored = advance(&model, &case.query(findings));
        let pack = model.pack();
        let shown = shown(&model, &case, request.max_shown_findings);
        Ok(AdvanceResponse {
            ranked: scored.ranked.iter().take(conditions).map(|r| convert::ranked(pack, r)).collect(),
            worth_asking: scored.worth_asking.iter().map(|c| convert::candidate(pack, c)).collect(),
            recommendation: convert::next(scored.recommendation.next).into(),
            reason: convert::reason(scored.recommendation.reason).into(),
            pins: Some(pins.clone()),
            strategy: convert::strategy_message(case.dialogue.strategy).into(),
            worth_showing: shown.iter().map(|c| convert::candidate(pack, c)).collect(),
        })
    }

    pub(super) async fn explain_now(&self, request: &ExplainRequest) -> Result<ExplainResponse, Error> {
        let (model, case, _) = self.case(request.case.as_ref()).await?;
        if request.condition_ids.len() > MOST_EXPLAINED {
            return Err(Error::field("condition_ids", "at most 20"));
        }
        if request.finding_ids.len() > MOST_EXPLAINED {
            return Err(Error::field("finding_ids", "at most 20"));
        }
        let query = case.query(0);
        let conditions = explained_conditions(&model, &query, &request.condition_ids)?;
        let findings = request.finding_ids.iter().enumerate().map(|(i, id)| explained_finding(&model, &query, i, id));
        Ok(ExplainResponse {
            conditions: conditions.iter().map(|c| condition_explanation(&model, &query, c)).collect(),
            findings: findings.collect::<Result<_, _>>()?,
        })
    }
}

/// Findings of the tongue that a photograph would show.
fn shown(model: &Model, case: &convert::Case, most: u32) -> Vec<Candidate> {
    if most == 0 {
        return Vec::new();
    }
    let mut dialogue = case.dialogue.clone();
    // One picture shows them all: none is valued by what it adds to another.
    dialogue.findings_per_question = 1;
    let query = Query { observer: Observer::Image, dialogue: &dialogue, ..case.query(model.pack().findings.len()) };
    let tongue = |c: &Candidate| model.pack().findings.get(c.finding.at()).is_some_and(|f| f.kind == Kind::Tongue);
    let mut shown: Vec<Candidate> = advance(model, &query).worth_asking.into_iter().filter(tongue).collect();
    shown.truncate(most as usize);
    shown
}

/// The named conditions, else the best ones.
fn explained_conditions(model: &Model, query: &Query<'_>, ids: &[String]) -> Result<Vec<Ranked>, Error> {
    if ids.is_empty() {
        return Ok(advance(model, query).ranked.into_iter().take(EXPLAINED).collect());
    }
    let named = |(i, id): (usize, &String)| {
        let unknown = || Error::field(format!("condition_ids[{i}]"), "a condition of the pinned pack");
        let condition = model.pack().condition(id).ok_or_else(unknown)?;
        Ok(explain::score(model, query, condition).unwrap_or(Ranked { condition, score: 0.0 }))
    };
    ids.iter().enumerate().map(named).collect()
}

fn condition_explanation(model: &Model, query: &Query<'_>, ranked: &Ranked) -> ConditionExplanation {
    let contributions = explain::contributions(model, query, ranked.condition);
    ConditionExplanation {
        condition: Some(convert::ranked(model.pack(), ranked)),
        contributions: contributions.iter().map(|c| convert::contribution(model.pack(), c)).collect(),
    }
}

fn explained_finding(model: &Model, query: &Query<'_>, i: usize, id: &str) -> Result<FindingExplanation, Error> {
    let pack = model.pack();
    let unknown = || Error::field(format!("finding_ids[{i}]"), "a finding of the pinned pack");
    let effect = explain::question(model, query, pack.finding(id).ok_or_else(unknown)?);
    let best = |list: &[Ranked]| list.iter().take(RANKED_PER_ANSWER).map(|r| convert::ranked(pack, r)).collect();
    Ok(FindingExplanation {
        finding: Some(convert::candidate(pack, &effect.candidate)),
        if_present: best(&effect.if_present),
        if_denied: best(&effect.if_denied),
    })
}
