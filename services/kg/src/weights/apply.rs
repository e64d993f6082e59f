//! Applying feedback: proposals and an overlay in, the next overlay and its ledger out. Pure, and blind to the order
//! of the proposals.
//!
//! Four bounds, each on top of the one before, so that whatever is proposed by whoever the graph moves slowly, and
//! never far from the pack:
//! 1. one consultation: the sum of its shifts,
//! 2. one clinician and epoch: the sum over the edges of what her consultations come to, so that a stolen key is slow,
//! 3. one edge and epoch,
//! 4. one edge over its lifetime, against the pack.
//!
//! Where a sum is above its bound, all its parts are made smaller in proportion, rounded towards 0.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::feedback::{Feedback, Reason};
use super::overlay::{EdgeId, Overlay};

/// The bounds, in millionths of a nat of log odds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Sum of the sizes of one consultation's shifts.
    pub consultation: u32,
    /// Sum over the edges of the sizes of what one clinician's consultations come to in one epoch.
    pub clinician: u32,
    /// One edge in one epoch.
    pub edge: u32,
    /// One edge against the pack, ever.
    pub lifetime: u32,
}

impl Default for Bounds {
    /// 0.2, 4, 0.2 and 1 nat: odds change by a fifth at most per epoch, and by a factor of e at most ever.
    fn default() -> Self {
        Self { consultation: 200_000, clinician: 4_000_000, edge: 200_000, lifetime: 1_000_000 }
    }
}

/// What one clinician's confirmed outcomes said of an edge, for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Name of the clinician's key.
    pub confirmed_by: String,
    /// Why.
    pub reason: Reason,
    /// Proposals.
    pub proposals: u32,
    /// Their sum before any bound, in millionths of a nat.
    pub micros: i64,
}

/// A line of the ledger: one edge that moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The edge.
    #[serde(flatten)]
    pub edge: EdgeId,
    /// Where it stood, in millionths of a nat against the pack.
    pub before: i32,
    /// Where it stands now.
    pub after: i32,
    /// A bound made the change smaller.
    #[serde(default)]
    pub clamped: bool,
    /// Whose outcomes moved it; empty for a rollback.
    #[serde(default)]
    pub shares: Vec<Share>,
}

/// How many proposals came to what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Consultations that were taken.
    pub consultations: u32,
    /// Proposals whose edge moved.
    pub applied: u32,
    /// Those among them that a bound made smaller.
    pub clamped: u32,
    /// Proposals whose edge did not move.
    pub dropped: u32,
}

/// The next overlay and how it came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The next overlay.
    pub overlay: Overlay,
    /// The edges that moved, by id.
    pub ledger: Vec<Line>,
    /// Counts.
    pub counts: Counts,
}

/// Applies a batch of feedback. Of several that stand for the same consultation one counts, always the same one.
pub fn apply(before: &Overlay, batch: &[Feedback], bounds: &Bounds) -> Applied {
    let mut once: BTreeMap<&str, &Feedback> = BTreeMap::new();
    for feedback in batch {
        let kept = once.entry(&feedback.consultation).or_insert(feedback);
        *kept = (*kept).min(feedback);
    }
    let tally = Tally::new(once.values().copied(), bounds);
    let mut applied = Applied { overlay: before.clone(), ledger: Vec::new(), counts: Counts::default() };
    applied.counts.consultations = count(once.len());
    for (edge, wanted) in tally.edges {
        let (from, most) = (before.get(&edge), i64::from(bounds.lifetime));
        let step = wanted.micros.clamp(-i64::from(bounds.edge), i64::from(bounds.edge));
        // An edge that stands outside, because the bound was lowered, may come back at its own pace.
        let to = narrow((i64::from(from) + step).clamp((-most).min(from.into()), most.max(from.into())));
        let cut = i64::from(to) - i64::from(from) != wanted.micros;
        let proposals: u32 = wanted.shares.values().map(|share| share.proposals).sum();
        if to == from {
            applied.counts.dropped += proposals;
            continue;
        }
        applied.counts.applied += proposals;
        applied.counts.clamped += if cut { proposals } else { wanted.cut };
        applied.overlay.set(&edge, to);
        let shares = wanted.shares.into_values().collect();
        applied.ledger.push(Line { edge, before: from, after: to, clamped: cut || wanted.cut > 0, shares });
    }
    applied
}

