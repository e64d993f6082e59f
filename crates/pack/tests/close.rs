//! Properties of closing observations, over random relations between the tiny pack's findings.

#![allow(clippy::expect_used, reason = "a test that cannot read its data has failed")]

mod tiny;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use proptest::prelude::*;
use wenzhen_pack::{Closed, Evidence, FindingIx, Pack, State, close};

static TINY: LazyLock<Pack> = LazyLock::new(tiny::pack);

fn size() -> usize {
    TINY.findings.len()
}

/// Relations as a loaded pack has them: parents without circles, exclusion both ways.
fn packs() -> impl Strategy<Value = Pack> {
    let n = size();
    let parents = proptest::collection::vec(proptest::option::of(any::<prop::sample::Index>()), n);
    let pairs = |max| proptest::collection::vec((0..n, 0..n), 0..max);
    (parents, pairs(6), pairs(6)).prop_map(|(parents, implies, excludes)| {
        let mut pack = TINY.clone();
        for (i, (finding, parent)) in pack.findings.iter_mut().zip(parents).enumerate() {
            // Only a finding before this one can be its parent, so no circle comes about.
            finding.parent = parent.filter(|_| i > 0).map(|index| FindingIx::new(index.index(i)));
            finding.implies.clear();
            finding.excludes.clear();
        }
        for (a, b) in implies.into_iter().filter(|(a, b)| a != b) {
            pack.findings[a].implies.push(FindingIx::new(b));
        }
        for (a, b) in excludes.into_iter().filter(|(a, b)| a != b) {
            pack.findings[a].excludes.push(FindingIx::new(b));
            pack.findings[b].excludes.push(FindingIx::new(a));
        }
        pack
    })
}

/// Observations, some of findings that the pack does not have.
fn observations() -> impl Strategy<Value = Vec<Evidence>> {
    let state = prop_oneof![Just(State::Present), Just(State::Denied), Just(State::Unsure)];
    let one = (0..size() + 4, state, 0.0f32..=1.0);
    let one = one.prop_map(|(i, state, probability)| Evidence { finding: FindingIx::new(i), state, probability });
    proptest::collection::vec(one, 0..9)
}

/// What was said last of each finding that the pack has.
fn said(evidence: &[Evidence]) -> BTreeMap<FindingIx, Evidence> {
    evidence.iter().filter(|e| e.finding.at() < size()).map(|e| (e.finding, *e)).collect()
}

fn state(closed: &[Option<Closed>], finding: FindingIx) -> Option<State> {
    closed[finding.at()].map(|c| c.state)
}

