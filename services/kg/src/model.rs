//! A pack made ready for scoring.

use std::sync::Arc;

use wenzhen_pack::{ConditionIx, FindingIx, Pack};

use crate::graph::Graph;
use crate::sparse::Sparse;

/// A pack with its graph and the tables derived from it. Built once per pack, then only read.
#[derive(Debug, Clone)]
pub struct Model {
    pack: Arc<Pack>,
    graph: Graph,
    sparse: Sparse,
    children_first: Vec<FindingIx>,
    implied: Vec<Vec<FindingIx>>,
    norms: Vec<f64>,
}

impl Model {
    /// Prepares a pack.
    pub fn new(pack: Arc<Pack>) -> Self {
        let graph = Graph::new(&pack);
        let sparse = Sparse::new(&pack, &graph);
        let mut children_first = graph.parents_first();
        children_first.reverse();
        let implied = (0..pack.findings.len()).map(|f| graph.implied_by(FindingIx::new(f))).collect();
        let norm = |c| sparse.of_condition(ConditionIx::new(c)).iter().map(|e| e.weight * e.weight).sum::<f64>().sqrt();
        let norms = (0..pack.conditions.len()).map(norm).collect();
        Self { pack, graph, sparse, children_first, implied, norms }
    }

    /// The pack.
    pub fn pack(&self) -> &Pack {
        &self.pack
    }

    /// The graph.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The scoring tables.
    pub fn sparse(&self) -> &Sparse {
        &self.sparse
    }

    /// All findings, every child before its parent.
    pub fn children_first(&self) -> &[FindingIx] {
        &self.children_first
    }

    /// What a finding implies beside its own line of parents.
    pub fn implied_by(&self, finding: FindingIx) -> &[FindingIx] {
        self.implied.get(finding.at()).map_or(&[], Vec::as_slice)
    }

    /// Euclidean length of a condition's vector (DoPI, equation 2).
    pub fn norm(&self, condition: ConditionIx) -> f64 {
        self.norms.get(condition.at()).copied().unwrap_or(0.0)
    }

    /// All conditions.
    pub fn conditions(&self) -> impl Iterator<Item = ConditionIx> + use<> {
        (0..self.pack.conditions.len()).map(ConditionIx::new)
    }
}
