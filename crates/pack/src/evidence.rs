//! What is known about a patient, closed under what the pack says follows from it.

use serde::{Deserialize, Serialize};

use crate::{FindingIx, Pack};

/// The state of an observed finding. Never mentioned is no state: it is simply absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The patient has it.
    Present,
    /// The patient says that it is not so.
    Denied,
    /// The patient was asked and does not know.
    Unsure,
}

/// One observation as the scorer needs it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evidence {
    /// The finding.
    pub finding: FindingIx,
    /// Its state.
    pub state: State,
    /// How sure the observer is of that state, 0 to 1 (a photograph's classifier gives less than 1).
    pub probability: f32,
}

/// A finding's state after closing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Closed {
    /// The state.
    pub state: State,
    /// How sure, 0 to 1.
    pub probability: f32,
    /// It follows from other findings and was not said.
    pub derived: bool,
}

/// Closes observations under the pack's rules. One entry per finding of the pack; `None`
/// where nothing is known.
///
/// A present finding makes its parent and what it implies present and what it excludes
/// denied; a denied one denies its children; an unsure one says nothing more. What was said
/// wins over what follows, and a derived presence over a derived denial. The last
/// observation of a finding counts.
pub fn close(pack: &Pack, evidence: &[Evidence]) -> Vec<Option<Closed>> {
    let mut closed = vec![None; pack.findings.len()];
    for e in evidence {
        if let Some(entry) = closed.get_mut(e.finding.at()) {
            *entry = Some(Closed { state: e.state, probability: e.probability, derived: false });
        }
    }
    let sure =
        |closed: &[Option<Closed>], f: FindingIx| closed.get(f.at()).copied().flatten().map_or(1.0, |c| c.probability);
    let mut queue: Vec<FindingIx> =
        (0..closed.len()).map(FindingIx::new).filter(|f| is(&closed, *f, State::Present)).collect();
    // The surest comes first (from the end), so that what follows from several is as sure as the surest.
    queue.sort_by(|a, b| sure(&closed, *a).total_cmp(&sure(&closed, *b)));
    while let Some(from) = queue.pop() {
        let Some(finding) = pack.findings.get(from.at()) else { continue };
        let probability = sure(&closed, from);
        for up in finding.parent.iter().chain(&finding.implies) {
            if derive(&mut closed, *up, State::Present, probability) {
                queue.push(*up);
            }
        }
    }
    deny_what_is_excluded(pack, &mut closed);
    closed
}

fn deny_what_is_excluded(pack: &Pack, closed: &mut [Option<Closed>]) {
    for (i, finding) in pack.findings.iter().enumerate() {
        if is(closed, FindingIx::new(i), State::Present) {
            for other in &finding.excludes {
                derive(closed, *other, State::Denied, 1.0);
            }
        }
    }
    // Children come down from denied parents; a chain is as deep as the pack's longest line of parents.
    let mut changed = true;
    while changed {
        changed = false;
        for (i, finding) in pack.findings.iter().enumerate() {
            let parent_denied = finding.parent.is_some_and(|parent| is(closed, parent, State::Denied));
            changed |= parent_denied && derive(closed, FindingIx::new(i), State::Denied, 1.0);
        }
    }
}

fn is(closed: &[Option<Closed>], finding: FindingIx, state: State) -> bool {
    closed.get(finding.at()).copied().flatten().is_some_and(|c| c.state == state)
}

/// Enters a derived state where nothing stands yet; `true` when it changed something.
fn derive(closed: &mut [Option<Closed>], finding: FindingIx, state: State, probability: f32) -> bool {
    match closed.get_mut(finding.at()) {
        Some(entry @ None) => {
            *entry = Some(Closed { state, probability, derived: true });
            true
        }
        _ => false,
    }
}
