//! `wenzhen.empathy.v1.EmpathyService`: the built-in voice, and a language model in its place where there is one.

use std::collections::{BTreeMap, HashMap};
use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, StreamExt as _};
use tonic::{Request, Response, Status};
use wenzhen_language::detect_locale;
use wenzhen_pack::voice::EmpathyVoice;
use wenzhen_pack::{Locale, Pack};
use wenzhen_proto::clinical::v1::{
    Agent, EmotionAssessment, EmpathyNecessity, Locale as LocaleMessage, PackInfo, Pins,
};
use wenzhen_proto::empathy::v1::empathy_service_server::EmpathyService;
use wenzhen_proto::empathy::v1::modulate_response::Piece;
use wenzhen_proto::empathy::v1::{
    AssessRequest, AssessResponse, DescribeRequest, DescribeResponse, ModulateDone, ModulateRequest, ModulateResponse,
};
use wenzhen_voices::{Fault, Speaker};

use crate::assess::{Assessor, feeling_of};
use crate::choice::Choice;
use crate::error::{Error, Violation};
use crate::modulate::{Rewrite, modulate};
use crate::voice::{Around, Felt, Model, Rewriting};

/// Name of the voice and of the model in pins.
const VOICE: &str = "builtin";
/// A message may be this long, in bytes.
const MAX_TEXT_BYTES: usize = 8192;
/// A draft may be this long, in bytes.
const MAX_DRAFT_BYTES: usize = 65_536;
/// The highest intensity.
const MAX_INTENSITY: u32 = 5;

/// The empathy agent over the packs that it holds. Cloning shares them.
#[derive(Debug, Clone)]
pub struct EmpathyServer {
    packs: Arc<HashMap<String, Held>>,
    /// Where a language model speaks too.
    model: Option<Arc<Model>>,
}

/// A pack with its compiled lexicons.
#[derive(Debug)]
struct Held {
    pack: Arc<Pack>,
    assessors: BTreeMap<Locale, Assessor>,
}

impl EmpathyServer {
    /// Compiles the lexicons of the packs; their order does not matter.
    ///
    /// # Errors
    /// When a lexicon is too large to compile.
    pub fn new(packs: Vec<Arc<Pack>>) -> Result<Self, Error> {
        let mut held = HashMap::with_capacity(packs.len());
        for pack in packs {
            let mut assessors = BTreeMap::new();
            for (locale, voice) in &pack.voices {
                assessors.insert(*locale, Assessor::new(&voice.empathy)?);
            }
            held.insert(pack.digest.to_string(), Held { pack, assessors });
        }
        Ok(Self { packs: Arc::new(held), model: None })
    }

    /// Lets a language model speak too; without one nothing changes.
    ///
    /// # Errors
    /// When its words could not be checked against a pack.
    pub fn speaking(mut self, speaker: Option<Speaker>) -> Result<Self, Error> {
        let packs = self.packs.values().map(|held| &held.pack);
        self.model = speaker.map(|speaker| Model::new(speaker, packs)).transpose()?.map(Arc::new);
        Ok(self)
    }

    /// Assesses a message; pure but for the packs held.
    ///
    /// # Errors
    /// On a wrong request, an unknown pack, or a pack without this voice.
    pub fn assess_message(&self, request: &AssessRequest) -> Result<AssessResponse, Error> {
        check_message(request)?;
        let held = self.held(request.pins.as_ref())?;
        let spoken = detect_locale(&request.text);
        let (_, assessor) = held.choose(&held.assessors, spoken).ok_or(Error::NoVoice)?;
        let assessment = assessor.assess(&request.text, request.previous.as_ref());
        let wanted = locale(request.locale()).or(spoken);
        let voice = held.voice(wanted).ok_or(Error::NoVoice)?;
        Ok(AssessResponse {
            preface: preface(voice, &assessment, request.seed).to_owned(),
            assessment: Some(assessment),
            pins: Some(answered(request.pins.as_ref())),
            degraded: Vec::new(),
        })
    }

