//! The model: pictures in, verdicts and probabilities out, many at a time.

use std::time::Instant;

use wenzhen_proto::vision::v1::{Measured, Quality};

use crate::card::{Card, HeadCard, Role};
use crate::look::crop::Crop;
use crate::look::judge;
use crate::look::letterbox::{Letterbox, planes};
use crate::net::{Linear, Planes, ResNet18, RimNet, Segmenter, Weights, WeightsError};
use crate::picture::Picture;

/// Names of the heads that judge, in the order of [`judge::heads`].
const JUDGES: [&str; 3] = ["tongue", "sharp", "whole"];
/// The class of those heads that is good.
const GOOD: &str = "yes";

/// Why a model cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// Its card.
    #[error("model.json: {0}")]
    Card(String),
    /// Its weights.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A head has other classes or features than its place.
    #[error("head `{0}` does not fit its card or the trunk")]
    Head(String),
    /// A forward pass gave something that is no number.
    #[error("the model gives no numbers")]
    Numbers,
}

/// A loaded model.
#[derive(Debug)]
pub struct Engine {
    card: Card,
    segmenter: Segmenter,
    trunk: ResNet18,
    rim: Option<RimNet>,
    heads: Vec<Head>,
}

/// A head, and what it looks at.
#[derive(Debug)]
struct Head {
    linear: Linear,
    /// The rim, and not the square.
    rim: bool,
}

/// What was read of one picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The verdict.
    pub quality: Quality,
    /// What it rests on.
    pub measured: Measured,
    /// For each head of the card, the probability of each class; empty where the verdict is not OK.
    pub heads: Vec<Vec<f32>>,
    /// Time for the verdict, of the whole batch, in milliseconds.
    pub judge_ms: f32,
    /// Time for the features, of the whole batch, in milliseconds.
    pub read_ms: f32,
}

/// A picture on its way.
struct Seen<'a> {
    picture: &'a Picture,
    letterbox: Letterbox,
    measured: Measured,
    crop: Result<Crop, Quality>,
}

impl Engine {
    /// Loads a model and has it look at a picture once.
    ///
    /// # Errors
    /// When a file cannot be read, or its parts do not fit each other.
    pub fn load(card: &[u8], weights: &[u8]) -> Result<Self, EngineError> {
        let card = Card::read(card).map_err(EngineError::Card)?;
        let weights = Weights::read(weights)?;
        let (segmenter, trunk) = (Segmenter::load(&weights)?, ResNet18::load(&weights)?);
        let rim = card.rim.as_ref().map(|_| RimNet::load(&weights)).transpose()?;
        let mut heads = Vec::with_capacity(card.heads.len());
        for head in &card.heads {
            let linear = weights.linear(&format!("heads.{}", head.name))?;
            let at_rim = card.rim.as_ref().is_some_and(|rim| rim.heads.contains(&head.name));
            let features = if at_rim { rim.as_ref().map_or(0, RimNet::features) } else { trunk.features() };
            if linear.outputs() != head.classes.len() || linear.inputs() != features {
                return Err(EngineError::Head(head.name.clone()));
            }
            heads.push(Head { linear, rim: at_rim });
        }
        let engine = Self { card, segmenter, trunk, rim, heads };
        engine.prove()?;
        Ok(engine)
    }

    /// A real forward pass of both networks, so that whoever is ready can read.
    fn prove(&self) -> Result<(), EngineError> {
        let grey = |width: usize, height: usize| Planes {
            count: 1,
            channels: 3,
            height,
            width,
            data: vec![0.1; 3 * width * height],
        };
        let (square, crop) = (self.card.segment.side, self.card.crop.side);
        let segmented = self.segmenter.forward(&grey(square, square));
        let numbers = segmented.iter().flat_map(|s| s.mask.iter().chain([&s.presence])).all(|value| value.is_finite());
        let strip = self.card.rim.as_ref().map(|rim| grey(rim.columns, rim.rows));
        let read = self.classify(&grey(crop, crop), strip.as_ref());
        let fine = numbers && read.iter().flatten().flatten().all(|probability| probability.is_finite());
        if fine { Ok(()) } else { Err(EngineError::Numbers) }
    }

    /// What is known of the model.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// The segmentation network.
    pub fn segmenter(&self) -> &Segmenter {
        &self.segmenter
    }

    /// Logits of every head for prepared squares and, where the model looks at them, the strips of their rims: image,
    /// head, class.
    pub fn logits(&self, squares: &Planes, strips: Option<&Planes>) -> Vec<Vec<Vec<f32>>> {
        let features = self.trunk.forward(squares);
        let rims = self.rim.as_ref().zip(strips).map(|(rim, strips)| rim.forward(strips)).unwrap_or_default();
        let of = |at: usize, row: &Vec<f32>| -> Vec<Vec<f32>> {
            let seen =
                |head: &Head| if head.rim { rims.get(at).map_or(&[][..], Vec::as_slice) } else { row.as_slice() };
            self.heads.iter().map(|head| head.linear.forward(seen(head))).collect()
        };
        features.iter().enumerate().map(|(at, row)| of(at, row)).collect()
    }

