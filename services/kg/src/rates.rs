//! From textbook weights to a consistent probability model.
//!
//! A pack states P(finding | condition) edge by edge, and a base rate for all the rest. Those
//! numbers need not fit together: a condition may list a finding and not its parent. Here
//! they are made to fit, once per pack, as conditional rates: q = P(finding present | its
//! parent present, condition), for a finding without parent q = P(finding | condition). Then
//! - P(child | c) = P(parent | c) · q, so that nothing is counted twice along a line of parents;
//! - the values of one axis never add up to more than one;
//! - what excludes a listed finding gets rarer, what implies one gets commoner.

use std::collections::BTreeMap;

use wenzhen_pack::{ConditionIx, Edge, FindingIx, Pack};

use crate::graph::Graph;

/// No rate is nearer to 0 or 1 than this: no single answer may prove or rule out anything.
const EDGE_OF_CERTAINTY: f64 = 0.03;
/// Base rates may be smaller than the rates of what is listed.
const LEAST_RATE: f64 = 0.002;
/// However many listed findings exclude another one, it becomes at most four times rarer.
const LEAST_BY_EXCLUSION: f64 = 0.25;

/// Rates of one condition, or of the reference population, by finding.
#[derive(Debug, Clone)]
pub struct Rates {
    /// P(present | parent present, c); without parent P(present | c).
    pub given_parent: Vec<f64>,
    /// P(present | c).
    pub marginal: Vec<f64>,
}

/// What was learned about the edges of one condition: by finding, the change of the log odds of its weight, in nats.
pub type Shifts = BTreeMap<FindingIx, f64>;

/// A probability whose log odds are moved by so many nats.
pub fn shifted(probability: f64, nats: f64) -> f64 {
    let p = probability.clamp(LEAST_RATE, 1.0 - LEAST_RATE);
    let odds = p / (1.0 - p) * nats.exp();
    odds / (1.0 + odds)
}

/// What the rates of all conditions share.
pub struct Frame<'a> {
    pack: &'a Pack,
    graph: &'a Graph,
    order: Vec<FindingIx>,
    /// Values of one axis under one parent.
    axes: BTreeMap<(FindingIx, &'a str), Vec<FindingIx>>,
    /// Default rate of a child under its parent; the base rate of a finding without parent.
    share: Vec<f64>,
}

impl<'a> Frame<'a> {
    /// Prepares a pack.
    pub fn new(pack: &'a Pack, graph: &'a Graph) -> Self {
        let mut axes: BTreeMap<(FindingIx, &str), Vec<FindingIx>> = BTreeMap::new();
        for (i, finding) in pack.findings.iter().enumerate() {
            if let (Some(parent), Some(axis)) = (finding.parent, finding.axis.as_deref()) {
                axes.entry((parent, axis)).or_default().push(FindingIx::new(i));
            }
        }
        let base = |f: FindingIx| pack.findings.get(f.at()).map_or(0.5, |f| f.base_rate);
        let mut share: Vec<f64> = pack
            .findings
            .iter()
            .map(|f| f.parent.map_or(f.base_rate, |p| (f.base_rate / base(p)).clamp(EDGE_OF_CERTAINTY, 0.9)))
            .map(|rate| rate.clamp(LEAST_RATE, 1.0 - EDGE_OF_CERTAINTY))
            .collect();
        for values in axes.values() {
            let sum: f64 = values.iter().filter_map(|v| share.get(v.at())).sum();
            scale(&mut share, values, (0.95 / sum).min(1.0));
        }
        Self { pack, graph, order: graph.parents_first(), axes, share }
    }

    /// The rates among people who come with something else.
    pub fn reference(&self) -> Rates {
        self.with_marginals(self.share.clone())
    }

    /// The rates under a condition, with what was learned about its edges.
    pub fn of(&self, condition: ConditionIx, shifts: &Shifts) -> Rates {
        let mut listed = self.listed(condition);
        if !shifts.is_empty() {
            // An edge that the pack does not list is shifted from where the rest of the pack puts it.
            let written = self.fitted(&listed);
            for (f, nats) in shifts {
                let weight = listed.get(f).copied().unwrap_or_else(|| at(&written.marginal, *f));
                listed.insert(*f, shifted(weight, *nats));
            }
        }
        self.fitted(&listed)
    }

    /// Rates that fit together, with what is listed as it is wherever it can be.
    fn fitted(&self, listed: &BTreeMap<FindingIx, f64>) -> Rates {
        let least = self.least(listed);
        let mut rates = Rates { given_parent: self.share.clone(), marginal: vec![0.0; self.share.len()] };
        for &f in &self.order {
            let Some(finding) = self.pack.findings.get(f.at()) else { continue };
            let parent = finding.parent.and_then(|p| rates.marginal.get(p.at()).copied()).unwrap_or(1.0);
            let share = at(&self.share, f);
            let wanted = match listed.get(&f) {
                // Listed as commoner than elsewhere: also under its parent it is no rarer than elsewhere.
                Some(w) if *w >= finding.base_rate => (w.max(at(&least, f)) / parent).max(share),
                Some(w) => w.max(at(&least, f)) / parent,
                None => (share * self.bend(f, listed)).max(at(&least, f) / parent),
            };
            let q = wanted.clamp(LEAST_RATE.min(share), 1.0 - EDGE_OF_CERTAINTY);
            set(&mut rates.given_parent, f, q);
            set(&mut rates.marginal, f, q * parent);
        }
        self.fit_axes(&mut rates.given_parent, listed);
        self.with_marginals(rates.given_parent)
    }

