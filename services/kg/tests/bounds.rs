//! How far feedback can move the graph, whatever is proposed and by whomever.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use wenzhen_kg::weights::apply::{Applied, apply, difference};
use wenzhen_kg::weights::epoch::{published, rolled_back};
use wenzhen_kg::weights::{Bounds, Change, EdgeId, Feedback, Note, Overlay, Reason};

fn edge(condition: usize, finding: usize) -> EdgeId {
    EdgeId { condition: format!("c{condition}"), finding: format!("f{finding}") }
}

fn feedback(consultation: u64, clinician: &str, changes: &[(EdgeId, i32)]) -> Feedback {
    let change = |(edge, micros): &(EdgeId, i32)| Change {
        edge: edge.clone(),
        micros: *micros,
        reason: if *micros > 0 { Reason::UnexpectedPresence } else { Reason::UnexpectedDenial },
    };
    Feedback {
        pack: "p".into(),
        epoch: 0,
        consultation: format!("{consultation:064x}"),
        confirmed_by: clinician.into(),
        confirmed_at_ms: 0,
        changes: changes.iter().map(change).collect(),
    }
}

/// Anything at all, far beyond what the service takes in: every size of shift, edges named twice, consultations twice.
fn anything() -> impl Strategy<Value = Vec<Feedback>> {
    let change = ((0..3_usize, 0..4_usize).prop_map(|(c, f)| edge(c, f)), any::<i32>());
    let one = (0..40_u64, 0..3_usize, prop::collection::vec(change, 0..8));
    let one = one.prop_map(|(id, clinician, changes)| feedback(id, &format!("k{clinician}"), &changes));
    prop::collection::vec(one, 0..60)
}

fn overlay(within: i32) -> impl Strategy<Value = Overlay> {
    prop::collection::vec(((0..3_usize, 0..4_usize), -within..=within), 0..12).prop_map(|edges| {
        let mut overlay = Overlay::default();
        edges.into_iter().for_each(|((c, f), micros)| overlay.set(&edge(c, f), micros));
        overlay
    })
}

fn bounds() -> impl Strategy<Value = Bounds> {
    (1..300_000_u32, 1..5_000_000_u32, 1..300_000_u32, 1..1_500_000_u32)
        .prop_map(|(consultation, clinician, edge, lifetime)| Bounds { consultation, clinician, edge, lifetime })
}

fn note(id: &str) -> Note {
    Note { publish_id: id.into(), ..Note::default() }
}

/// Every edge within its bounds, and the ledger says exactly what happened.
fn holds(before: &Overlay, applied: &Applied, bounds: &Bounds) -> Result<(), TestCaseError> {
    let ledger: BTreeMap<EdgeId, (i32, i32)> =
        applied.ledger.iter().map(|line| (line.edge.clone(), (line.before, line.after))).collect();
    prop_assert_eq!(ledger.len(), applied.ledger.len(), "a line per edge");
    for id in (0..3).flat_map(|c| (0..4).map(move |f| edge(c, f))) {
        let (from, to) = (before.get(&id), applied.overlay.get(&id));
        prop_assert!((i64::from(to) - i64::from(from)).unsigned_abs() <= u64::from(bounds.edge), "{} to {}", from, to);
        let outside = to.unsigned_abs() > bounds.lifetime;
        prop_assert!(!outside || to.unsigned_abs() <= from.unsigned_abs() && (to > 0) == (from > 0));
        prop_assert_eq!(ledger.get(&id).copied(), (from != to).then_some((from, to)));
    }
    Ok(())
}

proptest! {
    #[test]
    fn no_edge_is_ever_moved_past_its_bounds(before in overlay(2_000_000), batch in anything(), bounds in bounds()) {
        let applied = apply(&before, &batch, &bounds);
        holds(&before, &applied, &bounds)?;
        let counts = applied.counts;
        prop_assert!(counts.clamped <= counts.applied);
        prop_assert_eq!(counts.applied, applied.ledger.iter().flat_map(|l| &l.shares).map(|s| s.proposals).sum::<u32>());
    }

    #[test]
    fn no_clinician_moves_more_than_her_share(batch in anything(), bounds in bounds()) {
        let hers: Vec<Feedback> = batch.into_iter().map(|f| Feedback { confirmed_by: "k".into(), ..f }).collect();
        let applied = apply(&Overlay::default(), &hers, &bounds);
        let moved: u64 = applied.overlay.iter().map(|(_, _, micros)| u64::from(micros.unsigned_abs())).sum();
        prop_assert!(moved <= u64::from(bounds.clinician));
    }

    #[test]
    fn no_consultation_moves_more_than_its_share(one in anything(), bounds in bounds()) {
        for feedback in one.iter().take(1) {
            let applied = apply(&Overlay::default(), std::slice::from_ref(feedback), &bounds);
            let moved: u64 = applied.overlay.iter().map(|(_, _, micros)| u64::from(micros.unsigned_abs())).sum();
            prop_assert!(moved <= u64::from(bounds.consultation));
        }
    }

    #[test]
    fn the_order_of_a_batch_does_not_matter(
        before in overlay(1_000_000),
        (straight, turned) in anything().prop_flat_map(|batch| (Just(batch.clone()), Just(batch).prop_shuffle())),
        bounds in bounds(),
    ) {
        prop_assert_eq!(apply(&before, &straight, &bounds), apply(&before, &turned, &bounds));
    }

    #[test]
    fn a_consultation_that_comes_twice_counts_once(batch in anything(), bounds in bounds()) {
        let twice: Vec<Feedback> = batch.iter().chain(&batch).cloned().collect();
        let before = Overlay::default();
        prop_assert_eq!(apply(&before, &batch, &bounds), apply(&before, &twice, &bounds));
    }

    #[test]
    fn a_rollback_restores_every_bit(batches in prop::collection::vec(anything(), 1..4), bounds in bounds()) {
        let mut epochs = vec![Overlay::default()];
        for (i, batch) in (0..).zip(&batches) {
            let newest = epochs.last().unwrap();
            let record = published((i, newest), batch, &bounds, note("p"));
            prop_assert_eq!(record.epoch.number, i + 1);
            epochs.push(record.overlay.unwrap());
        }
        let newest = epochs.last().unwrap();
        for (to, earlier) in (0..).zip(&epochs) {
            let record = rolled_back((batches.len() as u64, newest), (to, earlier), note("r"));
            prop_assert_eq!(&record.epoch.fingerprint, &earlier.fingerprint());
            prop_assert_eq!(record.overlay.as_ref(), Some(earlier));
            let mut walked = newest.clone();
            record.ledger.iter().for_each(|line| walked.set(&line.edge, line.after));
            prop_assert_eq!(&walked, earlier, "the ledger leads there");
        }
        prop_assert!(difference(newest, newest).is_empty());
    }
}

