//! Opening consultations, and what they can be opened on.

use std::time::Duration;

use wenzhen_proto::clinical::v1::{Agent, Locale, PackInfo, Pins};
use wenzhen_proto::kg;
use wenzhen_proto::orchestrator::v1 as api;
use wenzhen_proto::orchestrator::v1::event::Kind;
use wenzhen_service::Priority;

use super::Orchestrator;
use crate::agents::{call, request};
use crate::auth::{new_token, sha256};
use crate::knowledge::from_locale;
use crate::review::repin;
use crate::store::ConsultationId;
use crate::{Error, Knowledge, context};

/// Time for an agent to say what it holds.
const DESCRIBE: Duration = Duration::from_millis(500);

impl Orchestrator {
    pub(super) async fn start(
        &self,
        request: api::StartConsultationRequest,
    ) -> Result<api::StartConsultationResponse, Error> {
        let locale = Locale::try_from(request.locale).map_err(|_| Error::field("locale", "a value of Locale"))?;
        let patient = request.patient.clone().unwrap_or_default();
        context::patient(&patient)?;
        if !matches!(request.strategy.as_str(), "" | "bayes-plain" | "dopi") {
            return Err(Error::field("strategy", "`bayes-plain`, `dopi` or empty"));
        }
        let knowledge = self.sessions().library.get(&request.pack_digest)?.clone();
        let (weight_epoch, takes_photographs) =
            tokio::join!(self.held_by_agents(&knowledge.digest), self.reads_tongues_for(&knowledge.digest));
        let weight_epoch = weight_epoch?;
        let (id, token) = (ConsultationId::random(), new_token());
        let pins = Pins { pack_digest: knowledge.digest.clone(), weight_epoch, ..Pins::default() };
        let started = Kind::Started(api::Started {
            locale: locale as i32,
            pins: Some(pins.clone()),
            patient: Some(patient),
            strategy: request.strategy,
            token_sha256: sha256(token.as_bytes()).to_vec(),
            seed: rand::random(),
            retention_days: knowledge.pack.manifest.release.retention_days,
            takes_photographs,
        });
        let state = self.sessions().create(id, &knowledge, started).await?;
        let voice = knowledge.voice(locale)?;
        let days = knowledge.pack.manifest.release.retention_days.to_string();
        Ok(api::StartConsultationResponse {
            consultation_id: id.to_string(),
            token,
            consent: voice.consent.replace("{retention_days}", &days),
            opening: voice.opening.clone(),
            pins: Some(pins),
            version: state.version,
        })
    }

    /// An agent that answers must hold the pack; one that is away is done without, turn by turn. Gives the newest weight
    /// epoch of the graph, 0 while it is away.
    async fn held_by_agents(&self, digest: &str) -> Result<u64, Error> {
        let (agents, epochs) = self.packs_of_agents().await;
        for (agent, held) in agents {
            if held.is_some_and(|packs| packs.iter().all(|pack| pack.digest != digest)) {
                return Err(Error::PackUnknownTo { agent: agent.as_str_name(), digest: digest.to_owned() });
            }
        }
        Ok(repin::of(&epochs, digest))
    }

    /// Whether the vision agent answers, and can read tongues for the pack.
    async fn reads_tongues_for(&self, digest: &str) -> bool {
        self.seen_by_vision().await.is_some_and(|held| held.iter().any(|pack| pack.digest == digest))
    }

    /// The packs that the vision agent can read tongues for; `None` where it does not answer.
    async fn seen_by_vision(&self) -> Option<Vec<PackInfo>> {
        let mut vision = self.0.runner.agents.vision.clone()?;
        let said = call(Agent::Vision, DESCRIBE, vision.describe(wenzhen_proto::vision::v1::DescribeRequest {}));
        said.await.ok().map(|said| said.packs)
    }

    /// The packs of each agent, `None` for one that does not answer, and the newest weight epoch of each pack.
    async fn packs_of_agents(&self) -> ([(Agent, Option<Vec<PackInfo>>); 4], Vec<kg::v1::PackEpoch>) {
        use wenzhen_proto::{empathy, expert, guidance};
        let agents = &self.0.runner.agents;
        let (mut k, mut g) = (agents.kg.clone(), agents.guidance.clone());
        let (mut x, mut e) = (agents.expert.clone(), agents.empathy.clone());
        let (k, g, x, e) = tokio::join!(
            call(Agent::Kg, DESCRIBE, k.describe(asked(kg::v1::DescribeRequest {}))),
            call(Agent::Guidance, DESCRIBE, g.describe(asked(guidance::v1::DescribeRequest {}))),
            call(Agent::Expert, DESCRIBE, x.describe(asked(expert::v1::DescribeRequest {}))),
            call(Agent::Empathy, DESCRIBE, e.describe(asked(empathy::v1::DescribeRequest {}))),
        );
        let epochs = k.as_ref().map(|d| d.epochs.clone()).unwrap_or_default();
        let packs = [
            (Agent::Kg, k.ok().map(|d| d.packs)),
            (Agent::Guidance, g.ok().map(|d| d.packs)),
            (Agent::Expert, x.ok().map(|d| d.packs)),
            (Agent::Empathy, e.ok().map(|d| d.packs)),
        ];
        (packs, epochs)
    }

    pub(super) async fn describe_all(&self) -> api::DescribeResponse {
        let ((answers, _), vision) = tokio::join!(self.packs_of_agents(), self.seen_by_vision());
        let answers = answers.into_iter().chain([(Agent::Vision, vision.filter(|packs| !packs.is_empty()))]);
        let available = answers.filter(|(_, held)| held.is_some()).map(|(agent, _)| agent as i32).collect();
        api::DescribeResponse {
            packs: self.sessions().library.iter().map(|k| info(k)).collect(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            available,
        }
    }
}

fn info(knowledge: &Knowledge) -> PackInfo {
    let manifest = &knowledge.pack.manifest;
    PackInfo {
        id: manifest.id.clone(),
        version: manifest.version.clone(),
        digest: knowledge.digest.clone(),
        locales: manifest.locales.iter().map(|l| from_locale(*l) as i32).collect(),
    }
}

fn asked<T>(message: T) -> tonic::Request<T> {
    request(message, Priority::New, DESCRIBE)
}
