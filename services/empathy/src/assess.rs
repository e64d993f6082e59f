//! What a message shows of feelings: type, intensity, necessity of comfort, evidence.

use aho_corasick::BuildError;
use wenzhen_language::{Normalised, normalise};
use wenzhen_pack::voice::{EmpathyThresholds, EmpathyVoice, Feeling};
use wenzhen_proto::clinical::v1::{Emotion, EmotionAssessment, EmpathyNecessity, Span};

use crate::lexicon::{Hit, Lexicon};

/// The highest intensity.
const OVERWHELMING: u32 = 5;

/// Assesses messages in one language.
#[derive(Debug)]
pub struct Assessor {
    lexicon: Lexicon,
    thresholds: EmpathyThresholds,
}

impl Assessor {
    /// Compiles a voice.
    ///
    /// # Errors
    /// When its lexicon is too large to compile.
    pub fn new(voice: &EmpathyVoice) -> Result<Self, BuildError> {
        Ok(Self { lexicon: Lexicon::new(voice)?, thresholds: voice.necessity.clone() })
    }

    /// Assesses a message. A plain report of complaints is neutral, however bad they are: comfort
    /// that nobody called for is false. `previous` damps what goes on unchanged.
    pub fn assess(&self, message: &str, previous: Option<&EmotionAssessment>) -> EmotionAssessment {
        let text = normalise(message);
        if let Some((start, end)) = self.lexicon.crisis(&text.text) {
            return crisis(span(&text, start, end));
        }
        let hits = self.lexicon.hits(&text.text);
        let Some((feeling, score, share)) = self.strongest(&hits) else { return neutral(&text.text) };
        let emotion = emotion_of(feeling);
        let score = self.damped(score + self.shouting(&text.text), emotion, previous);
        let intensity = rounded(score);
        let evidence = hits
            .iter()
            .filter(|hit| hit.feeling == feeling)
            .max_by(|a, b| a.score.total_cmp(&b.score))
            .map(|hit| span(&text, hit.start, hit.end));
        EmotionAssessment {
            emotion: emotion.into(),
            intensity,
            necessity: self.necessity(feeling, intensity, emotion, previous).into(),
            confidence: (share * (0.45 + 0.15 * score)).clamp(0.05, 0.98),
            evidence,
            crisis: false,
        }
    }

    /// The feeling with the highest sum, its sum, and its share of all.
    fn strongest(&self, hits: &[Hit]) -> Option<(Feeling, f32, f32)> {
        let mut sums: Vec<(Feeling, f32, f32)> = Vec::with_capacity(4);
        for hit in hits {
            match sums.iter_mut().find(|(feeling, ..)| *feeling == hit.feeling) {
                Some((_, top, rest)) => {
                    *rest += top.min(hit.score);
                    *top = top.max(hit.score);
                }
                None => sums.push((hit.feeling, hit.score, 0.0)),
            }
        }
        let further = self.lexicon.weights().further;
        let sum = |(_, top, rest): &(Feeling, f32, f32)| top + further * rest;
        let all: f32 = sums.iter().map(sum).sum();
        // Thanks beside a worry are manners.
        let manners = |feeling: Feeling| sums.len() > 1 && feeling == Feeling::Relief;
        let best = sums.iter().filter(|(feeling, ..)| !manners(*feeling)).max_by(|a, b| sum(a).total_cmp(&sum(b)))?;
        Some((best.0, sum(best), sum(best) / all.max(f32::EPSILON)))
    }

    /// What marks and repeated characters add.
    fn shouting(&self, text: &str) -> f32 {
        let weights = self.lexicon.weights();
        let (mut marks, mut repeats) = (false, false);
        let (mut last, mut run) = ('\0', 0_u32);
        for c in text.chars() {
            run = if c == last { run + 1 } else { 1 };
            last = c;
            marks |= run >= 2 && matches!(c, '!' | '?' | '！' | '？');
            repeats |= run >= 3 && c.is_alphabetic();
        }
        (if marks { weights.marks } else { 0.0 }) + (if repeats { weights.repeats } else { 0.0 })
    }

    /// The same feeling a second time is pulled towards its intensity before.
    fn damped(&self, score: f32, emotion: Emotion, previous: Option<&EmotionAssessment>) -> f32 {
        let share = self.lexicon.weights().previous;
        match previous.filter(|previous| previous.emotion() == emotion) {
            Some(previous) => (1.0 - share) * score + share * previous.intensity.min(OVERWHELMING) as f32,
            None => score,
        }
    }

    /// Full comfort is not said twice in a row for a feeling that has not grown.
    fn necessity(
        &self,
        feeling: Feeling,
        intensity: u32,
        emotion: Emotion,
        previous: Option<&EmotionAssessment>,
    ) -> EmpathyNecessity {
        let comforted = previous.is_some_and(|previous| {
            previous.necessity() == EmpathyNecessity::Full
                && previous.emotion() == emotion
                && previous.intensity >= intensity
        });
        if intensity < self.thresholds.light_from {
            EmpathyNecessity::None
        } else if intensity < self.thresholds.full_from || self.thresholds.light_at_most.contains(&feeling) || comforted
        {
            EmpathyNecessity::Light
        } else {
            EmpathyNecessity::Full
        }
    }
}

/// The message form of a feeling.
pub const fn emotion_of(feeling: Feeling) -> Emotion {
    match feeling {
        Feeling::Neutral => Emotion::Neutral,
        Feeling::Anxiety => Emotion::Anxiety,
        Feeling::Anger => Emotion::Anger,
        Feeling::Sadness => Emotion::Sadness,
        Feeling::Confusion => Emotion::Confusion,
        Feeling::Shame => Emotion::Shame,
        Feeling::Pain => Emotion::Pain,
        Feeling::Relief => Emotion::Relief,
    }
}

/// The feeling of a message's emotion; unset counts as neutral.
pub const fn feeling_of(emotion: Emotion) -> Feeling {
    match emotion {
        Emotion::Unspecified | Emotion::Neutral => Feeling::Neutral,
        Emotion::Anxiety => Feeling::Anxiety,
        Emotion::Anger => Feeling::Anger,
        Emotion::Sadness => Feeling::Sadness,
        Emotion::Confusion => Feeling::Confusion,
        Emotion::Shame => Feeling::Shame,
        Emotion::Pain => Feeling::Pain,
        Emotion::Relief => Feeling::Relief,
    }
}

fn rounded(score: f32) -> u32 {
    [1.5, 2.5, 3.5, 4.5].into_iter().fold(1, |intensity, step| intensity + u32::from(score >= step))
}

fn neutral(text: &str) -> EmotionAssessment {
    EmotionAssessment {
        emotion: Emotion::Neutral.into(),
        intensity: 0,
        necessity: EmpathyNecessity::None.into(),
        // Without a word there is nothing to be sure of.
        confidence: if text.chars().any(char::is_alphanumeric) { 0.8 } else { 0.3 },
        evidence: None,
        crisis: false,
    }
}

fn crisis(evidence: Span) -> EmotionAssessment {
    EmotionAssessment {
        emotion: Emotion::Sadness.into(),
        intensity: OVERWHELMING,
        necessity: EmpathyNecessity::Full.into(),
        confidence: 0.9,
        evidence: Some(evidence),
        crisis: true,
    }
}

/// The bytes of the original message behind a stretch of the normalised text.
fn span(text: &Normalised, start: usize, end: usize) -> Span {
    let range = text.span(start..end);
    let byte = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Span { start: byte(range.start), end: byte(range.end) }
}
