//! Labelled utterances, in our own words: how often the assessment agrees with them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says what it expects by failing")]

mod common;

use common::{pack_dir, rows, voice};
use wenzhen_empathy::Assessor;
use wenzhen_pack::Locale;
use wenzhen_proto::clinical::v1::{Emotion, EmotionAssessment, EmpathyNecessity};

fn assessor(locale: Locale) -> Assessor {
    Assessor::new(&voice(locale)).unwrap()
}

#[test]
fn labelled_utterances_are_assessed_as_labelled() {
    let (zh, en) = (assessor(Locale::Zh), assessor(Locale::En));
    let rows = rows(&pack_dir().join("tests/emotions.jsonl"));
    assert!(rows.len() >= 120);
    let (mut emotions, mut intensities, mut necessities, mut false_comfort, mut plain) = (0, 0, 0, 0, 0);
    for row in &rows {
        let text = row["text"].as_str().unwrap();
        let found = if row["locale"] == "en" { &en } else { &zh }.assess(text, None);
        let label = |name: &str, prefix: &str| format!("{prefix}{}", row[name].as_str().unwrap().to_uppercase());
        let emotion = found.emotion().as_str_name() == label("emotion", "EMOTION_");
        let necessity = found.necessity().as_str_name() == label("necessity", "EMPATHY_NECESSITY_");
        let range = row["intensity"][0].as_u64().unwrap()..=row["intensity"][1].as_u64().unwrap();
        let intensity = range.contains(&u64::from(found.intensity));
        emotions += usize::from(emotion);
        necessities += usize::from(necessity);
        intensities += usize::from(intensity);
        if row["emotion"] == "neutral" {
            plain += 1;
            false_comfort += usize::from(found.necessity() != EmpathyNecessity::None);
        }
        assert_eq!(found.crisis, row["crisis"] == true, "{text}");
        if !(emotion && necessity && intensity) {
            println!("{text}\n   labelled {row}\n   found {found:?}");
        }
    }
    let share = |n: usize| n as f64 / rows.len() as f64;
    println!(
        "own words, {} utterances: emotion {:.3}, intensity {:.3}, necessity {:.3}; false comfort {false_comfort} of {plain}",
        rows.len(),
        share(emotions),
        share(intensities),
        share(necessities),
    );
    assert!(share(emotions) >= 0.85 && share(intensities) >= 0.85 && share(necessities) >= 0.85);
    assert!(false_comfort as f64 / plain as f64 <= 0.02);
}

#[test]
fn the_evidence_lies_in_the_original_text() {
    let assessor = assessor(Locale::Zh);
    for text in ["医生！！我　好害怕。", "Ｘ我很擔心", "\u{200b}\u{200b}我好害怕"] {
        let found = assessor.assess(text, None);
        assert_eq!(found.emotion(), Emotion::Anxiety, "{text}");
        let span = found.evidence.unwrap();
        let evidence = &text[span.start as usize..span.end as usize];
        assert!(!evidence.is_empty() && text.contains(evidence), "{text}: {evidence}");
    }
}

#[test]
fn the_same_feeling_again_is_comforted_less() {
    let assessor = assessor(Locale::En);
    let first = assessor.assess("I'm really scared", None);
    assert_eq!((first.emotion(), first.necessity()), (Emotion::Anxiety, EmpathyNecessity::Full));
    let second = assessor.assess("I'm really scared", Some(&first));
    assert_eq!((second.emotion(), second.necessity()), (Emotion::Anxiety, EmpathyNecessity::Light));
    let calm = EmotionAssessment { intensity: 1, necessity: EmpathyNecessity::Light.into(), ..first };
    assert!(assessor.assess("I'm really scared", Some(&calm)).intensity <= first.intensity);
}

#[test]
fn marks_and_repetition_raise_the_intensity() {
    let assessor = assessor(Locale::Zh);
    let intensity = |text: &str| assessor.assess(text, None).intensity;
    assert!(intensity("我很担心！！！啊啊啊啊") > intensity("我担心"));
    assert!(intensity("我有点担心") < intensity("我非常担心"));
    assert_eq!(intensity("我不担心"), 0);
}
