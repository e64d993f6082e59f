//! What was learned: shifts of edges against the pack.
//!
//! A shift is a whole number of millionths of a nat, so that sums do not depend on their order, bounds are met
//! exactly, and a rollback restores every bit.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Millionths in one nat of log odds.
pub const MICROS_PER_NAT: f64 = 1_000_000.0;

/// An edge of the graph, by the ids of the pack.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EdgeId {
    /// The condition.
    pub condition: String,
    /// The finding.
    pub finding: String,
}

/// The shifts of one epoch: change of the log odds of P(finding present | condition) against the pack, in millionths
/// of a nat. What is not shifted is not in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Overlay(BTreeMap<String, BTreeMap<String, i32>>);

impl Overlay {
    /// Where an edge stands; 0 as in the pack.
    pub fn get(&self, edge: &EdgeId) -> i32 {
        self.0.get(&edge.condition).and_then(|row| row.get(&edge.finding)).copied().unwrap_or(0)
    }

    /// Moves an edge; 0 puts it back where the pack has it.
    pub fn set(&mut self, edge: &EdgeId, micros: i32) {
        if micros != 0 {
            self.0.entry(edge.condition.clone()).or_default().insert(edge.finding.clone(), micros);
            return;
        }
        if let Some(row) = self.0.get_mut(&edge.condition) {
            row.remove(&edge.finding);
            if row.is_empty() {
                self.0.remove(&edge.condition);
            }
        }
    }

    /// The shifts of one condition, by finding.
    pub fn of(&self, condition: &str) -> Option<&BTreeMap<String, i32>> {
        self.0.get(condition)
    }

    /// All shifts as (condition, finding, micros), in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, i32)> {
        self.0
            .iter()
            .flat_map(|(condition, row)| row.iter().map(|(f, micros)| (condition.as_str(), f.as_str(), *micros)))
    }

    /// Number of shifted edges.
    pub fn len(&self) -> usize {
        self.0.values().map(BTreeMap::len).sum()
    }

    /// The pack as written.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// First 16 hexadecimal digits of a SHA-256 over all shifts: equal exactly when the shifts are.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        for (condition, finding, micros) in self.iter() {
            for part in [condition, finding] {
                hash.update((part.len() as u64).to_le_bytes());
                hash.update(part);
            }
            hash.update(micros.to_le_bytes());
        }
        hex::encode(hash.finalize().get(..8).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(condition: &str, finding: &str) -> EdgeId {
        EdgeId { condition: condition.into(), finding: finding.into() }
    }

    #[test]
    fn what_is_put_back_leaves_no_trace() {
        let mut overlay = Overlay::default();
        overlay.set(&edge("c1", "f1"), 5);
        overlay.set(&edge("c1", "f2"), -7);
        assert_eq!((overlay.get(&edge("c1", "f2")), overlay.get(&edge("c2", "f2")), overlay.len()), (-7, 0, 2));
        overlay.set(&edge("c1", "f1"), 0);
        overlay.set(&edge("c1", "f2"), 0);
        assert_eq!(overlay, Overlay::default());
        assert_eq!(overlay.fingerprint(), Overlay::default().fingerprint());
    }

    #[test]
    fn a_fingerprint_tells_overlays_apart() {
        let of = |edges: &[(&str, &str, i32)]| {
            let mut overlay = Overlay::default();
            edges.iter().for_each(|(c, f, micros)| overlay.set(&edge(c, f), *micros));
            overlay.fingerprint()
        };
        let prints = [of(&[]), of(&[("c1", "f1", 1)]), of(&[("c1", "f1", -1)]), of(&[("c1f", "1", 1)])];
        for (i, print) in prints.iter().enumerate() {
            assert!(print.len() == 16 && !prints.iter().skip(i + 1).any(|other| other == print), "{prints:?}");
        }
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        let mut overlay = Overlay::default();
        overlay.set(&edge("c1", "f1"), i32::MIN);
        overlay.set(&edge("c2", "f1"), i32::MAX);
        let text = serde_json::to_string(&overlay).unwrap();
        assert_eq!(serde_json::from_str::<Overlay>(&text).unwrap(), overlay);
    }
}
