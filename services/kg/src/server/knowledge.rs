//! What the packs hold, and which of them there are.

use wenzhen_pack::{Condition, ConditionIx, Edge, FindingIx, Locale, Pack, StrategyName};
use wenzhen_proto::clinical::v1 as clinical;
use wenzhen_proto::clinical::v1::PackInfo;
use wenzhen_proto::kg::v1::{
    ConditionFinding, DescribeResponse, Finding, GetConditionRequest, GetConditionResponse, ListFindingsRequest,
    ListFindingsResponse, PackEpoch,
};

use super::KgServer;
use crate::convert;
use crate::error::Error;
use crate::model::Model;

/// Findings of GetCondition beside those that are listed, at most.
const MOST_FURTHER: usize = 1000;

impl KgServer {
    pub(super) async fn condition_now(&self, request: &GetConditionRequest) -> Result<GetConditionResponse, Error> {
        let base = self.0.replica.base(&request.pack_digest)?;
        let ix = base.pack().condition(&request.condition_id).ok_or(Error::ConditionUnknown)?;
        let condition = base.pack().conditions.get(ix.at()).ok_or(Error::ConditionUnknown)?;
        let further = further_findings(base.pack(), condition, &request.finding_ids)?;
        let model = self.0.replica.model(&request.pack_digest, request.weight_epoch).await?;
        let locale = convert::locale(model.pack(), request.locale);
        let listed = condition.edges.iter().map(|edge| (edge.finding, Some(edge)));
        let findings = listed.chain(further.into_iter().map(|finding| (finding, None)));
        Ok(GetConditionResponse {
            condition_id: condition.id.clone(),
            disease: condition.disease.text(locale).to_owned(),
            pattern: condition.pattern.text(locale).to_owned(),
            prior: condition.prior,
            findings: findings.map(|(finding, edge)| shown(&model, (ix, finding), edge, locale)).collect(),
        })
    }

    pub(super) fn findings_now(&self, request: &ListFindingsRequest) -> Result<ListFindingsResponse, Error> {
        let pack = self.0.replica.base(&request.pack_digest)?.pack();
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

    pub(super) fn describe_now(&self) -> DescribeResponse {
        let replica = &self.0.replica;
        // Every digest is one of the replica's own.
        let models = replica.packs().filter_map(|digest| Some((digest, replica.base(digest).ok()?)));
        let epoch = |digest: &str| replica.newest(digest).map_or(0, |newest| newest.borrow().number);
        let epochs = replica.packs().map(|digest| PackEpoch { pack_digest: digest.to_owned(), epoch: epoch(digest) });
        let strategies = [StrategyName::BayesPlain, StrategyName::Dopi];
        DescribeResponse {
            packs: models.map(|(digest, model)| info(digest, model)).collect(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            strategies: strategies.map(|s| convert::strategy_message(s).into()).to_vec(),
            epochs: epochs.collect(),
        }
    }
}

fn info(digest: &str, model: &Model) -> PackInfo {
    let manifest = &model.pack().manifest;
    let locale = |l: &Locale| match l {
        Locale::Zh => clinical::Locale::Zh.into(),
        Locale::En => clinical::Locale::En.into(),
    };
    PackInfo {
        id: manifest.id.clone(),
        version: manifest.version.clone(),
        digest: digest.to_owned(),
        locales: manifest.locales.iter().map(locale).collect(),
    }
}

/// The named findings that the condition does not list, each once.
fn further_findings(pack: &Pack, condition: &Condition, ids: &[String]) -> Result<Vec<FindingIx>, Error> {
    if ids.len() > MOST_FURTHER {
        return Err(Error::field("finding_ids", "at most 1000"));
    }
    let mut further = Vec::new();
    for (i, id) in ids.iter().enumerate() {
        let unknown = || Error::field(format!("finding_ids[{i}]"), "a finding of the pack");
        let finding = pack.finding(id).ok_or_else(unknown)?;
        if !further.contains(&finding) && !condition.edges.iter().any(|edge| edge.finding == finding) {
            further.push(finding);
        }
    }
    Ok(further)
}

fn shown(model: &Model, (c, f): (ConditionIx, FindingIx), edge: Option<&Edge>, locale: Locale) -> ConditionFinding {
    let finding = model.pack().findings.get(f.at());
    ConditionFinding {
        finding_id: convert::finding_id(model.pack(), f),
        name: finding.map(|f| f.names.text(locale).to_owned()).unwrap_or_default(),
        probability: edge.map_or(0.0, |edge| edge.present),
        expects_denial: edge.is_some_and(|edge| edge.expects_denial),
        learned_probability: model.rate(c, f),
    }
}
