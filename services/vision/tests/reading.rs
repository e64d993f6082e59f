//! From pictures to findings: what is told, what is not, and that company changes nothing.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use support::{client, draw, model, pack, send};
use wenzhen_proto::clinical::v1::FindingState;
use wenzhen_proto::vision::v1::{DescribeRequest, MediaType, Provenance, Quality};
use wenzhen_vision::card::Card;
use wenzhen_vision::decide;
use wenzhen_vision::decode::decode;
use wenzhen_vision::engine::EngineError;
use wenzhen_vision::{Engine, Limits};

#[tokio::test]
async fn a_picture_is_read_into_features_findings_and_constitutions() {
    let answer = send(&mut client(), MediaType::Png, &draw::png(90, 70), 999).await.unwrap();
    assert_eq!(answer.quality(), Quality::Ok);
    // The head that is switched off, and the one that judges, are not told.
    let names: Vec<&str> = answer.features.iter().map(|feature| feature.name.as_str()).collect();
    assert_eq!(names, ["coating_colour", "fissures"]);
    for feature in &answer.features {
        let sum: f32 = feature.classes.iter().map(|class| class.probability).sum();
        assert!((sum - 1.0).abs() < 1e-5 && feature.classes.is_sorted_by(|a, b| a.probability >= b.probability));
        assert_eq!(feature.provenance(), Provenance::Rendered);
    }
    assert!(answer.features[1].abstained, "its thresholds are 1");
    assert!(answer.findings.iter().all(|finding| finding.feature == "coating_colour"));
    let sum: f32 = answer.constitutions.iter().map(|constitution| constitution.probability).sum();
    assert!((answer.constitutions.len(), (sum - 1.0).abs() < 1e-5) == (9, true));
    let pins = answer.pins.unwrap();
    assert_eq!((pins.model_version.as_str(), pins.pack_digest), ("tongue-tiny", pack().digest.to_string()));
}

#[tokio::test]
async fn a_batch_reads_what_each_picture_reads_alone() {
    let files = [draw::png(90, 70), draw::jpeg(300, 200), draw::webp(33, 64), draw::png(20, 20)];
    let kinds = [MediaType::Png, MediaType::Jpeg, MediaType::Webp, MediaType::Png];
    let pictures: Vec<_> =
        files.iter().zip(kinds).map(|(file, kind)| decode(kind, file, &Limits::default()).unwrap()).collect();
    let engine = model::engine();
    let together = engine.read(&pictures.iter().collect::<Vec<_>>());
    for (picture, together) in pictures.iter().zip(together) {
        let alone = engine.read(&[picture]).remove(0);
        assert_eq!((alone.quality, alone.measured, alone.heads.len()), (together.quality, together.measured, 4));
        let far = alone.heads.iter().flatten().zip(together.heads.iter().flatten()).map(|(a, b)| (a - b).abs());
        assert!(far.fold(0.0, f32::max) < 1e-5);
    }
    // Many at once over the wire: all are answered.
    let client = client();
    let calls = (0..12).map(|_| {
        let mut client = client.clone();
        async move { send(&mut client, MediaType::Png, &draw::png(90, 70), 4096).await.unwrap().quality() }
    });
    let all = futures::future::join_all(calls).await;
    assert_eq!(all, vec![Quality::Ok; 12]);
}

#[test]
fn classes_that_mean_one_finding_count_together() {
    let card = Card::read(model::card().as_bytes()).unwrap();
    let (pack, table) = (pack(), pack().tongue.clone().unwrap());
    let read = |coating: [f32; 3], fissures: [f32; 3], off: [f32; 3]| {
        let heads = [coating.to_vec(), fissures.to_vec(), off.to_vec(), vec![0.1, 0.9]];
        let found = decide::findings(&pack, &table, &card, &heads);
        let abstained = decide::features(&card, &heads).iter().map(|f| f.abstained).collect::<Vec<_>>();
        let said: Vec<_> =
            found.iter().map(|f| (f.feature.clone(), f.state(), (f.probability * 100.0).round())).collect();
        (said, abstained)
    };
    // Neither yellow comes to .4, both together do; no head of thresholds 1 or switched off says anything.
    let (said, abstained) = read([0.3, 0.35, 0.35], [0.05, 0.05, 0.9], [0.0, 0.0, 1.0]);
    assert_eq!(said, [("coating_colour".to_owned(), FindingState::Present, 70.0)]);
    assert_eq!(abstained, [true, true]);
    // One that is certain speaks in spite of a threshold of 1; "none" denies.
    let (said, _) = read([0.45, 0.3, 0.25], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]);
    assert_eq!(
        said,
        [
            ("fissures".to_owned(), FindingState::Denied, 100.0),
            ("coating_colour".to_owned(), FindingState::Present, 55.0)
        ]
    );
    assert!(decide::findings(&pack, &table, &card, &[]).is_empty(), "a refused picture says nothing");
}

#[test]
fn a_model_whose_parts_do_not_fit_is_refused_by_name() {
    let broken = |change: fn(&mut std::collections::BTreeMap<String, (Vec<usize>, Vec<f32>)>)| {
        let mut tensors = model::tensors();
        change(&mut tensors);
        Engine::load(model::card().as_bytes(), &model::file(&tensors)).unwrap_err().to_string()
    };
    assert!(broken(|t| drop(t.remove("layer3.1.bn2.bias"))).contains("`layer3.1.bn2.bias` is missing"));
    assert!(broken(|t| drop(t.insert("bn1.bias".into(), (vec![3], vec![0.0; 3])))).contains("expected [4], found [3]"));
    assert!(broken(|t| drop(t.insert("heads.sharp.bias".into(), (vec![3], vec![0.0; 3])))).contains("heads.sharp"));
    assert!(broken(|t| t.get_mut("bn1.weight").unwrap().1.fill(f32::NAN)).contains("numbers"));
    let refused = Engine::load(model::card().as_bytes(), b"not a file of tensors").unwrap_err();
    assert!(matches!(refused, EngineError::Weights(_)));
    let refused = Engine::load(b"{}", &model::file(&model::tensors())).unwrap_err();
    assert!(matches!(refused, EngineError::Card(_)));
}

#[tokio::test]
async fn it_describes_its_heads_and_limits() {
    let said = client().describe(DescribeRequest {}).await.unwrap().into_inner();
    let heads: Vec<_> = said.heads.iter().map(|head| (head.name.as_str(), head.switched_off)).collect();
    assert_eq!(heads, [("coating_colour", false), ("fissures", false), ("tooth_marks", true)]);
    assert_eq!((said.packs.len(), said.max_decode_bytes), (1, Limits::default().max_decode_bytes));
}
