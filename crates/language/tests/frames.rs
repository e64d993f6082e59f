//! Questions from the flagship pack, in both languages.

mod common;

use std::sync::Arc;

use proptest::prelude::*;
use wenzhen_language::Subject;
use wenzhen_language::frames::{AskSpec, FrameError, Framer, Question};
use wenzhen_pack::{FindingIx, Locale, Pack};

use common::pack;

const SUBJECTS: [Subject; 5] =
    [Subject::SelfPatient, Subject::Child, Subject::Parent, Subject::Partner, Subject::Other];

fn askable(pack: &Pack) -> Vec<FindingIx> {
    (0..pack.findings.len()).map(FindingIx::new).filter(|f| pack.findings[f.at()].askable()).collect()
}

fn spec(findings: &[FindingIx], locale: Locale, seed: u64) -> AskSpec<'_> {
    AskSpec { findings, ambiguity: None, locale, last_frame: "", subject: Subject::SelfPatient, seed }
}

/// What every question must be, whatever it asks.
fn check(question: &Question, locale: Locale, last_frame: &str) {
    let text = &question.text;
    let mark = if locale == Locale::Zh { '？' } else { '?' };
    assert!(text.ends_with(mark) && text.matches(['?', '？']).count() == 1, "one question mark at the end: {text}");
    assert_ne!(question.frame, last_frame, "the frame changes: {text}");
    assert!(!text.contains(['{', '}']), "no placeholder is left: {text}");
    let stop = |c: char| "，。、：；？,.:;?".contains(c);
    let doubled = text.chars().zip(text.chars().skip(1)).any(|(a, b)| stop(a) && stop(b) || a == ' ' && b == ' ');
    assert!(!doubled && !text.starts_with(stop) && text.trim() == text, "punctuation: {text}");
    match locale {
        Locale::Zh => assert!(text.chars().all(|c| !c.is_ascii_alphabetic()), "all of it is Chinese: {text}"),
        Locale::En => assert!(text.is_ascii() && text.starts_with(|c: char| c.is_uppercase()), "English: {text}"),
    }
    let answers = &question.quick_answers;
    assert!((2..=6).contains(&answers.len()), "two to six quick answers: {answers:?}");
    assert!(answers.iter().all(|a| !a.trim().is_empty() && !a.contains('{')), "{answers:?}");
    let different: std::collections::BTreeSet<_> = answers.iter().collect();
    assert_eq!(different.len(), answers.len(), "quick answers differ: {answers:?}");
}

#[test]
fn every_askable_finding_is_asked_by_itself_for_everybody() {
    let framer = Framer::new(pack());
    for locale in Locale::ALL {
        let mut last = String::new();
        for (i, finding) in askable(framer.pack()).into_iter().enumerate() {
            for subject in SUBJECTS {
                let findings = [finding];
                let spec = AskSpec { last_frame: &last, subject, ..spec(&findings, locale, i as u64) };
                let question = framer.ask(&spec).unwrap();
                check(&question, locale, &last);
                assert_eq!(framer.ask(&spec).unwrap(), question, "the same request gives the same words");
                last = question.frame;
            }
        }
    }
}

/// Whoever words a question anew is held to the words of its clause, whoever it is about.
#[test]
fn every_question_keeps_the_words_of_its_clause() {
    let framer = framer();
    for locale in [Locale::Zh, Locale::En] {
        let (all, mut others) = (askable(framer.pack()), 0);
        for (at, finding) in all.iter().enumerate() {
            for subject in SUBJECTS {
                let asked = std::slice::from_ref(finding);
                let text = framer.ask(&AskSpec { subject, ..spec(asked, locale, at as u64) }).unwrap().text;
                let kept = framer.kept(locale, &text);
                assert!(kept.contains(finding), "{text}");
                others += kept.len() - 1;
            }
        }
        // What a question names in passing, such as the pain of which it asks where it is.
        assert!(others < all.len() * SUBJECTS.len() * 2, "{others} findings beside those asked for");
        assert_eq!(framer.kept(locale, "您今天感觉怎么样？ How are you today?"), []);
    }
}

#[test]
fn every_ambiguity_is_clarified_with_its_candidates_as_answers() {
    let framer = Framer::new(pack());
    for locale in Locale::ALL {
        let mut last = String::new();
        for at in 0..framer.pack().ambiguities.len() {
            let spec = AskSpec { ambiguity: Some(at), last_frame: &last, ..spec(&[], locale, at as u64) };
            let question = framer.ask(&spec).unwrap();
            check(&question, locale, &last);
            let ambiguity = &framer.pack().ambiguities[at];
            assert_eq!(question.quick_answers.len(), ambiguity.candidates.len() + 1, "{}", ambiguity.id);
            last = question.frame;
        }
    }
}

