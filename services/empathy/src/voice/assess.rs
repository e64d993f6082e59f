//! What a message shows of feelings, through a model.

use serde::Deserialize;
use serde_json::json;
use wenzhen_facts::split;
use wenzhen_language::normalise;
use wenzhen_pack::prompts::fill;
use wenzhen_pack::{Locale, Pack};
use wenzhen_proto::clinical::v1::{Agent, Draft, Emotion, EmotionAssessment, EmpathyNecessity, Span};
use wenzhen_proto::empathy::v1::{AssessRequest, AssessResponse};
use wenzhen_voices::{Exchange, Fault, Task, fence, quoted};

use super::Model;
use super::check::clean;

/// The longest answer, in tokens; the longest preface, in characters and sentences.
const MOST_TOKENS: u32 = 256;
const MOST_CHARS: usize = 240;
const MOST_SENTENCES: usize = 2;
/// The highest intensity.
const OVERWHELMING: u32 = 5;
/// How sure an assessment by a model is.
const CONFIDENCE: f32 = 0.7;

const EMOTIONS: [(&str, Emotion); 8] = [
    ("neutral", Emotion::Neutral),
    ("anxiety", Emotion::Anxiety),
    ("anger", Emotion::Anger),
    ("sadness", Emotion::Sadness),
    ("confusion", Emotion::Confusion),
    ("shame", Emotion::Shame),
    ("pain", Emotion::Pain),
    ("relief", Emotion::Relief),
];
const NECESSITIES: [(&str, EmpathyNecessity); 3] =
    [("none", EmpathyNecessity::None), ("light", EmpathyNecessity::Light), ("full", EmpathyNecessity::Full)];

/// A model's answer, as its schema has it.
#[derive(Debug, Deserialize)]
struct Answer {
    emotion: String,
    intensity: u32,
    necessity: String,
    #[serde(default)]
    evidence: String,
    #[serde(default)]
    crisis: bool,
    #[serde(default)]
    preface: String,
}

/// A message, as the built-in voice has assessed it.
pub(crate) struct Felt<'a> {
    pub(crate) pack: &'a Pack,
    pub(crate) request: &'a AssessRequest,
    /// Language of the preface.
    pub(crate) locale: Locale,
}

impl Model {
    /// Lets the model assess the message too. A crisis that the rules heard stands as it is; one that the model hears,
    /// with the words that show it, is one as well. `urgent` are words to say beside a crisis.
    pub(crate) async fn assess(&self, felt: &Felt<'_>, response: &mut AssessResponse, urgent: &str) {
        let Some(guard) = self.guard(felt.pack) else { return };
        if response.assessment.is_some_and(|assessment| assessment.crisis) {
            return;
        }
        let answer = match felt.exchange() {
            Some(exchange) => self.speaker.json::<Answer>(exchange).await,
            None => Err(Fault::Internal),
        };
        let answer = answer.and_then(|answer| Ok((felt.assessment(&answer)?, answer)));
        let (assessment, answer) = match self.speaker.counted(Task::Assess, answer) {
            Ok(assessed) => assessed,
            Err(fault) => return response.degraded.push(fault.degradation(Agent::Empathy)),
        };
        response.assessment = Some(assessment);
        let epoch = felt.request.pins.as_ref().map_or(0, |pins| pins.weight_epoch);
        response.pins = Some(self.speaker.pins(felt.pack, epoch));
        let preface = answer.preface.trim();
        if assessment.crisis {
            urgent.clone_into(&mut response.preface);
        } else if assessment.necessity() == EmpathyNecessity::None {
            response.preface.clear();
        } else if sayable(preface) && clean(guard, (&Draft::default(), felt.locale), preface) {
            preface.clone_into(&mut response.preface);
        } else {
            response.degraded.push(Fault::Guard.degradation(Agent::Empathy));
        }
    }
}

