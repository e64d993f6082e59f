//! What was understood, as a message.

mod common;

use wenzhen_language::{ContextFacts, Intent, Interpretation, Meaning, Observation, Severity, Subject, proto};
use wenzhen_pack::{ConditionIx, FindingIx, Locale, Sex, State};
use wenzhen_proto::clinical::v1 as clinical;
use wenzhen_proto::guidance::v1 as guidance;

fn understood() -> Interpretation {
    Interpretation {
        locale: Locale::Zh,
        intent: Intent::Report,
        observations: vec![Observation {
            finding: FindingIx::new(0),
            state: State::Present,
            span: 3..9,
            past: false,
            duration_days: Some(2.0),
            severity: Some(Severity::Severe),
            value: None,
            answers_question: true,
        }],
        ambiguous: Vec::new(),
        withdrawn: vec![FindingIx::new(1), FindingIx::new(99_999)],
        context: ContextFacts::default(),
        meanings: vec![Meaning::Finding(FindingIx::new(2)), Meaning::Condition(ConditionIx::new(1))],
        refused: false,
    }
}

#[test]
fn an_interpretation_keeps_everything_and_leaves_unset_what_was_not_said() {
    let pack = common::pack();
    let message = proto::interpretation(&pack, &understood(), 4);
    assert_eq!(message.intent(), guidance::Intent::Report);
    assert_eq!(message.locale(), clinical::Locale::Zh);
    assert_eq!(message.withdrawn_finding_ids, [pack.findings[1].id.clone()], "what the pack lacks is left out");
    assert_eq!(message.explain_finding_ids, [pack.findings[2].id.clone()]);
    assert_eq!(message.explain_condition_ids, [pack.conditions[1].id.clone()]);
    assert_eq!(message.patient, None);
    assert_eq!(message.pins.unwrap().pack_digest, pack.digest.to_string());
    let observation = &message.observations[0];
    assert_eq!(observation.finding_id, pack.findings[0].id);
    assert_eq!(
        (observation.state(), observation.severity()),
        (clinical::FindingState::Present, clinical::Severity::Severe)
    );
    assert_eq!((observation.turn, observation.span), (4, Some(clinical::Span { start: 3, end: 9 })));
    assert_eq!((observation.duration_days, observation.value, observation.probability), (Some(2.0), None, None));
    assert!(observation.answers_question && !observation.past);
}

#[test]
fn what_was_learned_about_the_person_is_told() {
    let pack = common::pack();
    let context = ContextFacts {
        age_months: Some(14),
        sex: Some(Sex::Male),
        speaks_for: Some(Subject::Child),
        medicines: vec!["x".into()],
        ..ContextFacts::default()
    };
    let message = proto::interpretation(&pack, &Interpretation { context, ..understood() }, 1);
    let patient = message.patient.unwrap();
    assert_eq!(
        (patient.age_months, patient.sex(), patient.subject()),
        (Some(14), clinical::Sex::Male, clinical::Subject::Child)
    );
    assert_eq!((patient.pregnant, patient.allergies.len(), patient.medicines.len()), (None, 0, 1));
}

#[test]
fn subjects_go_there_and_back() {
    for subject in [Subject::SelfPatient, Subject::Child, Subject::Parent, Subject::Partner, Subject::Other] {
        assert_eq!(proto::subject(subject.into()), subject);
    }
    assert_eq!(proto::subject(clinical::Subject::Unspecified), Subject::SelfPatient);
}
