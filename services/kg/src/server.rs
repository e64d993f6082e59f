//! The gRPC face of the scorer: `wenzhen.kg.v1.KgService`.

use std::collections::BTreeMap;
use std::sync::Arc;

use tonic::{Request, Response, Status};
use wenzhen_pack::{Pack, StrategyName};
use wenzhen_proto::clinical::v1::{Locale, PackInfo, Pins};
use wenzhen_proto::kg::v1::kg_service_server::{KgService, KgServiceServer};
use wenzhen_proto::kg::v1::{
    AdvanceRequest, AdvanceResponse, Case, ConditionExplanation, ConditionFinding, DescribeRequest, DescribeResponse,
    ExplainRequest, ExplainResponse, Finding, FindingExplanation, GetConditionRequest, GetConditionResponse,
    ListFindingsRequest, ListFindingsResponse,
};

use crate::convert;
use crate::error::Error;
use crate::explain;
use crate::model::Model;
use crate::strategy::{Query, Ranked, advance};

/// Conditions that are explained when none is named.
const EXPLAINED: usize = 3;
/// Most conditions and most findings of one explanation.
const MOST_EXPLAINED: usize = 20;
/// Conditions in the ranking of each answer to a question.
const RANKED_PER_ANSWER: usize = 5;

/// Holds packs made ready for scoring; cheap to clone.
#[derive(Debug, Clone)]
pub struct KgServer {
    models: Arc<BTreeMap<String, Model>>,
}

impl KgServer {
    /// Makes the packs ready.
    pub fn new(packs: impl IntoIterator<Item = Arc<Pack>>) -> Self {
        let models = packs.into_iter().map(|pack| (pack.digest.to_string(), Model::new(pack))).collect();
        Self { models: Arc::new(models) }
    }

    /// The generated service around this server.
    pub fn into_service(self) -> KgServiceServer<Self> {
        KgServiceServer::new(self)
    }

