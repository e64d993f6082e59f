//! Whatever the voice makes of a draft passes the guard unreplaced.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says what it expects by failing")]

mod common;

use std::path::Path;

use common::{pack, rows, voice};
use wenzhen_empathy::modulate::{Rewrite, modulate};
use wenzhen_facts::Guard;
use wenzhen_pack::Locale;
use wenzhen_proto::clinical::v1::{
    Draft, Emotion, EmotionAssessment, EmpathyNecessity, Fact, FactKind, Locale as LocaleMessage, Subject,
};
use wenzhen_proto::empathy::v1::Order;

/// The drafts of the guard's own tests.
fn drafts() -> Vec<Draft> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/facts/tests/drafts.jsonl");
    let draft = |row: serde_json::Value| {
        let facts = row["facts"].as_array().unwrap().iter().enumerate().map(|(i, fact)| {
            let kind = format!("FACT_KIND_{}", fact[0].as_str().unwrap().to_uppercase());
            Fact {
                id: format!("f{}", i + 1),
                kind: FactKind::from_str_name(&kind).unwrap().into(),
                text: fact[1].as_str().unwrap().to_owned(),
                subject_id: fact[2].as_str().unwrap().to_owned(),
                clinician_only: false,
            }
        });
        let locale = if row["locale"] == "en" { LocaleMessage::En } else { LocaleMessage::Zh };
        Draft { locale: locale.into(), text: row["text"].as_str().unwrap().to_owned(), facts: facts.collect() }
    };
    rows(&path).into_iter().map(draft).collect()
}

fn assessment(emotion: i32, necessity: EmpathyNecessity) -> EmotionAssessment {
    EmotionAssessment { emotion, intensity: 4, necessity: necessity.into(), confidence: 0.9, ..Default::default() }
}

const ORDERS: [Order; 3] = [Order::FactToEmpathy, Order::EmpathyToFact, Order::SingleStage];

#[test]
fn everything_it_makes_passes_the_guard() {
    let guard = Guard::new(&pack()).unwrap();
    let (zh, en) = (voice(Locale::Zh), voice(Locale::En));
    let mut made = 0;
    for draft in drafts() {
        let voice = if draft.locale() == LocaleMessage::En { &en } else { &zh };
        for emotion in Emotion::Neutral as i32..=Emotion::Relief as i32 {
            for necessity in [EmpathyNecessity::None, EmpathyNecessity::Light, EmpathyNecessity::Full] {
                for seed in 0..24_u64 {
                    let order = ORDERS[seed as usize % ORDERS.len()];
                    let subject = if seed % 2 == 0 { Subject::Child } else { Subject::Self_ };
                    let assessment = assessment(emotion, necessity);
                    let text =
                        modulate(voice, &Rewrite { draft: &draft, assessment: &assessment, order, subject, seed });
                    let mut session = guard.session(&draft);
                    let mut shown: String = text.iter().flat_map(|s| session.push(s)).map(|r| r.text).collect();
                    let (rest, report) = session.finish();
                    shown.extend(rest.into_iter().map(|r| r.text));
                    assert!(
                        report.is_clean() && report.violations.is_empty(),
                        "{report:?}\n{}\n{shown}",
                        text.concat()
                    );
                    made += 1;
                }
            }
        }
    }
    println!("{made} rewritings passed");
}

/// Every phrase of the voice, alone and beside something urgent.
#[test]
fn every_phrase_passes_the_guard() {
    let guard = Guard::new(&pack()).unwrap();
    let drafts = drafts();
    let mut refused = Vec::new();
    let mut check = |draft: &Draft, phrase: &str| {
        let mut session = guard.session(draft);
        session.push(phrase);
        let report = session.finish().1;
        if report.replaced > 0 {
            refused.push(format!("{phrase}: {:?}", report.violations.first()));
        }
    };
    for (locale, tag) in [(Locale::Zh, LocaleMessage::Zh), (Locale::En, LocaleMessage::En)] {
        let voice = voice(locale);
        let draft = drafts.iter().find(|d| d.locale() == tag).unwrap();
        let urgent = drafts.iter().find(|d| d.locale() == tag && d.facts[0].kind() == FactKind::Urgency).unwrap();
        let bands = voice.preface.values().chain(voice.comfort.values()).chain(voice.parent.values());
        let mut phrases: Vec<&String> = bands.flat_map(|bands| bands.light.iter().chain(&bands.full)).collect();
        phrases.extend(voice.closing.values().flatten().chain(&voice.bridges).chain(&voice.urgent));
        phrases.into_iter().for_each(|phrase| check(draft, phrase));
        voice.urgent.iter().for_each(|phrase| check(urgent, phrase));
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[test]
fn the_order_decides_where_comfort_stands() {
    let voice = voice(Locale::En);
    let draft = drafts().into_iter().find(|d| d.locale() == LocaleMessage::En).unwrap();
    let assessment = assessment(Emotion::Anxiety.into(), EmpathyNecessity::Full);
    let make = |order, seed| {
        modulate(&voice, &Rewrite { draft: &draft, assessment: &assessment, order, subject: Subject::Self_, seed })
            .concat()
    };
    let facts = |text: &str| (text.find("{{f1}}").unwrap(), text.rfind("{{f8}}").unwrap() + "{{f8}}".len());
    let dual = make(Order::FactToEmpathy, 1);
    let (first, last) = facts(&dual);
    assert!(first > 80 && dual.len() > last, "{dual}");
    let comfort_first = make(Order::EmpathyToFact, 1);
    assert!(comfort_first.ends_with(&draft.text), "{comfort_first}");
    let mixed = make(Order::SingleStage, 1);
    let (first, _) = facts(&mixed);
    assert!(first < facts(&dual).0 && mixed != dual);
    assert_eq!(make(Order::FactToEmpathy, 1), make(Order::FactToEmpathy, 1));
    assert!((2..40).any(|seed| make(Order::FactToEmpathy, seed) != dual));
}

#[test]
fn without_need_the_draft_stays_as_it_is() {
    for draft in drafts() {
        let assessment = assessment(Emotion::Neutral.into(), EmpathyNecessity::None);
        let rewrite = Rewrite {
            draft: &draft,
            assessment: &assessment,
            order: Order::Unspecified,
            subject: Subject::Self_,
            seed: 5,
        };
        assert_eq!(modulate(&voice(Locale::Zh), &rewrite).concat(), draft.text);
    }
}
