//! The policy, the recorder and the fold, over the real pack: properties that hold for any dialogue.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use wenzhen_orchestrator::Knowledge;
use wenzhen_orchestrator::policy::decide;
use wenzhen_orchestrator::recorder::record;
use wenzhen_orchestrator::replay::replay;
use wenzhen_orchestrator::state::State;
use wenzhen_pack::Pack;
use wenzhen_proto::clinical::v1::{
    CandidateFinding, FindingState, Observation, PatientContext, Pins, RankedCondition, Sex, Urgency,
};
use wenzhen_proto::orchestrator::v1::event::Kind;
use wenzhen_proto::orchestrator::v1::{
    Decided, DecisionInputs, DecisionKind, Event, MessageReceived, Replied, Started, TurnUndone,
};

static KNOWLEDGE: LazyLock<Knowledge> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs/tcm");
    Knowledge::new(Arc::new(Pack::load_dir(&folder).unwrap())).unwrap()
});

fn started() -> Event {
    let pins = Pins { pack_digest: KNOWLEDGE.digest.clone(), ..Pins::default() };
    event(1, 0, Kind::Started(Started { pins: Some(pins), ..Started::default() }))
}

fn event(version: u64, turn: u32, kind: Kind) -> Event {
    Event { version, at: Some(prost_types::Timestamp::default()), turn, kind: Some(kind) }
}

/// Appends a whole turn as the turn runner would.
fn take_turn(events: &mut Vec<Event>, inputs: DecisionInputs) {
    let pack = &KNOWLEDGE.pack;
    let turn = State::fold(pack, events).next_turn();
    let push = |events: &mut Vec<Event>, kind| events.push(event(events.len() as u64 + 1, turn, kind));
    let message = MessageReceived { message_id: turn.to_string(), ..MessageReceived::default() };
    push(events, Kind::MessageReceived(message));
    let decision = decide(&KNOWLEDGE, &State::fold(pack, events), &inputs);
    push(events, Kind::Decided(Decided { inputs: Some(inputs), decision: Some(decision) }));
    push(events, Kind::Replied(Replied::default()));
}

fn observation(finding: usize, state: FindingState) -> Observation {
    let finding = &KNOWLEDGE.pack.findings[finding % KNOWLEDGE.pack.findings.len()];
    Observation { finding_id: finding.id.clone(), state: state as i32, ..Observation::default() }
}

