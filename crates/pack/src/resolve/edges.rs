//! The findings of a condition: strengths, and expectations that cannot hold together.

use std::collections::BTreeMap;

use crate::raw::{Expect, Grade, RawEdge};
use crate::{Edge, FindingIx, Gate, Grades};

use super::check::{At, Check};
use super::conditions::Known;
use super::relations::ancestors;

impl Check {
    pub fn edges(&mut self, at: At<'_>, rows: &[RawEdge], gate: Gate, known: &Known<'_>) -> Vec<Edge> {
        if rows.is_empty() {
            self.fail(at, "findings", "at least one finding", "none");
        }
        let mut rows_of: Vec<(usize, Edge)> = Vec::new();
        let mut by_finding: BTreeMap<FindingIx, Edge> = BTreeMap::new();
        for (i, row) in rows.iter().enumerate() {
            let Some(edge) = self.edge(at, i, row, known.grades) else { continue };
            if by_finding.insert(edge.finding, edge).is_some() {
                let found = format!("a second edge to `{}`", row.finding);
                self.fail(at, &format!("findings[{i}].finding"), "each finding once", found);
            }
            rows_of.push((i, edge));
        }
        for (i, edge) in &rows_of {
            if let Some(id) = outside_gate(gate, edge, known) {
                let expected = "a finding of the sex and age that the condition concerns";
                self.fail(at, &format!("findings[{i}].finding"), expected, format!("`{id}`"));
            }
            if let Some(found) = below_a_denial(edge, &by_finding, known) {
                self.fail(at, &format!("findings[{i}].expect"), "no presence below an expected denial", found);
            }
        }
        rows_of.into_iter().map(|(_, edge)| edge).collect()
    }

    fn edge(&mut self, at: At<'_>, i: usize, raw: &RawEdge, grades: Grades) -> Option<Edge> {
        let field = |name: &str| format!("findings[{i}].{name}");
        let finding = self.finding_ref(at, &field("finding"), &raw.finding)?;
        let strength = match (raw.grade, raw.p) {
            (Some(grade), None) => grade_strength(grades, grade),
            (None, Some(p)) => p,
            (None, None) => {
                self.fail(at, &field("grade"), "a grade or a probability p", "neither");
                return None;
            }
            (Some(_), Some(_)) => {
                self.fail(at, &field("grade"), "a grade or a probability p", "both");
                return None;
            }
        };
        if raw.p.is_some() {
            // A grade's strength is checked once, in pack.toml.
            self.probability(at, &field("p"), strength);
        }
        let expects_denial = raw.expect == Expect::Denied;
        let present = if expects_denial { 1.0 - strength } else { strength };
        Some(Edge { finding, present, expects_denial })
    }
}

/// A condition of one sex or age cannot show a finding of another: the finding's id. Gates
/// that nobody passes at all are reported where they stand.
fn outside_gate<'a>(gate: Gate, edge: &Edge, known: &Known<'a>) -> Option<&'a str> {
    let finding = known.findings.get(edge.finding.at())?;
    let sound = gate.meets(&gate) && finding.gate.meets(&finding.gate);
    (sound && !gate.meets(&finding.gate)).then_some(finding.id.as_str())
}

/// Child present means parent present, so a child cannot be expected below a denial that is.
fn below_a_denial(edge: &Edge, edges: &BTreeMap<FindingIx, Edge>, known: &Known<'_>) -> Option<String> {
    let denied = |f: &FindingIx| edges.get(f).is_some_and(|above| above.expects_denial);
    let above = ancestors(known.findings, edge.finding).find(denied).filter(|_| !edge.expects_denial)?;
    let id = |f: FindingIx| known.findings.get(f.at()).map_or("", |f| f.id.as_str());
    Some(format!("`{}` below `{}`", id(edge.finding), id(above)))
}

const fn grade_strength(grades: Grades, grade: Grade) -> f64 {
    match grade {
        Grade::Chief => grades.chief,
        Grade::Common => grades.common,
        Grade::Occasional => grades.occasional,
    }
}
