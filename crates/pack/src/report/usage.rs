//! Which findings bear on something.

use std::collections::BTreeSet;

use crate::{FindingIx, Pack};

/// Findings that a condition, modification, cue or ambiguity names.
fn named(pack: &Pack) -> BTreeSet<FindingIx> {
    let of_conditions = pack.conditions.iter().flat_map(|c| {
        c.edges.iter().map(|edge| edge.finding).chain(c.modifications.iter().map(|modification| modification.when))
    });
    let of_cues = pack.safety.cues.iter().flat_map(|cue| cue.findings.iter().copied());
    let of_ambiguities = pack.ambiguities.iter().flat_map(|a| a.candidates.iter().copied());
    of_conditions.chain(of_cues).chain(of_ambiguities).collect()
}

/// A finding and all that is present with it.
fn present_with(pack: &Pack, finding: FindingIx) -> BTreeSet<FindingIx> {
    let (mut queue, mut present) = (vec![finding], BTreeSet::new());
    while let Some(next) = queue.pop() {
        if let Some(finding) = pack.findings.get(next.at())
            && present.insert(next)
        {
            queue.extend(finding.parent.iter().chain(&finding.implies));
        }
    }
    present
}

/// Findings that bear on something named: those whose presence makes a named finding present
/// or denied, and those whose denial denies one (they stand above it).
pub fn used(pack: &Pack) -> BTreeSet<FindingIx> {
    let named = named(pack);
    let mut used: BTreeSet<FindingIx> = named.iter().flat_map(|f| present_with(pack, *f)).collect();
    for i in (0..pack.findings.len()).map(FindingIx::new) {
        let present = present_with(pack, i);
        let excluded =
            present.iter().filter_map(|f| pack.findings.get(f.at())).flat_map(|f| f.excludes.iter().copied());
        if excluded.chain(present.iter().copied()).any(|f| named.contains(&f)) {
            used.insert(i);
        }
    }
    used
}