prop_compose! {
    fn inputs()(
        intent in 0..12i32,
        observed in prop::collection::vec((any::<usize>(), 1..4i32), 0..4),
        cues in prop::collection::vec(any::<usize>(), 0..3),
        age in prop::option::of(0..1200u32),
        sex in 0..3i32,
        pregnant in prop::option::of(any::<bool>()),
        ranked in prop::collection::vec((any::<usize>(), 0.0..1.0f64), 0..4),
        asking in prop::collection::vec(any::<usize>(), 0..4),
        recommendation in 0..4i32,
    ) -> DecisionInputs {
        let pack = &KNOWLEDGE.pack;
        let cue_count = pack.safety.cues.len().max(1);
        let observe = |(finding, state): (usize, i32)| observation(finding, FindingState::try_from(state).unwrap());
        DecisionInputs {
            intent,
            observations: observed.into_iter().map(observe).collect(),
            cue_ids: cues.iter().filter_map(|c| pack.safety.cues.get(c % cue_count)).map(|c| c.id.clone()).collect(),
            patient: Some(PatientContext { age_months: age, sex, pregnant, ..PatientContext::default() }),
            ranked: ranked.into_iter().map(|(c, score)| RankedCondition {
                condition_id: pack.conditions[c % pack.conditions.len()].id.clone(), score,
            }).collect(),
            worth_asking: asking.into_iter().map(|f| CandidateFinding {
                finding_id: pack.findings[f % pack.findings.len()].id.clone(), ..CandidateFinding::default()
            }).collect(),
            recommendation,
            ..DecisionInputs::default()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever is said, the urgency never falls, every flag is raised once, and a raised one is answered.
    #[test]
    fn urgency_never_falls(turns in prop::collection::vec(inputs(), 1..6)) {
        let mut events = vec![started()];
        let mut urgency = Urgency::Routine;
        let mut raised = Vec::new();
        for inputs in turns {
            take_turn(&mut events, inputs);
            let state = State::fold(&KNOWLEDGE.pack, &events);
            prop_assert!(state.urgency >= urgency);
            urgency = state.urgency;
            let Some(Kind::Decided(Decided { decision: Some(decision), .. })) = &events[events.len() - 2].kind else {
                panic!("a turn has a decision");
            };
            for flag in &decision.raised_flag_ids {
                prop_assert!(!raised.contains(flag), "{flag} twice");
                raised.push(flag.clone());
            }
            if urgency > Urgency::Today {
                let kind = decision.kind();
                prop_assert!(matches!(kind, DecisionKind::Escalate | DecisionKind::HandOver), "{kind:?}");
            }
        }
    }

    /// A patient is asked only what a patient can answer, once, and not more often than the pack allows.
    #[test]
    fn questions_are_fit_for_patients(turns in prop::collection::vec(inputs(), 1..14)) {
        let mut events = vec![started()];
        for inputs in turns {
            take_turn(&mut events, inputs);
        }
        let state = State::fold(&KNOWLEDGE.pack, &events);
        prop_assert!(state.rounds <= KNOWLEDGE.pack.manifest.dialogue.max_rounds);
        for id in &state.asked {
            let finding = &KNOWLEDGE.pack.findings[KNOWLEDGE.pack.finding(id).unwrap().at()];
            prop_assert!(finding.askable(), "{id}");
        }
    }

    /// Folding all events at once and entering them one by one come to the same state; every decision replays.
    #[test]
    fn the_fold_is_the_sum_of_its_events(turns in prop::collection::vec(inputs(), 1..6)) {
        let mut events = vec![started()];
        for inputs in turns {
            take_turn(&mut events, inputs);
        }
        let mut step_by_step = State::fold(&KNOWLEDGE.pack, &[]);
        for event in &events {
            step_by_step.apply(&KNOWLEDGE.pack, event);
        }
        prop_assert_eq!(&step_by_step, &State::fold(&KNOWLEDGE.pack, &events));
        prop_assert_eq!(replay(&KNOWLEDGE, &events).unwrap(), (events.len() - 1) / 3);
    }

    /// An undone turn leaves its urgency, its flags and its cues, and nothing else.
    #[test]
    fn undo_takes_back_all_but_danger(first in inputs(), second in inputs()) {
        let mut events = vec![started()];
        take_turn(&mut events, first);
        let before = State::fold(&KNOWLEDGE.pack, &events);
        take_turn(&mut events, second);
        let with = State::fold(&KNOWLEDGE.pack, &events);
        let version = events.len() as u64 + 1;
        events.push(event(version, 0, Kind::TurnUndone(TurnUndone { undone_turn: 2 })));
        let after = State::fold(&KNOWLEDGE.pack, &events);
        prop_assert_eq!(&after.record, &before.record);
        prop_assert_eq!(&after.patient, &before.patient);
        prop_assert_eq!(&after.asked, &before.asked);
        prop_assert_eq!(after.status, before.status);
        prop_assert_eq!(after.urgency, with.urgency);
        prop_assert_eq!(&after.flags, &with.flags);
        prop_assert_eq!(after.next_turn(), 3, "numbers are not used twice");
    }

    /// A replay notices a decision that was changed afterwards.
    #[test]
    fn replay_notices_a_forged_decision(inputs in inputs()) {
        let mut events = vec![started()];
        take_turn(&mut events, inputs);
        if let Some(Kind::Decided(Decided { decision: Some(decision), .. })) = &mut events[2].kind {
            decision.reason.push('!');
        }
        prop_assert!(replay(&KNOWLEDGE, &events).is_err());
    }
}

fn index(id: &str) -> usize {
    KNOWLEDGE.pack.finding(id).unwrap().at()
}

/// Ids of the pack that a test needs: a parent with a child, and two values of one axis.
fn family() -> (usize, usize, usize) {
    let pack = &KNOWLEDGE.pack;
    let child = pack.findings.iter().position(|f| f.parent.is_some() && f.axis.is_some() && !f.excludes.is_empty());
    let child = child.unwrap();
    let sibling = pack.findings[child].excludes[0].at();
    (pack.findings[child].parent.unwrap().at(), child, sibling)
}

#[test]
fn a_correction_leaves_no_trace() {
    let (parent, child, sibling) = family();
    let pack = &KNOWLEDGE.pack;
    let at = |turn, o: Observation| Observation { turn, ..o };
    let mut kept = Vec::new();
    record(pack, &mut kept, &[at(1, observation(child, FindingState::Present))], &[]);
    record(pack, &mut kept, &[at(2, observation(sibling, FindingState::Present))], &[]);
    let ids = |kept: &[Arc<Observation>]| kept.iter().map(|o| index(&o.finding_id)).collect::<Vec<_>>();
    assert_eq!(ids(&kept), vec![sibling], "the later value of an axis takes the place of the earlier");
    record(pack, &mut kept, &[at(3, observation(parent, FindingState::Denied))], &[]);
    assert_eq!(ids(&kept), vec![parent], "who denies the whole denies its parts");
    record(pack, &mut kept, &[at(4, observation(child, FindingState::Present))], &[]);
    assert_eq!(ids(&kept), vec![child], "who has a part has the whole");
    let withdrawn = [kept[0].finding_id.clone()];
    record(pack, &mut kept, &[], &withdrawn);
    assert_eq!(kept, vec![]);
}

#[test]
fn whoever_is_pregnant_is_a_woman() {
    let mut known = PatientContext::default();
    let new = PatientContext { pregnancy_weeks: Some(30), ..PatientContext::default() };
    wenzhen_orchestrator::recorder::learn(&mut known, &new);
    assert_eq!((known.pregnant, known.sex()), (Some(true), Sex::Female));
}
