//! `wenzhen.guidance.v1.GuidanceService`: the built-in voice, and a language model on top of it where there is one.

use std::collections::BTreeMap;
use std::sync::Arc;

use tonic::{Request, Response, Status};
use wenzhen_language::frames::{AskSpec, Framer};
use wenzhen_language::{Interpreter, Utterance, proto};
use wenzhen_pack::Pack;
use wenzhen_proto::clinical::v1::PackInfo;
use wenzhen_proto::guidance::v1::guidance_service_server::{GuidanceService, GuidanceServiceServer};
use wenzhen_proto::guidance::v1::{
    AskRequest, AskResponse, DescribeRequest, DescribeResponse, InterpretRequest, InterpretResponse,
};
use wenzhen_voices::Speaker;

use crate::voice::{Asked, Model, Understood};
use crate::{Error, convert};

/// Understands and asks from the packs that it holds. Cloning shares them.
#[derive(Debug, Clone)]
pub struct GuidanceServer {
    voices: Arc<BTreeMap<String, Voice>>,
    /// Where a language model speaks too.
    model: Option<Arc<Model>>,
}

/// A pack made ready.
#[derive(Debug)]
struct Voice {
    interpreter: Arc<Interpreter>,
    framer: Framer,
}

impl GuidanceServer {
    /// Compiles the packs; their order does not matter.
    ///
    /// # Errors
    /// [`Error::Pack`] when a pack's sayings cannot be compiled.
    pub fn new(packs: Vec<Arc<Pack>>) -> Result<Self, Error> {
        let compiled: Result<Vec<_>, _> = packs.into_iter().map(|pack| Interpreter::new(pack).map(Arc::new)).collect();
        Ok(Self::over(compiled?))
    }

    /// Speaks from packs that are compiled already: in one process the orchestrator holds the same.
    pub fn over(interpreters: Vec<Arc<Interpreter>>) -> Self {
        let voice = |interpreter: Arc<Interpreter>| {
            let pack = Arc::clone(interpreter.pack());
            (pack.digest.to_string(), Voice { interpreter, framer: Framer::new(pack) })
        };
        Self { voices: Arc::new(interpreters.into_iter().map(voice).collect()), model: None }
    }

    /// Lets a language model speak too; without one nothing changes.
    ///
    /// # Errors
    /// [`Error::Guard`] when its words could not be checked against a pack.
    pub fn speaking(mut self, speaker: Option<Speaker>) -> Result<Self, Error> {
        let interpreters = self.voices.values().map(|voice| &voice.interpreter);
        self.model = speaker.map(|speaker| Model::new(speaker, interpreters)).transpose()?.map(Arc::new);
        Ok(self)
    }

    /// The generated service around this server.
    pub fn into_service(self) -> GuidanceServiceServer<Self> {
        GuidanceServiceServer::new(self)
    }

    /// Understands a text.
    ///
    /// # Errors
    /// On a wrong request or an unknown pack.
    pub fn interpret_now(&self, request: &InterpretRequest) -> Result<InterpretResponse, Error> {
        let (digest, epoch) = convert::pins(request.pins.as_ref())?;
        let voice = self.voice(digest)?;
        let pack = voice.interpreter.pack();
        let checked = convert::interpret(pack, request)?;
        let understood = voice.interpreter.interpret(&Utterance {
            text: &request.text,
            asked: &checked.asked,
            clarifying: checked.clarifying,
            quick_answers: &request.quick_answers,
            locale: checked.locale,
            of_self: checked.of_self,
        });
        let mut response = proto::interpretation(pack, &understood, request.turn);
        response.pins = Some(proto::builtin_pins(pack, epoch));
        Ok(response)
    }

    /// Words a question.
    ///
    /// # Errors
    /// On a wrong request, an unknown pack, or one without a voice.
    pub fn ask_now(&self, request: &AskRequest) -> Result<AskResponse, Error> {
        let (digest, epoch) = convert::pins(request.pins.as_ref())?;
        let framer = &self.voice(digest)?.framer;
        let checked = convert::ask(framer.pack(), request)?;
        let spec = AskSpec {
            findings: &checked.findings,
            ambiguity: checked.ambiguity,
            locale: checked.locale,
            last_frame: &request.last_frame,
            subject: checked.subject,
            seed: request.seed,
        };
        let question = framer.ask(&spec).map_err(convert::unaskable)?;
        let mut response = proto::question(framer.pack(), question);
        response.pins = Some(proto::builtin_pins(framer.pack(), epoch));
        Ok(response)
    }

    fn voice(&self, digest: &str) -> Result<&Voice, Error> {
        self.voices.get(digest).ok_or_else(|| Error::PackUnknown { digest: digest.to_owned() })
    }
}

#[tonic::async_trait]
impl GuidanceService for GuidanceServer {
    async fn interpret(&self, request: Request<InterpretRequest>) -> Result<Response<InterpretResponse>, Status> {
        let request = request.get_ref();
        let mut response = self.interpret_now(request)?;
        if let Some(model) = &self.model {
            let (digest, _) = convert::pins(request.pins.as_ref())?;
            let pack = self.voice(digest)?.interpreter.pack();
            let checked = convert::interpret(pack, request)?;
            let locale = proto::from_locale(response.locale()).unwrap_or_else(|| pack.manifest.default_locale());
            let understood = Understood { pack, request, checked: &checked, locale };
            model.interpret(&understood, &mut response).await;
        }
        Ok(Response::new(response))
    }

    async fn ask(&self, request: Request<AskRequest>) -> Result<Response<AskResponse>, Status> {
        let request = request.get_ref();
        let mut response = self.ask_now(request)?;
        if let Some(model) = &self.model {
            let (digest, _) = convert::pins(request.pins.as_ref())?;
            let Voice { interpreter, framer } = self.voice(digest)?;
            let checked = convert::ask(interpreter.pack(), request)?;
            model.ask(&Asked { interpreter, framer, request, checked: &checked }, &mut response).await;
        }
        Ok(Response::new(response))
    }

    async fn describe(&self, _request: Request<DescribeRequest>) -> Result<Response<DescribeResponse>, Status> {
        let info = |(digest, voice): (&String, &Voice)| {
            let manifest = &voice.framer.pack().manifest;
            PackInfo {
                id: manifest.id.clone(),
                version: manifest.version.clone(),
                digest: digest.clone(),
                locales: manifest.locales.iter().map(|locale| proto::locale(*locale).into()).collect(),
            }
        };
        Ok(Response::new(DescribeResponse {
            packs: self.voices.iter().map(info).collect(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            voice: self.model.as_ref().map_or(proto::BUILTIN, |model| model.speaker.voice()).to_owned(),
            model: self.model.as_ref().map_or("", |model| model.speaker.model()).to_owned(),
        }))
    }
}