    fn model(&self, digest: &str) -> Result<&Model, Error> {
        let well_formed = digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit());
        self.models.get(digest).ok_or_else(|| Error::PackUnknown { digest: well_formed.then(|| digest.to_owned()) })
    }

    fn case<'a>(&'a self, case: Option<&'a Case>) -> Result<(&'a Model, convert::Case, &'a Pins), Error> {
        let case = case.ok_or_else(|| Error::field("case", "required"))?;
        let pins = case.pins.as_ref().ok_or_else(|| Error::field("case.pins", "required"))?;
        let model = self.model(&pins.pack_digest)?;
        if pins.weight_epoch != 0 {
            return Err(Error::EpochUnknown(pins.weight_epoch));
        }
        Ok((model, convert::case(model.pack(), case)?, pins))
    }

    fn advance_now(&self, request: &AdvanceRequest) -> Result<AdvanceResponse, Error> {
        let conditions = convert::size(request.max_conditions, 10, 1000, "max_conditions")?;
        let findings = convert::size(request.max_findings, 5, 100, "max_findings")?;
        let (model, case, pins) = self.case(request.case.as_ref())?;
        let scored = advance(model, &case.query(findings));
        let pack = model.pack();
        Ok(AdvanceResponse {
            ranked: scored.ranked.iter().take(conditions).map(|r| convert::ranked(pack, r)).collect(),
            worth_asking: scored.worth_asking.iter().map(|c| convert::candidate(pack, c)).collect(),
            recommendation: convert::next(scored.recommendation.next).into(),
            reason: convert::reason(scored.recommendation.reason).into(),
            pins: Some(pins.clone()),
            strategy: convert::strategy_message(case.dialogue.strategy).into(),
        })
    }

    fn explain_now(&self, request: &ExplainRequest) -> Result<ExplainResponse, Error> {
        let (model, case, _) = self.case(request.case.as_ref())?;
        if request.condition_ids.len() > MOST_EXPLAINED {
            return Err(Error::field("condition_ids", "at most 20"));
        }
        if request.finding_ids.len() > MOST_EXPLAINED {
            return Err(Error::field("finding_ids", "at most 20"));
        }
        let query = case.query(0);
        let conditions = explained_conditions(model, &query, &request.condition_ids)?;
        let findings = request.finding_ids.iter().enumerate().map(|(i, id)| explained_finding(model, &query, i, id));
        Ok(ExplainResponse {
            conditions: conditions.iter().map(|c| condition_explanation(model, &query, c)).collect(),
            findings: findings.collect::<Result<_, _>>()?,
        })
    }

    fn condition_now(&self, request: &GetConditionRequest) -> Result<GetConditionResponse, Error> {
        let pack = self.model(&request.pack_digest)?.pack();
        let ix = pack.condition(&request.condition_id).ok_or(Error::ConditionUnknown)?;
        let condition = pack.conditions.get(ix.at()).ok_or(Error::ConditionUnknown)?;
        let locale = convert::locale(pack, request.locale);
        let finding = |edge: &wenzhen_pack::Edge| ConditionFinding {
            finding_id: convert::finding_id(pack, edge.finding),
            name: pack.findings.get(edge.finding.at()).map(|f| f.names.text(locale).to_owned()).unwrap_or_default(),
            probability: edge.present,
            expects_denial: edge.expects_denial,
        };
        Ok(GetConditionResponse {
            condition_id: condition.id.clone(),
            disease: condition.disease.text(locale).to_owned(),
            pattern: condition.pattern.text(locale).to_owned(),
            prior: condition.prior,
            findings: condition.edges.iter().map(finding).collect(),
        })
    }

    fn findings_now(&self, request: &ListFindingsRequest) -> Result<ListFindingsResponse, Error> {
        let pack = self.model(&request.pack_digest)?.pack();
        let size = convert::size(request.page_size, 100, 1000, "page_size")?;
        let start = match request.page_token.as_str() {
            "" => 0,
            token => token.parse::<usize>().map_err(|_| Error::field("page_token", "from the last response"))?,
        };
        let locale = convert::locale(pack, request.locale);
        let findings: Vec<Finding> = pack
            .findings
            .iter()
            .skip(start)
            .take(size)
            .map(|f| Finding {
                finding_id: f.id.clone(),
                name: f.names.text(locale).to_owned(),
                kind: convert::kind(f.kind).to_owned(),
                askable: f.askable(),
                base_rate: f.base_rate,
            })
            .collect();
        let end = start.saturating_add(findings.len());
        let next_page_token = if end < pack.findings.len() { end.to_string() } else { String::new() };
        Ok(ListFindingsResponse { findings, next_page_token })
    }

    fn describe_now(&self) -> DescribeResponse {
        let info = |(digest, model): (&String, &Model)| {
            let manifest = &model.pack().manifest;
            let locale = |l: &wenzhen_pack::Locale| match l {
                wenzhen_pack::Locale::Zh => Locale::Zh.into(),
                wenzhen_pack::Locale::En => Locale::En.into(),
            };
            PackInfo {
                id: manifest.id.clone(),
                version: manifest.version.clone(),
                digest: digest.clone(),
                locales: manifest.locales.iter().map(locale).collect(),
            }
        };
        let strategies = [StrategyName::BayesPlain, StrategyName::Dopi];
        DescribeResponse {
            packs: self.models.iter().map(info).collect(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            strategies: strategies.map(|s| convert::strategy_message(s).into()).to_vec(),
        }
    }
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

#[tonic::async_trait]
impl KgService for KgServer {
    async fn advance(&self, request: Request<AdvanceRequest>) -> Result<Response<AdvanceResponse>, Status> {
        Ok(Response::new(self.advance_now(request.get_ref())?))
    }

    async fn explain(&self, request: Request<ExplainRequest>) -> Result<Response<ExplainResponse>, Status> {
        Ok(Response::new(self.explain_now(request.get_ref())?))
    }

    async fn get_condition(
        &self,
        request: Request<GetConditionRequest>,
    ) -> Result<Response<GetConditionResponse>, Status> {
        Ok(Response::new(self.condition_now(request.get_ref())?))
    }

    async fn list_findings(
        &self,
        request: Request<ListFindingsRequest>,
    ) -> Result<Response<ListFindingsResponse>, Status> {
        Ok(Response::new(self.findings_now(request.get_ref())?))
    }

    async fn describe(&self, _: Request<DescribeRequest>) -> Result<Response<DescribeResponse>, Status> {
        Ok(Response::new(self.describe_now()))
    }
}
