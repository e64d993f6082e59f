//! The networks against PyTorch: a tiny model with random weights, and what PyTorch computed with it.
//!
//! Both files were written by the recipe's own classes (`training/tongue/model.py`) with seed 7, a trunk of width 3 and
//! segmentation channels of 2, 3, 4, 4 and 5; weights are f16 and the outputs f32.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use wenzhen_vision::net::{Planes, ResNet18, Segmenter, Weights};

const MODEL: &[u8] = include_bytes!("data/tiny.safetensors");
const GOLDEN: &[u8] = include_bytes!("data/tiny_golden.safetensors");
/// Sums of a few hundred products in another order differ by no more.
const CLOSE: f32 = 1e-4;

fn planes(golden: &Weights<'_>, name: &str) -> Planes {
    let (data, shape) = golden.tensor(name).unwrap();
    Planes { count: shape[0], channels: shape[1], height: shape[2], width: shape[3], data }
}

fn far(got: &[f32], wanted: &[f32]) -> f32 {
    assert_eq!(got.len(), wanted.len());
    got.iter().zip(wanted).map(|(a, b)| (a - b).abs() / (1.0 + b.abs())).fold(0.0, f32::max)
}

#[test]
fn the_trunk_and_its_heads_give_what_pytorch_gives() {
    let (model, golden) = (Weights::read(MODEL).unwrap(), Weights::read(GOLDEN).unwrap());
    let trunk = ResNet18::load(&model).unwrap();
    assert_eq!(trunk.features(), 24);
    let features = trunk.forward(&planes(&golden, "squares"));
    for head in ["coating_colour", "sharp"] {
        let linear = model.linear(&format!("heads.{head}")).unwrap();
        let got: Vec<f32> = features.iter().flat_map(|row| linear.forward(row)).collect();
        let wanted = golden.tensor(&format!("logits.{head}")).unwrap().0;
        assert!(wanted.iter().any(|logit| logit.abs() > 0.05), "logits that say something");
        assert!(far(&got, &wanted) < CLOSE, "{head}: off by {}", far(&got, &wanted));
    }
}

#[test]
fn the_segmentation_gives_what_pytorch_gives() {
    let (model, golden) = (Weights::read(MODEL).unwrap(), Weights::read(GOLDEN).unwrap());
    let said = Segmenter::load(&model).unwrap().forward(&planes(&golden, "segment"));
    let masks: Vec<f32> = said.iter().flat_map(|said| said.mask.clone()).collect();
    let gates: Vec<f32> = said.iter().map(|said| said.presence).collect();
    assert!(far(&masks, &golden.tensor("mask").unwrap().0) < CLOSE);
    assert!(far(&gates, &golden.tensor("gate").unwrap().0) < CLOSE);
}