proptest! {
    #[test]
    fn what_was_said_wins(pack in packs(), evidence in observations()) {
        let closed = close(&pack, &evidence);
        prop_assert_eq!(closed.len(), size());
        let said = said(&evidence);
        for (i, entry) in closed.iter().enumerate() {
            match said.get(&FindingIx::new(i)) {
                Some(e) => {
                    prop_assert_eq!(*entry, Some(Closed { state: e.state, probability: e.probability, derived: false }));
                }
                None => prop_assert!(entry.is_none_or(|c| c.derived && c.state != State::Unsure)),
            }
        }
    }

    #[test]
    fn what_follows_is_there(pack in packs(), evidence in observations()) {
        let closed = close(&pack, &evidence);
        let said = said(&evidence);
        for (i, finding) in pack.findings.iter().enumerate() {
            let own = state(&closed, FindingIx::new(i));
            if own == Some(State::Present) {
                for up in finding.parent.iter().chain(&finding.implies).filter(|up| !said.contains_key(up)) {
                    prop_assert_eq!(state(&closed, *up), Some(State::Present));
                }
                for other in finding.excludes.iter().filter(|other| !said.contains_key(other)) {
                    // Something else may have made it present: that wins over a derived denial.
                    prop_assert!(matches!(state(&closed, *other), Some(State::Denied | State::Present)));
                }
            }
            if finding.parent.is_some_and(|parent| state(&closed, parent) == Some(State::Denied)) {
                // Present where something else that was said implies it: that wins over a derived denial.
                let spoken_of = said.contains_key(&FindingIx::new(i));
                let settled = matches!(own, Some(State::Denied | State::Present));
                prop_assert!(spoken_of || settled, "a child of a denied parent is {:?}", own);
            }
        }
    }

    #[test]
    fn nothing_comes_from_nowhere(pack in packs(), evidence in observations()) {
        let closed = close(&pack, &evidence);
        for (i, entry) in closed.iter().enumerate() {
            let Some(Closed { state: got, derived: true, .. }) = entry else { continue };
            let own = FindingIx::new(i);
            let is_present = |f: usize| state(&closed, FindingIx::new(f)) == Some(State::Present);
            let reason = pack.findings.iter().enumerate().any(|(j, f)| match got {
                State::Present => is_present(j) && (f.parent == Some(own) || f.implies.contains(&own)),
                _ => is_present(j) && f.excludes.contains(&own),
            });
            let parent_denied = pack.findings[i].parent.is_some_and(|p| state(&closed, p) == Some(State::Denied));
            prop_assert!(reason || (*got == State::Denied && parent_denied));
        }
    }

    #[test]
    fn closing_what_is_closed_changes_nothing(pack in packs(), evidence in observations()) {
        let closed = close(&pack, &evidence);
        let again: Vec<Evidence> = closed
            .iter()
            .enumerate()
            .filter_map(|(i, c)| c.map(|c| Evidence { finding: FindingIx::new(i), state: c.state, probability: c.probability }))
            .collect();
        let states = |closed: &[Option<Closed>]| closed.iter().map(|c| c.map(|c| (c.state, c.probability))).collect::<Vec<_>>();
        prop_assert_eq!(states(&close(&pack, &again)), states(&closed));
    }

    #[test]
    fn the_order_of_different_findings_does_not_matter(pack in packs(), evidence in observations()) {
        let once: Vec<Evidence> = said(&evidence).into_values().collect();
        let back: Vec<Evidence> = once.iter().rev().copied().collect();
        prop_assert_eq!(close(&pack, &once), close(&pack, &back));
    }

    #[test]
    fn unsure_says_nothing_more(pack in packs(), evidence in observations()) {
        let unsure: Vec<Evidence> = evidence.iter().map(|e| Evidence { state: State::Unsure, ..*e }).collect();
        let known = close(&pack, &unsure).iter().flatten().count();
        prop_assert_eq!(known, said(&unsure).len());
    }

    #[test]
    fn what_follows_from_several_is_as_sure_as_the_surest(p in 0.0f32..=1.0, q in 0.0f32..=1.0) {
        // Two values of an axis cannot both be so, but two classifiers may both say it.
        let [leak, bottom, spout] = ["leak", "leak_bottom", "leak_spout"].map(|id| TINY.finding(id).expect(id));
        let present = |finding, probability| Evidence { finding, state: State::Present, probability };
        let closed = close(&TINY, &[present(bottom, p), present(spout, q)]);
        prop_assert_eq!(closed[leak.at()], Some(Closed { state: State::Present, probability: p.max(q), derived: true }));
    }
}

#[test]
fn axes_parents_and_exclusions_of_the_tiny_pack() {
    let after = |said: &[(&str, State)]| -> BTreeMap<&str, State> {
        let evidence: Vec<Evidence> = said
            .iter()
            .map(|(id, state)| Evidence { finding: TINY.finding(id).expect(id), state: *state, probability: 1.0 })
            .collect();
        let closed = close(&TINY, &evidence);
        closed.iter().zip(&TINY.findings).filter_map(|(c, f)| c.map(|c| (f.id.as_str(), c.state))).collect()
    };
    let (yes, no) = (State::Present, State::Denied);
    // A value of an axis: its parent is present, the other value denied.
    assert_eq!(after(&[("leak_spout", yes)]), [("leak", yes), ("leak_bottom", no), ("leak_spout", yes)].into());
    // A denied value says nothing of the parent or of the other value.
    assert_eq!(after(&[("leak_spout", no)]), [("leak_spout", no)].into());
    // A denied parent denies all that refines it.
    assert_eq!(after(&[("leak", no)]), [("leak", no), ("leak_bottom", no), ("leak_spout", no)].into());
    // A present parent says nothing of its children.
    assert_eq!(after(&[("leak", yes)]), [("leak", yes)].into());
    // Parent and implication at once.
    assert_eq!(after(&[("grinding", yes)]), [("beans_gone", yes), ("grinding", yes), ("noise", yes)].into());
    // Exclusion stands in one row of the file and holds both ways.
    assert_eq!(after(&[("weak_coffee", yes)]), [("bitter_coffee", no), ("weak_coffee", yes)].into());
    assert_eq!(after(&[("bitter_coffee", yes)]), [("bitter_coffee", yes), ("weak_coffee", no)].into());
    // A contradiction that was said stays as it was said.
    let said = [("leak", no), ("leak_spout", yes)];
    assert_eq!(after(&said), [("leak", no), ("leak_bottom", no), ("leak_spout", yes)].into());
}
