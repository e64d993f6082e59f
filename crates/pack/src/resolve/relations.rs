//! How findings stand to each other: parents without circles, nothing at once implied and excluded.

use crate::load::Lined;
use crate::raw::RawFinding;
use crate::{Finding, FindingIx};

use super::check::{At, Check, FINDINGS};

impl Check {
    /// Checks the relations that each row states (before exclusion is spread over axes).
    pub fn relations(&mut self, rows: &[Lined<RawFinding>], findings: &[Finding]) {
        for (i, ((line, row), finding)) in rows.iter().zip(findings).enumerate() {
            let (at, own) = (At::line(FINDINGS, *line), FindingIx::new(i));
            let above: Vec<FindingIx> = ancestors(findings, own).collect();
            if above.contains(&own) {
                self.fail(at, "parent", "parents without a circle", format!("`{}` above itself", row.id));
            }
            for (field, others) in [("implies", &finding.implies), ("excludes", &finding.excludes)] {
                if others.contains(&own) {
                    self.fail(at, field, "other findings", format!("`{}` itself", row.id));
                }
            }
            for other in &finding.excludes {
                if above.contains(other) || finding.implies.contains(other) {
                    let id = findings.get(other.at()).map_or("", |f| f.id.as_str());
                    let expected = "findings that are neither above this one nor implied by it";
                    self.fail(at, "excludes", expected, format!("`{id}`"));
                }
            }
        }
    }
}

/// The parents above a finding, nearest first; ends where a circle closes.
pub fn ancestors(findings: &[Finding], of: FindingIx) -> impl Iterator<Item = FindingIx> {
    let parent = |f: FindingIx| findings.get(f.at()).and_then(|finding| finding.parent);
    // A line of parents cannot be longer than the table unless it runs in a circle.
    std::iter::successors(parent(of), move |f| parent(*f)).take(findings.len())
}

/// Exclusion holds both ways, and between all values of one axis under one parent.
pub fn exclude_both_ways(findings: &mut [Finding]) {
    let mut pairs = Vec::new();
    for (i, a) in findings.iter().enumerate() {
        pairs.extend(a.excludes.iter().map(|b| (FindingIx::new(i), *b)));
        for (j, b) in findings.iter().enumerate().skip(i + 1) {
            if a.axis.is_some() && a.axis == b.axis && a.parent == b.parent {
                pairs.push((FindingIx::new(i), FindingIx::new(j)));
            }
        }
    }
    for (a, b) in pairs.iter().flat_map(|&(a, b)| [(a, b), (b, a)]) {
        if let Some(finding) = findings.get_mut(a.at())
            && !finding.excludes.contains(&b)
        {
            finding.excludes.push(b);
        }
    }
}
