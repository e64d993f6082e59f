//! Every condition of the pack gives a sound draft in both languages, and nothing of the
//! clinician's part gets into what the patient reads.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{LOCALES, client, pack, patient_text, server, typical};
use wenzhen_pack::{Locale, Pack};
use wenzhen_proto::clinical::v1::{Draft, FactKind, RedFlag, Urgency};
use wenzhen_proto::expert::v1::DiagnoseResponse;

/// Names of all herbs and formulas in a language, in lower case, without what stands in brackets.
fn forbidden(pack: &Pack, locale: Locale) -> Vec<String> {
    let split =
        |name: &str| name.split(['(', ')', '（', '）', ',']).map(|p| p.trim().to_lowercase()).collect::<Vec<_>>();
    let herbs = pack.herbs.iter().flat_map(|h| split(h.names.text(locale)));
    let formulas = pack.conditions.iter().map(|c| split(c.formula.text(locale)).remove(0));
    herbs.chain(formulas).map(|n| n.replace("加减", "")).filter(|n| n.chars().count() > 1).collect()
}

fn has_dose(text: &str) -> bool {
    let chars: Vec<char> = text.to_lowercase().chars().filter(|c| !c.is_whitespace()).collect();
    chars.windows(2).enumerate().any(|(i, pair)| {
        let word_goes_on = chars.get(i + 2).is_some_and(char::is_ascii_alphabetic);
        pair[0].is_ascii_digit() && (pair[1] == '克' || pair[1] == 'g' && !word_goes_on)
            || (chars[i..].starts_with(&['m', 'g']) && i > 0 && chars[i - 1].is_ascii_digit())
    })
}

fn facts_of(draft: &Draft, kind: FactKind) -> Vec<&str> {
    draft.facts.iter().filter(|f| f.kind() == kind).map(|f| f.text.as_str()).collect()
}

fn check_sound(response: &DiagnoseResponse, forbidden: &[String], id: &str) {
    let draft = response.draft.as_ref().unwrap();
    assert_eq!(wenzhen_facts::validate(draft), Ok(()), "{id}");
    let in_order: Vec<String> = (1..=draft.facts.len()).map(|n| format!("f{n}")).collect();
    let ids: Vec<&String> = draft.facts.iter().map(|f| &f.id).collect();
    assert_eq!(ids, in_order.iter().collect::<Vec<_>>(), "{id}");
    let mut last = 0;
    for slot in in_order.iter().map(|id| format!("{{{{{id}}}}}")) {
        let at = draft.text.find(&slot).unwrap();
        assert!(at >= last, "{id}: {slot} out of order");
        last = at;
    }
    assert!(draft.facts.iter().all(|f| !f.clinician_only), "{id}");
    for kind in [FactKind::Principle, FactKind::Formula, FactKind::Dose, FactKind::Caution] {
        assert!(facts_of(draft, kind).is_empty(), "{id}: {kind:?}");
    }
    let text = patient_text(response).to_lowercase();
    let named: Vec<&String> = forbidden.iter().filter(|name| text.contains(name.as_str())).collect();
    assert!(named.is_empty(), "{id} names {named:?}");
    assert!(!has_dose(&text), "{id} names a dose: {text}");
    assert!(!draft.text.contains("\n\n") && !draft.text.ends_with('\n'), "{id}");
}

#[tokio::test]
async fn every_condition_gives_a_sound_draft_in_both_languages() {
    let pack = pack();
    let mut client = client(server());
    for (locale, message) in LOCALES {
        let forbidden = forbidden(&pack, locale);
        for condition in &pack.conditions {
            let response = client.diagnose(typical(&pack, condition, message)).await.unwrap().into_inner();
            check_sound(&response, &forbidden, &condition.id);
            let draft = response.draft.as_ref().unwrap();
            assert_eq!(draft.locale(), message);
            assert_eq!(facts_of(draft, FactKind::Condition), [condition.name(locale)], "{}", condition.id);
            assert!(!facts_of(draft, FactKind::Finding).is_empty(), "{}", condition.id);
            assert_eq!(facts_of(draft, FactKind::Referral), [condition.refer.text(locale)]);
            let (advice, diet) = (condition.advice.list(locale), condition.diet.list(locale));
            assert_eq!(facts_of(draft, FactKind::Advice), [advice, diet].concat(), "{} lost advice", condition.id);
            let plan = response.clinician_plan.as_ref().unwrap();
            assert_eq!(plan.formula, condition.formula.text(locale));
            let words = &pack.voice(locale).unwrap().expert.sentences.waits;
            assert!(words.iter().any(|w| draft.text.ends_with(w.as_str())), "{}", condition.id);
            assert!(plan.herbs.iter().all(|h| 0.0 < h.dose_from_g && h.dose_from_g <= h.dose_to_g));
            assert!(!response.differential[0].evidence_for.is_empty());
            assert!(response.citations.len() <= 3 && response.citations.iter().all(|c| c.score > 0.0));
        }
    }
}