    /// Rewrites a draft, in sentences; pure but for the packs held.
    ///
    /// # Errors
    /// As [`Self::assess_message`].
    pub fn rewrite(&self, request: &ModulateRequest) -> Result<Vec<String>, Error> {
        check_draft(request)?;
        let held = self.held(request.pins.as_ref())?;
        let (Some(draft), Some(assessment)) = (&request.draft, &request.assessment) else {
            return Err(Error::Invalid(vec![("draft", "required")]));
        };
        let voice = held.voice(locale(draft.locale()).or_else(|| detect_locale(&draft.text))).ok_or(Error::NoVoice)?;
        let (order, subject, seed) = (request.order(), request.subject(), request.seed);
        Ok(modulate(voice, &Rewrite { draft, assessment, order, subject, seed }))
    }

    /// A rewriting by the model, which has begun to speak; none where there is no model or it is not to speak.
    async fn in_other_words(&self, request: &ModulateRequest) -> Result<Result<Option<Rewriting>, Fault>, Error> {
        let (Some(model), Some(draft)) = (&self.model, &request.draft) else { return Ok(Ok(None)) };
        let held = self.held(request.pins.as_ref())?;
        let wanted = locale(draft.locale()).or_else(|| detect_locale(&draft.text));
        let (locale, _) = held.choose(&held.pack.voices, wanted).ok_or(Error::NoVoice)?;
        Ok(model.modulate(&Around { pack: &held.pack, request, draft, locale }).await)
    }

    fn held(&self, pins: Option<&Pins>) -> Result<&Held, Error> {
        let digest = pins.map_or("", |pins| pins.pack_digest.as_str());
        self.packs.get(digest).ok_or_else(|| Error::PackUnknown { digest: digest.to_owned() })
    }
}

impl Held {
    /// What there is for a language, else for the pack's default.
    fn choose<'a, T>(&self, of: &'a BTreeMap<Locale, T>, wanted: Option<Locale>) -> Option<(Locale, &'a T)> {
        let default = self.pack.manifest.default_locale();
        let wanted = wanted.unwrap_or(default);
        of.get_key_value(&wanted).or_else(|| of.get_key_value(&default)).map(|(locale, value)| (*locale, value))
    }

    fn voice(&self, wanted: Option<Locale>) -> Option<&EmpathyVoice> {
        self.choose(&self.pack.voices, wanted).map(|(_, voice)| &voice.empathy)
    }

    fn info(&self) -> PackInfo {
        let message = |locale: &Locale| match locale {
            Locale::Zh => LocaleMessage::Zh.into(),
            Locale::En => LocaleMessage::En.into(),
        };
        PackInfo {
            id: self.pack.manifest.id.clone(),
            version: self.pack.manifest.version.clone(),
            digest: self.pack.digest.to_string(),
            locales: self.pack.manifest.locales.iter().map(message).collect(),
        }
    }
}

/// Words that are safe before anything is known; empty when none are called for.
fn preface<'a>(voice: &'a EmpathyVoice, assessment: &EmotionAssessment, seed: u64) -> &'a str {
    if assessment.crisis {
        return Choice::new(seed).one(&voice.urgent).unwrap_or("");
    }
    let bands = voice.preface.get(&feeling_of(assessment.emotion()));
    let variants = bands.map(|bands| match assessment.necessity() {
        EmpathyNecessity::Unspecified | EmpathyNecessity::None => &[],
        EmpathyNecessity::Light => bands.light.as_slice(),
        EmpathyNecessity::Full => bands.full.as_slice(),
    });
    variants.and_then(|variants| Choice::new(seed).one(variants)).unwrap_or("")
}

const fn locale(message: LocaleMessage) -> Option<Locale> {
    match message {
        LocaleMessage::Unspecified => None,
        LocaleMessage::Zh => Some(Locale::Zh),
        LocaleMessage::En => Some(Locale::En),
    }
}

fn answered(pins: Option<&Pins>) -> Pins {
    let pins = pins.cloned().unwrap_or_default();
    Pins { prompt_version: String::new(), model_version: VOICE.to_owned(), ..pins }
}

fn check_pins(pins: Option<&Pins>, wrong: &mut Vec<Violation>) {
    let digest = pins.map_or("", |pins| pins.pack_digest.as_str());
    if digest.len() != 64 || !digest.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        wrong.push(("pins.pack_digest", "64 hexadecimal digits in lower case"));
    }
}