/// The lines of the ledger that lead from one overlay to another, as a rollback does.
pub fn difference(from: &Overlay, to: &Overlay) -> Vec<Line> {
    let id = |condition: &str, finding: &str| EdgeId { condition: condition.to_owned(), finding: finding.to_owned() };
    let mut edges: Vec<EdgeId> = from.iter().chain(to.iter()).map(|(c, f, _)| id(c, f)).collect();
    edges.sort_unstable();
    edges.dedup();
    let line = |edge: EdgeId| {
        let (before, after) = (from.get(&edge), to.get(&edge));
        (before != after).then_some(Line { edge, before, after, clamped: false, shares: Vec::new() })
    };
    edges.into_iter().filter_map(line).collect()
}

/// What a batch wants of one edge, after the bounds on consultations and clinicians.
#[derive(Debug, Default)]
struct Wanted {
    micros: i64,
    /// Proposals that a bound on a consultation or a clinician made smaller.
    cut: u32,
    shares: BTreeMap<(String, Reason), Share>,
}

#[derive(Debug, Default)]
struct Tally {
    edges: BTreeMap<EdgeId, Wanted>,
}

impl Tally {
    fn new<'a>(batch: impl Iterator<Item = &'a Feedback>, bounds: &Bounds) -> Self {
        let mut tally = Self::default();
        let mut clinicians: BTreeMap<&str, BTreeMap<&EdgeId, Part>> = BTreeMap::new();
        for feedback in batch {
            let total: i64 = feedback.changes.iter().map(|c| i64::from(c.micros).abs()).sum();
            let net = clinicians.entry(&feedback.confirmed_by).or_default();
            for change in &feedback.changes {
                tally.share(feedback, &change.edge, change.reason, change.micros);
                let part = net.entry(&change.edge).or_default();
                part.micros += in_proportion(i64::from(change.micros), total, bounds.consultation);
                part.proposals += 1;
                part.cut += u32::from(total > i64::from(bounds.consultation));
            }
        }
        for net in clinicians.into_values() {
            let total: i64 = net.values().map(|part| part.micros.abs()).sum();
            for (edge, part) in net {
                let Some(wanted) = tally.edges.get_mut(edge) else { continue };
                wanted.micros += in_proportion(part.micros, total, bounds.clinician);
                wanted.cut += if total > i64::from(bounds.clinician) { part.proposals } else { part.cut };
            }
        }
        tally
    }

    fn share(&mut self, feedback: &Feedback, edge: &EdgeId, reason: Reason, micros: i32) {
        let shares = &mut self.edges.entry(edge.clone()).or_default().shares;
        let confirmed_by = &feedback.confirmed_by;
        let share = shares.entry((confirmed_by.clone(), reason)).or_insert_with(|| Share {
            confirmed_by: confirmed_by.clone(),
            reason,
            proposals: 0,
            micros: 0,
        });
        share.proposals += 1;
        share.micros += i64::from(micros);
    }
}

/// What one clinician's consultations come to on one edge.
#[derive(Debug, Default)]
struct Part {
    micros: i64,
    proposals: u32,
    cut: u32,
}

/// A part of a total that may be at most `most`, in proportion, rounded towards 0.
fn in_proportion(part: i64, total: i64, most: u32) -> i64 {
    if total <= i64::from(most) {
        return part;
    }
    let scaled = i128::from(part) * i128::from(most) / i128::from(total);
    // It is smaller than `part`, which is an i64.
    i64::try_from(scaled).unwrap_or(part)
}

fn narrow(micros: i64) -> i32 {
    i32::try_from(micros).unwrap_or(if micros > 0 { i32::MAX } else { i32::MIN })
}

pub(super) fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
