//! The shipped weights: that they load, and that they give what the recipe computed with them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;

use wenzhen_vision::look::letterbox::planes;
use wenzhen_vision::model;
use wenzhen_vision::net::Weights;

/// The recipe's own tolerance on logits (`training/tongue/FORMAT.md`).
const CLOSE: f32 = 0.02;

#[test]
fn the_shipped_model_gives_what_the_recipe_computed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/tongue");
    let engine = model::embedded().unwrap().expect("a model is built in");
    let file = std::fs::read(folder.join("golden.safetensors")).unwrap();
    let golden = Weights::read(&file).unwrap();
    let card = engine.card();
    let (boxes, _) = golden.tensor("letterbox").unwrap();
    let side = card.segment.side;
    let squares = boxes.as_chunks::<3>().0.chunks_exact(side * side);
    let said = engine.segmenter().forward(&planes(squares, side, card));
    let (presence, _) = golden.tensor("presence_logit").unwrap();
    for (said, wanted) in said.iter().zip(&presence) {
        assert!((said.presence - wanted).abs() < CLOSE, "{} {wanted}", said.presence);
    }
    let ((crops, _), (alpha, _), (gain, _)) =
        (golden.tensor("crop").unwrap(), golden.tensor("alpha").unwrap(), golden.tensor("gain").unwrap());
    let (side, fill) = (card.crop.side, f32::from(card.fill));
    let lit: Vec<[f32; 3]> = crops
        .as_chunks::<3>()
        .0
        .iter()
        .zip(&alpha)
        .enumerate()
        .map(|(at, (pixel, a))| pixel.map(|v| (gain[at / (side * side)] * v).min(255.0) * a + fill * (1.0 - a)))
        .collect();
    let logits = engine.logits(&planes(lit.chunks_exact(side * side), side, card));
    for (at, head) in card.heads.iter().enumerate() {
        let (wanted, _) = golden.tensor(&format!("logits.{}", head.name)).unwrap();
        let got: Vec<f32> = logits.iter().flat_map(|image| image[at].clone()).collect();
        let far = got.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(far < CLOSE, "{}: off by {far}", head.name);
    }
}
