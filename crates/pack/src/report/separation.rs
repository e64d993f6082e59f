//! Which conditions a patient's answers can tell apart.

use serde::Serialize;

use crate::{Condition, FindingIx, Pack};

/// A finding separates two conditions well when its probability differs by this much: a chief
/// sign of one that is only usual in the other does, at the usual grades.
const WELL: f64 = 0.25;

/// Pairs need this many findings that separate them well.
const ENOUGH: usize = 2;

/// Two conditions and what tells them apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pair {
    /// Id of one condition.
    pub a: String,
    /// Id of the other.
    pub b: String,
    /// Ids of the askable findings that separate them well.
    pub separated_by: Vec<String>,
}

/// Pairs with identical askable signatures, and the other pairs that are hard to tell apart.
/// Pairs that sex or age tell apart are left out.
pub fn pairs(pack: &Pack) -> (Vec<Pair>, Vec<Pair>) {
    let signatures: Vec<Vec<(FindingIx, f64)>> = pack.conditions.iter().map(|c| signature(pack, c)).collect();
    let (mut identical, mut hard) = (Vec::new(), Vec::new());
    for (i, (a, of_a)) in pack.conditions.iter().zip(&signatures).enumerate() {
        for (b, of_b) in pack.conditions.iter().zip(&signatures).skip(i + 1) {
            if !a.gate.meets(&b.gate) {
                continue;
            }
            let separating = of_a.iter().zip(of_b).filter(|((_, p), (_, q))| (p - q).abs() >= WELL);
            let separated_by: Vec<String> =
                separating.filter_map(|((f, _), _)| pack.findings.get(f.at()).map(|f| f.id.clone())).collect();
            if separated_by.len() >= ENOUGH {
                continue;
            }
            let pair = Pair { a: a.id.clone(), b: b.id.clone(), separated_by };
            if of_a == of_b { identical.push(pair) } else { hard.push(pair) }
        }
    }
    (identical, hard)
}

/// P(present | condition) of every askable finding: the edge's, else the base rate; a parent is
/// at least as probable as what it is the parent of.
fn signature(pack: &Pack, condition: &Condition) -> Vec<(FindingIx, f64)> {
    let mut present: Vec<f64> = pack.findings.iter().map(|f| f.base_rate).collect();
    for edge in &condition.edges {
        if let Some(p) = present.get_mut(edge.finding.at()) {
            *p = edge.present;
        }
    }
    for edge in condition.edges.iter().filter(|edge| !edge.expects_denial) {
        let mut above = pack.findings.get(edge.finding.at()).and_then(|f| f.parent);
        while let Some(parent) = above {
            if let Some(p) = present.get_mut(parent.at()) {
                *p = p.max(edge.present);
            }
            above = pack.findings.get(parent.at()).and_then(|f| f.parent);
        }
    }
    let askable = pack.findings.iter().zip(present).enumerate().filter(|(_, (f, _))| f.askable());
    askable.map(|(i, (_, p))| (FindingIx::new(i), p)).collect()
}