fn check_message(request: &AssessRequest) -> Result<(), Error> {
    let mut wrong = Vec::new();
    check_pins(request.pins.as_ref(), &mut wrong);
    if request.text.trim().is_empty() {
        wrong.push(("text", "not empty"));
    } else if request.text.len() > MAX_TEXT_BYTES {
        wrong.push(("text", "at most 8192 bytes"));
    }
    if LocaleMessage::try_from(request.locale).is_err() {
        wrong.push(("locale", "a known locale or unset"));
    }
    if wrong.is_empty() { Ok(()) } else { Err(Error::Invalid(wrong)) }
}

fn check_draft(request: &ModulateRequest) -> Result<(), Error> {
    let mut wrong = Vec::new();
    check_pins(request.pins.as_ref(), &mut wrong);
    match &request.draft {
        None => wrong.push(("draft", "required")),
        Some(draft) if draft.text.len() > MAX_DRAFT_BYTES => wrong.push(("draft.text", "at most 65536 bytes")),
        Some(draft) if draft.text.trim().is_empty() => wrong.push(("draft.text", "not empty")),
        Some(draft) if wenzhen_facts::validate(draft).is_err() => {
            wrong.push(("draft", "every fact with words and exactly one slot in the text"));
        }
        Some(_) => {}
    }
    match &request.assessment {
        None => wrong.push(("assessment", "required")),
        Some(a) if feeling_unset(a) => wrong.push(("assessment.emotion", "a known emotion")),
        Some(a) if a.necessity() == EmpathyNecessity::Unspecified => {
            wrong.push(("assessment.necessity", "a known necessity"));
        }
        Some(a) if a.intensity > MAX_INTENSITY => wrong.push(("assessment.intensity", "0 to 5")),
        Some(_) => {}
    }
    if wrong.is_empty() { Ok(()) } else { Err(Error::Invalid(wrong)) }
}

fn feeling_unset(assessment: &EmotionAssessment) -> bool {
    assessment.emotion() == wenzhen_proto::clinical::v1::Emotion::Unspecified
}

#[tonic::async_trait]
impl EmpathyService for EmpathyServer {
    type ModulateStream = Pin<Box<dyn Stream<Item = Result<ModulateResponse, Status>> + Send>>;

    async fn assess(&self, request: Request<AssessRequest>) -> Result<Response<AssessResponse>, Status> {
        let request = request.get_ref();
        let mut response = self.assess_message(request)?;
        if let Some(model) = &self.model {
            let held = self.held(request.pins.as_ref())?;
            let wanted = locale(request.locale()).or_else(|| detect_locale(&request.text));
            let (locale, voice) = held.choose(&held.pack.voices, wanted).ok_or(Error::NoVoice)?;
            let urgent = Choice::new(request.seed).one(&voice.empathy.urgent).unwrap_or("");
            model.assess(&Felt { pack: &held.pack, request, locale }, &mut response, urgent).await;
        }
        Ok(Response::new(response))
    }

    async fn modulate(&self, request: Request<ModulateRequest>) -> Result<Response<Self::ModulateStream>, Status> {
        let request = request.get_ref();
        let sentences = self.rewrite(request)?;
        let degraded = match self.in_other_words(request).await? {
            Ok(Some(rewriting)) => return Ok(Response::new(Box::pin(rewriting.into_stream().map(Ok)))),
            Ok(None) => Vec::new(),
            Err(fault) => vec![fault.degradation(Agent::Empathy)],
        };
        let done = Piece::Done(ModulateDone { pins: Some(answered(request.pins.as_ref())), degraded });
        let pieces = sentences.into_iter().map(Piece::Text).chain([done]);
        let responses: Vec<_> = pieces.map(|piece| Ok(ModulateResponse { piece: Some(piece) })).collect();
        Ok(Response::new(Box::pin(futures::stream::iter(responses))))
    }

    async fn describe(&self, _request: Request<DescribeRequest>) -> Result<Response<DescribeResponse>, Status> {
        let mut packs: Vec<PackInfo> = self.packs.values().map(Held::info).collect();
        packs.sort_by(|a, b| (&a.id, &a.version, &a.digest).cmp(&(&b.id, &b.version, &b.digest)));
        Ok(Response::new(DescribeResponse {
            packs,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            voice: self.model.as_ref().map_or(VOICE, |model| model.speaker.voice()).to_owned(),
            model: self.model.as_ref().map_or("", |model| model.speaker.model()).to_owned(),
        }))
    }
}