    /// Probabilities of every head for prepared squares and strips.
    pub fn classify(&self, squares: &Planes, strips: Option<&Planes>) -> Vec<Vec<Vec<f32>>> {
        let calibrated = |logits: Vec<Vec<f32>>| -> Vec<Vec<f32>> {
            logits.iter().zip(&self.card.heads).map(|(logits, head)| softmax(logits, head.temperature)).collect()
        };
        self.logits(squares, strips).into_iter().map(calibrated).collect()
    }

    /// Reads pictures. Those that are refused cost no second network.
    pub fn read(&self, pictures: &[&Picture]) -> Vec<Reading> {
        let began = Instant::now();
        let seen = self.find(pictures);
        let judged = Instant::now();
        let crops: Vec<&Crop> = seen.iter().filter_map(|seen| seen.crop.as_ref().ok()).collect();
        let mut read = self.features(&crops).into_iter();
        let judge_ms = (judged - began).as_secs_f32() * 1000.0;
        let read_ms = judged.elapsed().as_secs_f32() * 1000.0;
        let reading = |seen: Seen<'_>| {
            let Seen { mut measured, crop, .. } = seen;
            let heads = if crop.is_ok() { read.next().unwrap_or_default() } else { Vec::new() };
            let verdict = crop.and_then(|_| judge::heads(self.judges(&heads), &self.card, &mut measured));
            let quality = verdict.err().unwrap_or(Quality::Ok);
            let heads = if quality == Quality::Ok { heads } else { Vec::new() };
            Reading { quality, measured, heads, judge_ms, read_ms: if quality == Quality::Ok { read_ms } else { 0.0 } }
        };
        seen.into_iter().map(reading).collect()
    }

    /// Probabilities of every head for cut-out tongues.
    fn features(&self, crops: &[&Crop]) -> Vec<Vec<Vec<f32>>> {
        if crops.is_empty() {
            return Vec::new();
        }
        let side = self.card.crop.side;
        let squares: Vec<_> = crops.iter().map(|crop| crop.lit(crop.gain(&self.card), self.card.fill)).collect();
        let squares = planes(squares.iter().map(Vec::as_slice), (side, side), &self.card);
        let strips = self.card.rim.as_ref().map(|rim| {
            let strips: Vec<_> = crops.iter().map(|crop| crop.lit_rim(crop.gain(&self.card))).collect();
            planes(strips.iter().map(Vec::as_slice), (rim.columns, rim.rows), &self.card)
        });
        self.classify(&squares, strips.as_ref())
    }

    /// Finds the tongues and judges their light.
    fn find<'a>(&self, pictures: &[&'a Picture]) -> Vec<Seen<'a>> {
        let mut seen: Vec<Seen<'a>> = pictures.iter().map(|picture| self.look(picture)).collect();
        let good: Vec<usize> = (0..seen.len()).filter(|at| seen.get(*at).is_some_and(|s| s.crop.is_ok())).collect();
        let squares = good.iter().filter_map(|at| seen.get(*at)).map(|s| s.letterbox.pixels.as_chunks::<3>().0);
        let side = self.card.segment.side;
        let segmented = match good.is_empty() {
            true => Vec::new(),
            false => self.segmenter.forward(&planes(squares, (side, side), &self.card)),
        };
        for (at, said) in good.into_iter().zip(segmented) {
            let Some(seen) = seen.get_mut(at) else { continue };
            let (picture, logits) = ((seen.picture, &seen.letterbox), (said.mask.as_slice(), said.presence));
            let mask = judge::tongue(picture, logits, &self.card, &mut seen.measured);
            seen.crop = mask.and_then(|mask| {
                let crop = Crop::new(seen.picture, &seen.letterbox, &mask, &self.card);
                judge::light(&crop, &self.card, &mut seen.measured).map(|()| crop)
            });
        }
        seen
    }

    fn look<'a>(&self, picture: &'a Picture) -> Seen<'a> {
        let letterbox = Letterbox::new(picture, &self.card);
        let mut measured = Measured::default();
        let verdict = judge::picture(picture, &letterbox, &self.card, &mut measured);
        // A crop of nothing stands for "still good" until the tongue is found.
        let crop = verdict.map(|()| Crop { pixels: Vec::new(), alpha: Vec::new(), mean: None, rim: Vec::new() });
        Seen { picture, letterbox, measured, crop }
    }

    /// What the heads that judge say.
    fn judges(&self, heads: &[Vec<f32>]) -> [f32; 3] {
        JUDGES.map(|name| {
            let at = |head: &HeadCard| head.role == Role::Quality && head.name == name;
            let said = self.card.heads.iter().zip(heads).find(|(head, _)| at(head));
            let good = said.and_then(|(head, p)| p.get(head.classes.iter().position(|class| class == GOOD)?));
            good.copied().unwrap_or(1.0)
        })
    }
}

/// Probabilities from logits over a temperature.
pub fn softmax(logits: &[f32], temperature: f32) -> Vec<f32> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weights: Vec<f32> = logits.iter().map(|logit| ((logit - top) / temperature).exp()).collect();
    let sum: f32 = weights.iter().sum();
    weights.iter().map(|weight| weight / sum.max(f32::MIN_POSITIVE)).collect()
}