/// Ten thousand consultations that all say the same wrong thing, however they are spread over clinicians and epochs.
#[test]
fn ten_thousand_false_consultations_move_nothing_past_the_bounds() {
    let bounds = Bounds::default();
    let target = edge(0, 0);
    let lie = |i: u64, clinicians: u64| {
        let others = (1..4).map(|f| (edge(0, f), -100_000));
        let changes: Vec<_> = std::iter::once((target.clone(), 100_000)).chain(others).collect();
        feedback(i, &format!("k{}", i % clinicians), &changes)
    };
    for (clinicians, per_epoch) in [(1, 10_000), (1, 100), (10_000, 10_000), (10_000, 100), (50, 1)] {
        let (mut overlay, mut epochs) = (Overlay::default(), 0_i64);
        let all: Vec<Feedback> = (0..10_000).map(|i| lie(i, clinicians)).collect();
        for batch in all.chunks(per_epoch) {
            let applied = apply(&overlay, batch, &bounds);
            epochs += 1;
            for (condition, finding, micros) in applied.overlay.iter() {
                let id = EdgeId { condition: condition.into(), finding: finding.into() };
                assert!(i64::from(micros).abs() <= i64::from(bounds.lifetime).min(epochs * i64::from(bounds.edge)));
                assert!((micros - overlay.get(&id)).unsigned_abs() <= bounds.edge);
            }
            overlay = applied.overlay;
        }
        assert_eq!(overlay.len(), 4, "no other edge moved");
        // Without bounds it would have been moved by a thousand nats.
        assert!(overlay.get(&target) <= 1_000_000);
    }
}

#[test]
fn what_contradicts_itself_cancels_out_before_anything_is_bounded() {
    let batch: Vec<Feedback> =
        (0..1000).map(|i| feedback(i, "k", &[(edge(0, 0), if i % 2 == 0 { 50_000 } else { -50_000 })])).collect();
    let applied = apply(&Overlay::default(), &batch, &Bounds::default());
    assert!(applied.overlay.is_empty() && applied.ledger.is_empty());
    assert_eq!((applied.counts.applied, applied.counts.dropped), (0, 1000));
}

#[test]
fn the_ledger_says_who_and_why() {
    let batch = [
        feedback(1, "ana", &[(edge(0, 0), 100_000)]),
        feedback(2, "ana", &[(edge(0, 0), -10_000)]),
        feedback(3, "ben", &[(edge(0, 0), 100_000), (edge(0, 1), 100_000), (edge(0, 2), 100_000)]),
        feedback(4, "eve", &[(edge(0, 0), 100_000)]),
    ];
    let applied = apply(&Overlay::default(), &batch, &Bounds::default());
    let line = applied.ledger.first().unwrap();
    assert_eq!((line.before, line.after, line.clamped), (0, 200_000, true));
    let shares: Vec<_> =
        line.shares.iter().map(|s| (s.confirmed_by.as_str(), s.reason, s.proposals, s.micros)).collect();
    assert_eq!(
        shares,
        [
            ("ana", Reason::UnexpectedPresence, 1, 100_000),
            ("ana", Reason::UnexpectedDenial, 1, -10_000),
            ("ben", Reason::UnexpectedPresence, 1, 100_000),
            ("eve", Reason::UnexpectedPresence, 1, 100_000),
        ]
    );
    // Ben's one consultation had three edges and 0.3 nats: a third of 0.2 each.
    assert_eq!((applied.overlay.get(&edge(0, 1)), applied.overlay.get(&edge(0, 2))), (66_666, 66_666));
    assert_eq!((applied.counts.consultations, applied.counts.applied, applied.counts.clamped), (4, 6, 6));
}
