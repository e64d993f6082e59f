//! `wenzhen.expert.v1.ExpertService`: the built-in voice, and a language model on top of it where there is one.

use std::collections::HashMap;
use std::sync::Arc;

use tonic::{Request, Response, Status};
use wenzhen_pack::{Locale, Pack};
use wenzhen_proto::clinical::v1::{Locale as LocaleMessage, PackInfo, Pins};
use wenzhen_proto::expert::v1::expert_service_server::ExpertService;
use wenzhen_proto::expert::v1::{
    DescribeRequest, DescribeResponse, DiagnoseRequest, DiagnoseResponse, ReviewRequest, ReviewResponse,
};
use wenzhen_voices::Speaker;

use crate::knowledge::Knowledge;
use crate::voice::Model;
use crate::{Error, differential, draft, plan, review, validate};

/// Name of the voice and of the model in pins.
const VOICE: &str = "builtin";

/// The expert agent over the packs that it holds. Cloning shares them.
#[derive(Debug, Clone)]
pub struct ExpertServer {
    packs: Arc<HashMap<String, Knowledge>>,
    /// Where a language model speaks too.
    model: Option<Arc<Model>>,
}

impl ExpertServer {
    /// Prepares the packs; their order does not matter.
    pub fn new(packs: Vec<Arc<Pack>>) -> Self {
        let packs = packs.into_iter().map(|pack| (pack.digest.to_string(), Knowledge::new(pack))).collect();
        Self { packs: Arc::new(packs), model: None }
    }

    /// Lets a language model speak too; without one nothing changes.
    ///
    /// # Errors
    /// When its words could not be checked against a pack.
    pub fn speaking(mut self, speaker: Option<Speaker>) -> Result<Self, Error> {
        let packs = self.packs.values().map(|knowledge| &**knowledge.pack());
        self.model = speaker.map(|speaker| Model::new(speaker, packs)).transpose()?.map(Arc::new);
        Ok(self)
    }

    /// Diagnoses; pure but for the packs held.
    ///
    /// # Errors
    /// On a wrong request, an unknown pack, or a pack that cannot speak.
    pub fn answer(&self, request: &DiagnoseRequest) -> Result<DiagnoseResponse, Error> {
        let knowledge = self.knowledge(request.pins.as_ref())?;
        let case = validate::case(knowledge, request)?;
        let weighings = differential::weigh(&case);
        let plan = plan::plan(&case);
        let draft = draft::draft(&case, &weighings, &plan)?;
        Ok(DiagnoseResponse {
            differential: weighings.into_iter().map(|w| differential::message(&case, w)).collect(),
            clinician_plan: Some(plan.clinician),
            patient_plan: Some(plan.patient),
            draft: Some(draft),
            citations: knowledge.index().cite(&case),
            pins: made_with(request.pins.as_ref()),
            degraded: Vec::new(),
        })
    }

    /// Looks back upon a finished consultation; pure but for the packs held.
    ///
    /// # Errors
    /// On a wrong request or an unknown pack.
    pub fn look_back(&self, request: &ReviewRequest) -> Result<ReviewResponse, Error> {
        let knowledge = self.knowledge(request.pins.as_ref())?;
        let outcome = validate::outcome(knowledge, request)?;
        Ok(ReviewResponse { pins: made_with(request.pins.as_ref()), ..review::review(&outcome) })
    }

    fn knowledge(&self, pins: Option<&Pins>) -> Result<&Knowledge, Error> {
        let digest = validate::digest(pins)?;
        self.packs.get(digest).ok_or_else(|| Error::PackUnknown { digest: digest.to_owned() })
    }

    fn pack_infos(&self) -> Vec<PackInfo> {
        let info = |knowledge: &Knowledge| {
            let pack = knowledge.pack();
            PackInfo {
                id: pack.manifest.id.clone(),
                version: pack.manifest.version.clone(),
                digest: pack.digest.to_string(),
                locales: pack.manifest.locales.iter().map(|l| validate::locale_message(*l).into()).collect(),
            }
        };
        let mut infos: Vec<PackInfo> = self.packs.values().map(info).collect();
        infos.sort_by(|a, b| (&a.id, &a.version, &a.digest).cmp(&(&b.id, &b.version, &b.digest)));
        infos
    }
}

fn made_with(pins: Option<&Pins>) -> Option<Pins> {
    pins.map(|pins| Pins {
        pack_digest: pins.pack_digest.clone(),
        weight_epoch: pins.weight_epoch,
        prompt_version: String::new(),
        model_version: VOICE.to_owned(),
    })
}

#[tonic::async_trait]
impl ExpertService for ExpertServer {
    async fn diagnose(&self, request: Request<DiagnoseRequest>) -> Result<Response<DiagnoseResponse>, Status> {
        let request = request.get_ref();
        let mut response = self.answer(request)?;
        if let Some(model) = &self.model {
            let knowledge = self.knowledge(request.pins.as_ref())?;
            let wanted = if request.locale() == LocaleMessage::En { Locale::En } else { Locale::Zh };
            let spoken = (&**knowledge.pack(), knowledge.locale(wanted));
            model.diagnose(spoken, request, &mut response).await;
        }
        Ok(Response::new(response))
    }

    async fn review(&self, request: Request<ReviewRequest>) -> Result<Response<ReviewResponse>, Status> {
        let request = request.get_ref();
        let mut response = self.look_back(request)?;
        if let Some(model) = &self.model {
            let pack = self.knowledge(request.pins.as_ref())?.pack();
            model.review(pack, request, &mut response).await;
        }
        Ok(Response::new(response))
    }

    async fn describe(&self, _request: Request<DescribeRequest>) -> Result<Response<DescribeResponse>, Status> {
        Ok(Response::new(DescribeResponse {
            packs: self.pack_infos(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            voice: self.model.as_ref().map_or(VOICE, |model| model.speaker.voice()).to_owned(),
            model: self.model.as_ref().map_or("", |model| model.speaker.model()).to_owned(),
        }))
    }
}