#[tokio::test]
async fn urgent_words_come_first_and_above_today_there_is_no_plan() {
    let pack = pack();
    let mut client = client(server());
    for (locale, message) in LOCALES {
        let forbidden = forbidden(&pack, locale);
        for urgency in [Urgency::Today, Urgency::Crisis, Urgency::Emergency] {
            let mut request = typical(&pack, &pack.conditions[0], message);
            request.urgency = urgency.into();
            let response = client.diagnose(request).await.unwrap().into_inner();
            check_sound(&response, &forbidden, urgency.as_str_name());
            let draft = response.draft.as_ref().unwrap();
            assert!(draft.text.starts_with("{{f1}}"));
            assert_eq!(draft.facts[0].kind(), FactKind::Urgency);
            let (clinician, patient) = (response.clinician_plan.unwrap(), response.patient_plan.unwrap());
            let planned = urgency == Urgency::Today;
            assert_eq!(!clinician.herbs.is_empty() && !clinician.formula.is_empty(), planned);
            assert_eq!(!patient.advice.is_empty() && !patient.diet.is_empty(), planned);
            assert_eq!(!facts_of(draft, FactKind::Advice).is_empty(), planned);
            assert!(!patient.referral.is_empty());
            if !planned {
                assert_eq!(patient.referral, draft.facts[0].text);
                assert_eq!(clinician.cautions.len(), 1);
            }
        }
    }
}

#[tokio::test]
async fn a_red_flag_raises_urgency_and_speaks_in_the_packs_words() {
    let mut pack = (*pack()).clone();
    pack.safety.red_flags = vec![wenzhen_pack::RedFlag {
        id: "flag".into(),
        level: wenzhen_pack::Level::Emergency,
        when: Vec::new(),
        message: wenzhen_pack::Localized([(Locale::Zh, "甲乙丙".into()), (Locale::En, "abc".into())].into()),
    }];
    let pack = std::sync::Arc::new(pack);
    let mut client = client(wenzhen_expert::ExpertServer::new(vec![pack.clone()]));
    let mut request = typical(&pack, &pack.conditions[0], LOCALES[1].1);
    let flag = |id: &str, urgency: Urgency| RedFlag {
        id: id.into(),
        urgency: urgency.into(),
        message: "take {{f2}} and all is well".into(),
    };
    request.red_flags = vec![flag("unheard_of", Urgency::Today), flag("flag", Urgency::Emergency)];
    let response = client.diagnose(request).await.unwrap().into_inner();
    let draft = response.draft.unwrap();
    assert_eq!(facts_of(&draft, FactKind::Urgency), ["abc"]);
    assert_eq!(draft.facts[0].subject_id, "flag");
    assert!(response.clinician_plan.unwrap().herbs.is_empty());
}

#[tokio::test]
async fn words_are_as_sure_as_the_score_and_rivals_are_named() {
    let pack = pack();
    let mut client = client(server());
    for (locale, message) in LOCALES {
        let words = &pack.voice(locale).unwrap().expert.sentences;
        for (score, variants, rivals) in [
            (0.95, &words.clear, 0),
            (0.65, &words.likely, 0),
            (0.45, &words.uncertain, 2),
            (0.25, &words.uncertain, 2),
        ] {
            let mut request = typical(&pack, &pack.conditions[4], message);
            request.ranked = common::ranked(&pack, &pack.conditions[4], score);
            let draft = client.diagnose(request).await.unwrap().into_inner().draft.unwrap();
            let starts = variants.iter().map(|v| v.replace("{condition}", "{{f1}}"));
            assert!(starts.into_iter().any(|start| draft.text.starts_with(&start)), "{score}: {}", draft.text);
            assert_eq!(facts_of(&draft, FactKind::Condition).len(), 1 + rivals, "{score}");
        }
    }
}

#[tokio::test]
async fn the_same_case_reads_the_same_and_different_cases_read_differently() {
    let pack = pack();
    let mut client = client(server());
    let mut openings = std::collections::BTreeSet::new();
    for condition in &pack.conditions {
        let request = typical(&pack, condition, LOCALES[0].1);
        let one = client.diagnose(request.clone()).await.unwrap().into_inner();
        let two = client.diagnose(request).await.unwrap().into_inner();
        assert_eq!(one, two);
        openings.insert(one.draft.unwrap().text.split("{{").next().unwrap().to_owned());
    }
    assert_eq!(openings.len(), pack.voice(Locale::Zh).unwrap().expert.sentences.clear.len());
}

#[test]
fn plain_words_are_about_findings_of_the_pack() {
    let pack = pack();
    for voice in pack.voices.values() {
        for id in voice.expert.plain.keys() {
            assert!(pack.finding(id).is_some(), "{id}");
        }
    }
}

#[test]
fn the_guard_finds_nothing_in_a_draft_that_nobody_rewrote() {
    let pack = pack();
    let guard = wenzhen_facts::Guard::new(&pack).unwrap();
    let mut dirty = Vec::new();
    for (_, message) in LOCALES {
        for condition in &pack.conditions {
            for (score, urgency) in
                [(0.9, Urgency::Routine), (0.65, Urgency::Routine), (0.4, Urgency::Today), (0.9, Urgency::Emergency)]
            {
                let mut request = typical(&pack, condition, message);
                request.ranked = common::ranked(&pack, condition, score);
                request.urgency = urgency.into();
                let draft = server().answer(&request).unwrap().draft.unwrap();
                let mut session = guard.session(&draft);
                session.push(&draft.text);
                let (_, report) = session.finish();
                if !report.is_clean() {
                    dirty.push(format!("{report:?}\n{}", draft.text));
                }
            }
        }
    }
    assert!(dirty.is_empty(), "{} drafts, such as {}", dirty.len(), dirty[0]);
}
