//! The compact tables that scoring runs on.
//!
//! Most findings are as frequent under most conditions as anywhere else. Only where a rate
//! differs from the reference population is there an [`Entry`]; the tables are compressed
//! rows both ways, with the logarithms taken beforehand. A posterior then costs one addition
//! per entry of each known finding, an expected gain one multiplication per entry.

use std::collections::BTreeMap;

use wenzhen_pack::{ConditionIx, Edge, FindingIx, Pack};

use crate::graph::Graph;
use crate::rates::{Frame, Rates, Shifts, shifted};

// Ratios of likelihoods are kept within these bounds, so that no single answer decides: a
// textbook sign may be missing, and an answer may be misunderstood.
const LEAST_DENIED_RATIO: f64 = 0.33;
const LEAST_PRESENT_RATIO: f64 = 0.1;
const MOST_PRESENT_RATIO: f64 = 20.0;

/// One way of looking at a finding: with its parent known present, or with nothing known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    /// P(present).
    pub rate: f64,
    /// Natural logarithm of the likelihood ratio of presence, against the reference.
    pub ln_present: f64,
    /// Natural logarithm of the likelihood ratio of denial, floored.
    pub ln_denied: f64,
    /// Binary entropy of the rate, in bits.
    pub entropy: f64,
}

impl View {
    fn new(rate: f64, reference: f64) -> Self {
        let present = (rate / reference).clamp(LEAST_PRESENT_RATIO, MOST_PRESENT_RATIO);
        let denied = denied_ratio(rate, reference);
        Self { rate, ln_present: present.ln(), ln_denied: denied.ln(), entropy: entropy_bits(rate) }
    }
}

/// Likelihood ratio of a denial, floored.
pub fn denied_ratio(rate: f64, reference: f64) -> f64 {
    ((1.0 - rate) / (1.0 - reference)).max(LEAST_DENIED_RATIO)
}

/// Binary entropy in bits; 0 at and outside the ends.
pub fn entropy_bits(p: f64) -> f64 {
    if p <= 0.0 || p >= 1.0 {
        return 0.0;
    }
    -(p * p.log2() + (1.0 - p) * (1.0 - p).log2())
}

/// Where a finding's rate under a condition differs from the reference population.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Entry {
    /// The condition.
    pub condition: ConditionIx,
    /// The finding.
    pub finding: FindingIx,
    /// Given that the parent is present (or there is no parent).
    pub given_parent: View,
    /// With nothing known of the parent.
    pub marginal: View,
    /// Weight of the condition's own edge in the pack; 0 where it has none or expects a denial.
    pub weight: f64,
}

/// A finding in the reference population.
#[derive(Debug, Clone, Copy)]
pub struct Reference {
    /// Given that the parent is present (or there is no parent).
    pub given_parent: View,
    /// With nothing known of the parent.
    pub marginal: View,
}

/// Compressed rows of entries, by finding and by condition.
#[derive(Debug, Clone)]
pub struct Sparse {
    by_finding: Rows,
    by_condition: Rows,
    references: Vec<Reference>,
}

#[derive(Debug, Clone, Default)]
struct Rows {
    starts: Vec<usize>,
    entries: Vec<Entry>,
}

impl Rows {
    /// Rows of `entries`, which are sorted by `row`.
    fn new(entries: Vec<Entry>, rows: usize, row: impl Fn(&Entry) -> usize) -> Self {
        let starts = (0..=rows).map(|i| entries.partition_point(|e| row(e) < i)).collect();
        Self { starts, entries }
    }

    fn row(&self, i: usize) -> &[Entry] {
        match (self.starts.get(i), self.starts.get(i + 1)) {
            (Some(from), Some(to)) => self.entries.get(*from..*to).unwrap_or_default(),
            _ => &[],
        }
    }
}

impl Sparse {
    /// Derives the tables from a pack's graph and what was learned about its edges, by condition.
    pub fn new(pack: &Pack, graph: &Graph, learned: &BTreeMap<ConditionIx, Shifts>) -> Self {
        let frame = Frame::new(pack, graph);
        let reference = frame.reference();
        let references: Vec<Reference> = (0..pack.findings.len())
            .map(|f| {
                let (q, m) = pair(&reference, f);
                Reference { given_parent: View::new(q, q), marginal: View::new(m, m) }
            })
            .collect();
        let (mut entries, nothing) = (Vec::new(), Shifts::new());
        for c in (0..pack.conditions.len()).map(ConditionIx::new) {
            let shifts = learned.get(&c).unwrap_or(&nothing);
            let (rates, shown) = (frame.of(c, shifts), graph.shown_by(c));
            for f in (0..pack.findings.len()).map(FindingIx::new) {
                let ((q, m), (q0, m0)) = (pair(&rates, f.at()), pair(&reference, f.at()));
                let weight = weight(shown.get(&f), shifts.get(&f).copied(), m);
                if weight > 0.0 || (q - q0).abs() > 1e-9 || (m - m0).abs() > 1e-9 {
                    entries.push(Entry {
                        condition: c,
                        finding: f,
                        given_parent: View::new(q, q0),
                        marginal: View::new(m, m0),
                        weight,
                    });
                }
            }
        }
        let by_condition = Rows::new(entries.clone(), pack.conditions.len(), |e| e.condition.at());
        entries.sort_by_key(|e| (e.finding, e.condition));
        let by_finding = Rows::new(entries, pack.findings.len(), |e| e.finding.at());
        Self { by_finding, by_condition, references }
    }

    /// The entries of a finding, by condition.
    pub fn of_finding(&self, finding: FindingIx) -> &[Entry] {
        self.by_finding.row(finding.at())
    }

    /// The entries of a condition, by finding.
    pub fn of_condition(&self, condition: ConditionIx) -> &[Entry] {
        self.by_condition.row(condition.at())
    }

    /// The entry of a pair.
    pub fn entry(&self, condition: ConditionIx, finding: FindingIx) -> Option<&Entry> {
        let row = self.of_condition(condition);
        row.binary_search_by_key(&finding, |e| e.finding).ok().and_then(|i| row.get(i))
    }

    /// A finding in the reference population.
    pub fn reference(&self, finding: FindingIx) -> Option<&Reference> {
        self.references.get(finding.at())
    }
}

/// The weight of a condition's own edge; one that was learned and that the pack does not list weighs what it is worth now.
fn weight(listed: Option<&Edge>, shift: Option<f64>, marginal: f64) -> f64 {
    match (listed, shift) {
        (Some(edge), _) if edge.expects_denial => 0.0,
        (Some(edge), None) => edge.present,
        (Some(edge), Some(nats)) => shifted(edge.present, nats),
        (None, Some(nats)) if nats > 0.0 => marginal,
        (None, _) => 0.0,
    }
}

fn pair(rates: &Rates, f: usize) -> (f64, f64) {
    let get = |values: &[f64]| values.get(f).copied().unwrap_or(0.5);
    (get(&rates.given_parent), get(&rates.marginal))
}
