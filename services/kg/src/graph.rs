//! The knowledge graph of one pack: conditions, findings, and what relates them.
//!
//! The graph answers structural questions (what refines what, in which order, what a
//! condition shows). Scoring runs on the compact tables of [`crate::sparse`], which are
//! derived from it once per pack.

use std::collections::BTreeMap;

use petgraph::algo::toposort;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::{EdgeFiltered, EdgeRef};
use wenzhen_pack::{ConditionIx, Edge, FindingIx, Pack};

/// A node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Node {
    /// A condition of the pack.
    Condition(ConditionIx),
    /// A finding of the pack.
    Finding(FindingIx),
}

/// A directed edge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Relation {
    /// Condition to finding: P(finding present | condition).
    Shows {
        /// The weight w of the edge, 0 to 1.
        present: f64,
        /// The textbook expects the denial.
        expects_denial: bool,
    },
    /// Parent finding to the child that refines it.
    RefinedBy,
    /// Finding to a finding that it implies present.
    Implies,
    /// Finding to a finding that it excludes.
    Excludes,
}

/// The graph of a pack.
#[derive(Debug, Clone)]
pub struct Graph {
    graph: DiGraph<Node, Relation>,
    findings: Vec<NodeIndex>,
    conditions: Vec<NodeIndex>,
}

impl Graph {
    /// Builds the graph of a pack: one node per finding and condition.
    pub fn new(pack: &Pack) -> Self {
        let edges: usize = pack.conditions.iter().map(|c| c.edges.len()).sum();
        let mut graph = DiGraph::with_capacity(pack.findings.len() + pack.conditions.len(), edges);
        let findings: Vec<NodeIndex> =
            (0..pack.findings.len()).map(|i| graph.add_node(Node::Finding(FindingIx::new(i)))).collect();
        let conditions: Vec<NodeIndex> =
            (0..pack.conditions.len()).map(|i| graph.add_node(Node::Condition(ConditionIx::new(i)))).collect();
        let mut relate = |from: Option<&NodeIndex>, to: Option<&NodeIndex>, relation| {
            if let (Some(from), Some(to)) = (from, to) {
                graph.add_edge(*from, *to, relation);
            }
        };
        for (i, finding) in pack.findings.iter().enumerate() {
            let this = findings.get(i);
            if let Some(parent) = finding.parent {
                relate(findings.get(parent.at()), this, Relation::RefinedBy);
            }
            for other in &finding.implies {
                relate(this, findings.get(other.at()), Relation::Implies);
            }
            for other in &finding.excludes {
                relate(this, findings.get(other.at()), Relation::Excludes);
            }
        }
        for (i, condition) in pack.conditions.iter().enumerate() {
            for Edge { finding, present, expects_denial } in &condition.edges {
                let shows = Relation::Shows { present: *present, expects_denial: *expects_denial };
                relate(conditions.get(i), findings.get(finding.at()), shows);
            }
        }
        Self { graph, findings, conditions }
    }

    /// Findings with every parent before its children. A circle of parents, which no loaded
    /// pack has, would leave the file order.
    pub fn parents_first(&self) -> Vec<FindingIx> {
        let refining = EdgeFiltered::from_fn(&self.graph, |edge| matches!(edge.weight(), Relation::RefinedBy));
        let file_order = || (0..self.findings.len()).map(FindingIx::new).collect();
        toposort(&refining, None).map_or_else(
            |_| file_order(),
            |nodes| {
                let finding = |node| match self.graph.node_weight(node) {
                    Some(Node::Finding(f)) => Some(*f),
                    _ => None,
                };
                nodes.into_iter().filter_map(finding).collect()
            },
        )
    }

    /// What a condition shows, by finding.
    pub fn shown_by(&self, condition: ConditionIx) -> BTreeMap<FindingIx, Edge> {
        let mut shown = BTreeMap::new();
        let Some(node) = self.conditions.get(condition.at()) else { return shown };
        for edge in self.graph.edges(*node) {
            if let (Relation::Shows { present, expects_denial }, Some(Node::Finding(finding))) =
                (*edge.weight(), self.graph.node_weight(edge.target()).copied())
            {
                shown.insert(finding, Edge { finding, present, expects_denial });
            }
        }
        shown
    }

    /// Everything that a present finding makes present through `implies`, directly or not,
    /// with the parents of what is implied. Its own line of parents is not among them.
    pub fn implied_by(&self, finding: FindingIx) -> Vec<FindingIx> {
        let own = self.line_of_parents(finding);
        let mut found: Vec<FindingIx> = Vec::new();
        let mut open: Vec<FindingIx> = own.iter().copied().chain([finding]).collect();
        while let Some(at) = open.pop() {
            let implied = self.targets(at, |r| matches!(r, Relation::Implies));
            for next in implied.into_iter().flat_map(|f| self.line_of_parents(f).into_iter().chain([f])) {
                if next != finding && !own.contains(&next) && !found.contains(&next) {
                    found.push(next);
                    open.push(next);
                }
            }
        }
        found.sort_unstable();
        found
    }

    /// The parents above a finding, nearest first.
    pub fn line_of_parents(&self, finding: FindingIx) -> Vec<FindingIx> {
        let mut line = Vec::new();
        let mut at = finding;
        while let Some(parent) = self.parent(at).filter(|p| *p != finding && !line.contains(p)) {
            line.push(parent);
            at = parent;
        }
        line
    }

    fn parent(&self, finding: FindingIx) -> Option<FindingIx> {
        let node = self.findings.get(finding.at())?;
        self.graph
            .edges_directed(*node, petgraph::Direction::Incoming)
            .find(|edge| matches!(edge.weight(), Relation::RefinedBy))
            .and_then(|edge| self.as_finding(edge.source()))
    }

    fn targets(&self, finding: FindingIx, wanted: impl Fn(&Relation) -> bool) -> Vec<FindingIx> {
        let Some(node) = self.findings.get(finding.at()) else { return Vec::new() };
        self.graph
            .edges(*node)
            .filter(|edge| wanted(edge.weight()))
            .filter_map(|edge| self.as_finding(edge.target()))
            .collect()
    }

    fn as_finding(&self, node: NodeIndex) -> Option<FindingIx> {
        match self.graph.node_weight(node) {
            Some(Node::Finding(f)) => Some(*f),
            _ => None,
        }
    }
}
