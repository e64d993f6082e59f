//! P(finding present | condition) for every pair, once per pack.

use wenzhen_pack::{Condition, ConditionIx, FindingIx, Pack};

/// No rate is nearer to 0 or 1: no single answer may prove or rule out anything.
const EDGE_OF_CERTAINTY: f64 = 0.02;

/// A dense table of rates.
#[derive(Debug)]
pub struct Rates {
    /// One row per condition, one column per finding.
    rows: Vec<Vec<f64>>,
    /// Base rates, for what is no condition of the pack.
    base: Vec<f64>,
}

impl Rates {
    /// Reads a pack.
    pub fn new(pack: &Pack) -> Self {
        let base: Vec<f64> = pack.findings.iter().map(|f| clamp(f.base_rate)).collect();
        let rows = pack.conditions.iter().map(|condition| row(pack, &base, condition)).collect();
        Self { rows, base }
    }

    /// P(finding present | condition), strictly between 0 and 1.
    pub fn present(&self, condition: ConditionIx, finding: FindingIx) -> f64 {
        let listed = self.rows.get(condition.at()).and_then(|row| row.get(finding.at()));
        listed.copied().unwrap_or_else(|| self.base(finding))
    }

    /// P(finding present) among people with something else.
    pub fn base(&self, finding: FindingIx) -> f64 {
        self.base.get(finding.at()).copied().unwrap_or(0.5)
    }
}

fn row(pack: &Pack, base: &[f64], condition: &Condition) -> Vec<f64> {
    let mut rates = base.to_vec();
    for edge in &condition.edges {
        if let Some(rate) = rates.get_mut(edge.finding.at()) {
            // A textbook's expected denial makes a finding rarer than elsewhere, never frequent.
            *rate = clamp(if edge.expects_denial { edge.present * *rate } else { edge.present });
        }
    }
    // A parent is at least as frequent as a listed child, all the way up.
    for edge in condition.edges.iter().filter(|edge| !edge.expects_denial) {
        let mut at = pack.findings.get(edge.finding.at()).and_then(|f| f.parent);
        // Parents form no circle; the bound is for packs built by hand.
        for _ in 0..pack.findings.len() {
            let Some(parent) = at else { break };
            if let Some(rate) = rates.get_mut(parent.at()) {
                *rate = rate.max(clamp(edge.present));
            }
            at = pack.findings.get(parent.at()).and_then(|f| f.parent);
        }
    }
    rates
}

fn clamp(rate: f64) -> f64 {
    rate.clamp(EDGE_OF_CERTAINTY, 1.0 - EDGE_OF_CERTAINTY)
}
