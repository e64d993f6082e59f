//! What one consultation teaches, once a clinician has confirmed its outcome. No id, no token, no word of a patient.

use serde::{Deserialize, Serialize};

use super::overlay::EdgeId;

/// The most that one proposal may shift an edge, in millionths of a nat, either way.
pub const MOST_MICROS: i32 = 100_000;
/// Edges of one consultation, at most.
pub const MOST_EDGES: usize = 64;

/// Why an edge is to be shifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Present, though held for absent.
    UnexpectedPresence,
    /// Denied, though held for present.
    UnexpectedDenial,
    /// Asked for and present, as expected.
    ExpectedPresence,
    /// Asked for and denied, as expected.
    ExpectedDenial,
}

/// A proposal: one edge is to be shifted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Change {
    /// The edge.
    #[serde(flatten)]
    pub edge: EdgeId,
    /// By how much, in millionths of a nat of log odds.
    pub micros: i32,
    /// Why.
    pub reason: Reason,
}

/// The proposals of one consultation. They wait, and are applied, together; a consultation teaches once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Feedback {
    /// Digest of the pack.
    pub pack: String,
    /// The epoch that the consultation was scored with.
    pub epoch: u64,
    /// SHA-256 that stands for the consultation, 64 hexadecimal digits.
    pub consultation: String,
    /// Name of the key of the clinician who confirmed the outcome.
    pub confirmed_by: String,
    /// When, in milliseconds since 1970.
    pub confirmed_at_ms: u64,
    /// The proposals, each edge once.
    pub changes: Vec<Change>,
}