    /// Weights of the listed findings. A textbook's expected denial of strength s says that the
    /// finding is (1 - s) times as frequent as elsewhere, never that it is frequent.
    fn listed(&self, condition: ConditionIx) -> BTreeMap<FindingIx, f64> {
        let weight = |edge: &Edge| {
            let base = self.pack.findings.get(edge.finding.at()).map_or(0.5, |f| f.base_rate);
            if edge.expects_denial { edge.present * base } else { edge.present }
        };
        self.graph.shown_by(condition).into_iter().map(|(f, edge)| (f, weight(&edge))).collect()
    }

    /// The least marginal rate of each finding, from what is listed below it: a parent is as
    /// frequent as any child, and as all values of one axis together.
    fn least(&self, listed: &BTreeMap<FindingIx, f64>) -> Vec<f64> {
        let mut least = vec![0.0_f64; self.share.len()];
        for &f in self.order.iter().rev() {
            let raised = listed.get(&f).copied().filter(|w| *w >= at(&self.share, f)).unwrap_or(0.0);
            let own = at(&least, f).max(raised).min(1.0 - EDGE_OF_CERTAINTY);
            set(&mut least, f, own);
            let Some((parent, axis)) =
                self.pack.findings.get(f.at()).and_then(|x| Some((x.parent?, x.axis.as_deref())))
            else {
                continue;
            };
            let siblings = axis
                .and_then(|a| self.axes.get(&(parent, a)))
                .map_or(0.0, |values| values.iter().filter(|v| **v != f).map(|v| at(&least, *v)).sum());
            let needed = at(&least, parent).max((own + siblings).min(1.0 - EDGE_OF_CERTAINTY));
            set(&mut least, parent, needed);
        }
        least
    }

    /// How much commoner or rarer an unlisted finding is because of what is listed.
    fn bend(&self, f: FindingIx, listed: &BTreeMap<FindingIx, f64>) -> f64 {
        let Some(finding) = self.pack.findings.get(f.at()) else { return 1.0 };
        let base = |g: FindingIx| self.pack.findings.get(g.at()).map_or(0.5, |x| x.base_rate);
        let rarer: f64 = finding
            .excludes
            .iter()
            .filter(|g| !self.same_axis(f, **g))
            .filter_map(|g| listed.get(g).map(|w| ((1.0 - w) / (1.0 - base(*g))).min(1.0)))
            .product();
        let implied = finding.implies.iter().filter(|g| Some(**g) != finding.parent);
        let commoner = implied.filter_map(|g| listed.get(g).map(|w| w / base(*g))).fold(1.0, f64::max);
        rarer.max(LEAST_BY_EXCLUSION) * commoner
    }

    fn same_axis(&self, a: FindingIx, b: FindingIx) -> bool {
        let key = |f: FindingIx| self.pack.findings.get(f.at()).map(|x| (x.parent, x.axis.as_deref()));
        matches!((key(a), key(b)), (Some((p, Some(x))), Some((r, Some(y)))) if p == r && x == y)
    }

    /// Values of an axis share one categorical: what is listed keeps its rate as long as there
    /// is room, the rest shares what is left in the usual proportions.
    fn fit_axes(&self, q: &mut [f64], listed: &BTreeMap<FindingIx, f64>) {
        for values in self.axes.values() {
            let (known, rest): (Vec<FindingIx>, Vec<FindingIx>) = values.iter().partition(|v| listed.contains_key(v));
            if known.is_empty() {
                continue;
            }
            let sum = |of: &[FindingIx], rates: &[f64]| of.iter().map(|v| at(rates, *v)).sum::<f64>();
            let taken = sum(&known, q);
            let room = 1.0 - EDGE_OF_CERTAINTY;
            if taken > room {
                scale(q, &known, room / taken);
            }
            let left = (1.0 - sum(&known, q)).max(EDGE_OF_CERTAINTY);
            let usual = (1.0 - sum(&known, &self.share)).max(EDGE_OF_CERTAINTY);
            scale(q, &rest, (left / usual).min(1.0));
        }
    }

    fn with_marginals(&self, given_parent: Vec<f64>) -> Rates {
        let mut marginal = given_parent.clone();
        for &f in &self.order {
            let parent = self.pack.findings.get(f.at()).and_then(|x| x.parent);
            let above = parent.map_or(1.0, |p| at(&marginal, p));
            set(&mut marginal, f, above * at(&given_parent, f));
        }
        Rates { given_parent, marginal }
    }
}

fn at(values: &[f64], f: FindingIx) -> f64 {
    values.get(f.at()).copied().unwrap_or(0.0)
}

fn set(values: &mut [f64], f: FindingIx, value: f64) {
    if let Some(slot) = values.get_mut(f.at()) {
        *slot = value;
    }
}

fn scale(values: &mut [f64], of: &[FindingIx], factor: f64) {
    for f in of {
        set(values, *f, at(values, *f) * factor);
    }
}