#[test]
fn every_label_is_a_name_or_saying_of_its_finding() {
    let pack = pack();
    let framer = Framer::new(Arc::clone(&pack));
    for locale in Locale::ALL {
        for f in askable(&pack) {
            let (label, finding) = (framer.label(f, locale), &pack.findings[f.at()]);
            let sayings = finding.sayings.list(locale).iter().map(String::as_str);
            let mut known = sayings.chain([finding.names.text(locale)]);
            assert!(known.any(|known| known == label), "{}: label `{label}` is neither name nor saying", finding.id);
        }
        let labels = &pack.voices[&locale].guidance.labels;
        assert_eq!(labels.keys().find(|id| pack.finding(id).is_none()), None, "every label is of a finding");
    }
}

#[test]
fn there_are_enough_frames_and_none_is_long() {
    for (locale, voice) in &pack().voices {
        let frames = &voice.guidance.frames;
        let lists = [(&frames.one, 8), (&frames.several, 6), (&frames.choice, 6), (&frames.clarify, 6)];
        for (list, least) in lists {
            assert!(list.all().len() >= least, "{locale}");
            assert!(list.all().iter().all(|frame| frame.text.chars().count() <= 50), "{locale}");
        }
        let words = |list: &wenzhen_pack::voice::FrameList| {
            list.all().iter().map(|f| (f.id.clone(), f.text.clone())).collect::<Vec<_>>()
        };
        let mut all: Vec<_> = lists.iter().flat_map(|(list, _)| words(list)).collect();
        all.sort();
        all.dedup();
        let same_words = all.windows(2).filter(|w| w[0].1 == w[1].1).count();
        assert_eq!(
            same_words, 0,
            "{locale}: the same words have the same id, so that they are never said twice running"
        );
    }
}

#[test]
fn what_cannot_be_asked_is_an_error() {
    let framer = Framer::new(pack());
    let pack = framer.pack();
    let ids = askable(pack);
    let clinician_only =
        (0..pack.findings.len()).map(FindingIx::new).find(|f| !pack.findings[f.at()].askable()).unwrap();
    let error = |findings: &[FindingIx], ambiguity| {
        framer.ask(&AskSpec { ambiguity, ..spec(findings, Locale::Zh, 0) }).unwrap_err()
    };
    assert_eq!(error(&[], None), FrameError::Nothing);
    assert_eq!(error(&ids[..1], Some(0)), FrameError::Both);
    assert_eq!(error(&ids[..4], None), FrameError::TooMany(4));
    assert_eq!(error(&[ids[0], ids[0]], None), FrameError::Twice(1));
    assert_eq!(error(&[ids[0], FindingIx::new(99_999)], None), FrameError::UnknownFinding(1));
    assert_eq!(error(&[clinician_only], None), FrameError::NotAskable(0));
    assert_eq!(error(&[], Some(99_999)), FrameError::UnknownAmbiguity);
}

/// Golden sentences of `tests/data/questions.toml`.
#[test]
fn golden_questions() {
    #[derive(serde::Deserialize)]
    struct Case {
        locale: Locale,
        #[serde(default)]
        findings: Vec<String>,
        subject: Option<Subject>,
        clause: String,
        answers: Option<Vec<String>>,
    }
    #[derive(serde::Deserialize)]
    struct Cases {
        case: Vec<Case>,
    }
    let framer = Framer::new(pack());
    let cases: Cases = toml::from_str(include_str!("data/questions.toml")).unwrap();
    for case in cases.case {
        let findings: Vec<_> = case.findings.iter().map(|id| framer.pack().finding(id).expect(id)).collect();
        let subject = case.subject.unwrap_or(Subject::SelfPatient);
        // Joints may vary with the seed; one of the first seeds must word it this way.
        let found = (0..64).map(|seed| framer.ask(&AskSpec { subject, ..spec(&findings, case.locale, seed) }).unwrap());
        let questions: Vec<_> = found.collect();
        let hit = questions.iter().find(|q| q.text.to_lowercase().contains(&case.clause.to_lowercase()));
        let hit = hit.unwrap_or_else(|| panic!("expected `{}` in {:?}", case.clause, questions[0].text));
        if let Some(answers) = case.answers {
            assert_eq!(hit.quick_answers, answers);
        }
    }
}

proptest! {
    #[test]
    fn groups_of_findings_are_one_question(
        picks in proptest::collection::vec(any::<prop::sample::Index>(), 2..=3),
        seed in any::<u64>(), subject in 0..5_usize, chinese in any::<bool>(), last in any::<prop::sample::Index>(),
    ) {
        let framer = framer();
        let all = askable(framer.pack());
        let mut findings: Vec<FindingIx> = Vec::new();
        for pick in picks {
            let finding = all[pick.index(all.len())];
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
        let locale = if chinese { Locale::Zh } else { Locale::En };
        let frames = framer.pack().voices[&locale].guidance.frames.several.all();
        let last_frame = frames[last.index(frames.len())].id.as_str();
        let spec = AskSpec { last_frame, subject: SUBJECTS[subject], ..spec(&findings, locale, seed) };
        let question = framer.ask(&spec).unwrap();
        check(&question, locale, last_frame);
    }
}

fn framer() -> &'static Framer {
    static FRAMER: std::sync::OnceLock<Framer> = std::sync::OnceLock::new();
    FRAMER.get_or_init(|| Framer::new(pack()))
}
