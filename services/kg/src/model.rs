//! A pack made ready for scoring.

use std::collections::BTreeMap;
use std::sync::Arc;

use wenzhen_pack::{ConditionIx, FindingIx, Pack};

use crate::graph::Graph;
use crate::rates::Shifts;
use crate::sparse::Sparse;
use crate::weights::overlay::{MICROS_PER_NAT, Overlay};

/// A pack with its graph and the tables derived from it, in one weight epoch. Built once, then only read.
#[derive(Debug, Clone)]
pub struct Model {
    structure: Arc<Structure>,
    sparse: Sparse,
    norms: Vec<f64>,
}

/// What all epochs of a pack share.
#[derive(Debug)]
struct Structure {
    pack: Arc<Pack>,
    graph: Graph,
    children_first: Vec<FindingIx>,
    implied: Vec<Vec<FindingIx>>,
}

impl Model {
    /// Prepares a pack as it is written: epoch 0.
    pub fn new(pack: Arc<Pack>) -> Self {
        let graph = Graph::new(&pack);
        let mut children_first = graph.parents_first();
        children_first.reverse();
        let implied = (0..pack.findings.len()).map(|f| graph.implied_by(FindingIx::new(f))).collect();
        Self::over(Arc::new(Structure { pack, graph, children_first, implied }), &BTreeMap::new())
    }

    /// The same pack with what was learned. Edges that it does not know are passed over.
    pub fn with(&self, overlay: &Overlay) -> Self {
        let mut learned: BTreeMap<ConditionIx, Shifts> = BTreeMap::new();
        for (condition, finding, micros) in overlay.iter() {
            if let (Some(c), Some(f)) = (self.pack().condition(condition), self.pack().finding(finding)) {
                learned.entry(c).or_default().insert(f, f64::from(micros) / MICROS_PER_NAT);
            }
        }
        Self::over(self.structure.clone(), &learned)
    }

    fn over(structure: Arc<Structure>, learned: &BTreeMap<ConditionIx, Shifts>) -> Self {
        let pack = &structure.pack;
        let sparse = Sparse::new(pack, &structure.graph, learned);
        let norm = |c| sparse.of_condition(ConditionIx::new(c)).iter().map(|e| e.weight * e.weight).sum::<f64>().sqrt();
        let norms = (0..pack.conditions.len()).map(norm).collect();
        Self { structure, sparse, norms }
    }

    /// The pack.
    pub fn pack(&self) -> &Pack {
        &self.structure.pack
    }

    /// The graph.
    pub fn graph(&self) -> &Graph {
        &self.structure.graph
    }

    /// The scoring tables.
    pub fn sparse(&self) -> &Sparse {
        &self.sparse
    }

    /// P(finding present | condition), as it is scored with.
    pub fn rate(&self, condition: ConditionIx, finding: FindingIx) -> f64 {
        let own = self.sparse.entry(condition, finding).map(|entry| entry.marginal.rate);
        own.or_else(|| self.sparse.reference(finding).map(|usual| usual.marginal.rate)).unwrap_or(0.5)
    }

    /// All findings, every child before its parent.
    pub fn children_first(&self) -> &[FindingIx] {
        &self.structure.children_first
    }

    /// What a finding implies beside its own line of parents.
    pub fn implied_by(&self, finding: FindingIx) -> &[FindingIx] {
        self.structure.implied.get(finding.at()).map_or(&[], Vec::as_slice)
    }

    /// Euclidean length of a condition's vector (DoPI, equation 2).
    pub fn norm(&self, condition: ConditionIx) -> f64 {
        self.norms.get(condition.at()).copied().unwrap_or(0.0)
    }

    /// All conditions.
    pub fn conditions(&self) -> impl Iterator<Item = ConditionIx> + use<> {
        (0..self.structure.pack.conditions.len()).map(ConditionIx::new)
    }
}
