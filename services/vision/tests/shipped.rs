//! The shipped weights: that they load, and that they give what the recipe computed with them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use wenzhen_proto::vision::v1::{DescribeRequest, MediaType, Quality};
use wenzhen_service::Metrics;
use wenzhen_vision::look::letterbox::planes;
use wenzhen_vision::net::Weights;
use wenzhen_vision::{Gathering, Limits, Settings, VisionMetrics, VisionServer, decode, model};

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
    let said = engine.segmenter().forward(&planes(squares, (side, side), card));
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
    let rim = card.rim.as_ref().expect("the shipped model looks at the rim");
    let (strips, _) = golden.tensor("rim").unwrap();
    let length = rim.columns * rim.rows;
    let pixels = strips.as_chunks::<3>().0.iter().enumerate();
    let strips: Vec<[f32; 3]> = pixels.map(|(at, pixel)| pixel.map(|v| (gain[at / length] * v).min(255.0))).collect();
    let strips = planes(strips.chunks_exact(length), (rim.columns, rim.rows), card);
    let logits = engine.logits(&planes(lit.chunks_exact(side * side), (side, side), card), Some(&strips));
    for (at, head) in card.heads.iter().enumerate() {
        let (wanted, _) = golden.tensor(&format!("logits.{}", head.name)).unwrap();
        let got: Vec<f32> = logits.iter().flat_map(|image| image[at].clone()).collect();
        let far = got.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(far < CLOSE, "{}: off by {far}", head.name);
    }
}

/// What the recipe read of a picture: everything between the file and the answer is done again here.
#[derive(Debug, Deserialize)]
struct Sample {
    verdict: String,
    #[serde(default)]
    probabilities: BTreeMap<String, Vec<f32>>,
}

/// Decoders and filters of two languages differ by a level here and there, and a probability by so much.
const NEAR: f32 = 0.04;

#[test]
fn the_samples_are_read_as_the_recipe_reads_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/tongue/samples");
    let engine = model::embedded().unwrap().expect("a model is built in");
    let told = std::fs::read(folder.join("samples.json")).unwrap();
    let samples: BTreeMap<String, Sample> = serde_json::from_slice(&told).unwrap();
    assert!(samples.values().filter(|sample| sample.verdict == "good").count() >= 3);
    for (name, sample) in samples {
        let file = std::fs::read(folder.join(&name)).unwrap();
        let picture = decode::decode(MediaType::Jpeg, &file, &Limits::default()).unwrap();
        let reading = engine.read(&[&picture]).remove(0);
        let verdict = reading.quality.as_str_name().trim_start_matches("QUALITY_").to_lowercase();
        assert_eq!(verdict, sample.verdict.replace("good", "ok"), "{name}");
        for (head, got) in engine.card().heads.iter().zip(&reading.heads) {
            let wanted = &sample.probabilities[&head.name];
            let far = got.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(far < NEAR, "{name}, {}: {got:?} {wanted:?}", head.name);
        }
    }
}

/// It is not there before the first picture comes, and told about all the same.
#[tokio::test]
async fn a_model_for_later_is_told_about_at_once_and_reads_when_a_picture_comes() {
    let settings = Settings {
        packs: vec![support::pack()],
        model: model::embedded_later().unwrap(),
        limits: Limits::default(),
        gathering: Gathering::default(),
        metrics: VisionMetrics::register(&Metrics::default()),
    };
    let mut client = support::client_of(VisionServer::new(settings), wenzhen_service::Limits::default());
    let described = client.describe(DescribeRequest {}).await.unwrap().into_inner();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/tongue/samples");
    let file = std::fs::read(folder.join("hand.jpg")).unwrap();
    let answer = support::send(&mut client, MediaType::Jpeg, &file, 4096).await.unwrap();
    assert!(!described.model_version.is_empty() && described.packs.len() == 1);
    assert_eq!(answer.quality(), Quality::NotATongue);
    assert_eq!(answer.pins.unwrap().model_version, described.model_version);
}