/// Short, a statement, and something at all.
fn sayable(preface: &str) -> bool {
    let short = preface.chars().count() <= MOST_CHARS && split(preface).len() <= MOST_SENTENCES;
    short && !preface.is_empty() && !preface.contains(['?', '？', '\n'])
}

impl Felt<'_> {
    fn exchange(&self) -> Option<Exchange> {
        let prompt = &self.pack.prompts.as_ref()?.tasks(self.locale)?.assess;
        let previous = self.request.previous.as_ref().map_or("-", |previous| name(previous.emotion()));
        let values = [("previous", previous), ("text", &fence(&self.request.text))];
        Some(Exchange {
            task: Task::Assess,
            system: prompt.system.clone(),
            user: fill(&prompt.user, &values),
            schema: Some(schema()),
            max_tokens: MOST_TOKENS,
            temperature: 0.0,
            seed: self.request.seed,
        })
    }

    /// The assessment that an answer stands for, made to agree with itself.
    fn assessment(&self, answer: &Answer) -> Result<EmotionAssessment, Fault> {
        let emotion = find(&EMOTIONS, &answer.emotion).ok_or(Fault::Malformed)?;
        let necessity = find(&NECESSITIES, &answer.necessity).ok_or(Fault::Malformed)?;
        let evidence = quoted(&normalise(&self.request.text), &answer.evidence);
        let byte = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let evidence = evidence.map(|range| Span { start: byte(range.start), end: byte(range.end) });
        if answer.crisis && evidence.is_some() {
            return Ok(EmotionAssessment {
                emotion: Emotion::Sadness.into(),
                intensity: OVERWHELMING,
                necessity: EmpathyNecessity::Full.into(),
                confidence: CONFIDENCE,
                evidence,
                crisis: true,
            });
        }
        let neutral = emotion == Emotion::Neutral;
        let intensity = if neutral { 0 } else { answer.intensity.clamp(1, OVERWHELMING) };
        let necessity = if neutral { EmpathyNecessity::None } else { self.once(necessity, emotion, intensity) };
        Ok(EmotionAssessment {
            emotion: emotion.into(),
            intensity,
            necessity: necessity.into(),
            confidence: CONFIDENCE,
            evidence,
            crisis: false,
        })
    }

    /// Full comfort is not said twice in a row for a feeling that has not grown.
    fn once(&self, necessity: EmpathyNecessity, emotion: Emotion, intensity: u32) -> EmpathyNecessity {
        let comforted = self.request.previous.as_ref().is_some_and(|previous| {
            let same = previous.emotion() == emotion && previous.intensity >= intensity;
            same && previous.necessity() == EmpathyNecessity::Full
        });
        if comforted { necessity.min(EmpathyNecessity::Light) } else { necessity }
    }
}

fn find<T: Copy>(names: &[(&str, T)], name: &str) -> Option<T> {
    names.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

/// The name of an emotion in prompts and answers.
pub(super) fn name(emotion: Emotion) -> &'static str {
    EMOTIONS.iter().find(|(_, known)| *known == emotion).map_or("neutral", |(name, _)| name)
}

/// The name of a necessity in prompts and answers.
pub(super) fn necessity_name(necessity: EmpathyNecessity) -> &'static str {
    NECESSITIES.iter().find(|(_, known)| *known == necessity).map_or("none", |(name, _)| name)
}

fn schema() -> serde_json::Value {
    json!({
        "type": "object",
        "properties": {
            "emotion": {"enum": EMOTIONS.map(|(name, _)| name)},
            "intensity": {"type": "integer", "minimum": 0, "maximum": OVERWHELMING},
            "necessity": {"enum": NECESSITIES.map(|(name, _)| name)},
            "evidence": {"type": "string", "maxLength": 64},
            "crisis": {"type": "boolean"},
            "preface": {"type": "string", "maxLength": MOST_CHARS},
        },
        "required": ["emotion", "intensity", "necessity", "evidence", "crisis", "preface"],
        "additionalProperties": false,
    })
}
