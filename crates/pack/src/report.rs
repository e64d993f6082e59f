//! What a loaded pack holds, and where it is thin. No mistakes: those keep a pack from loading.

mod display;
mod plan_words;
mod separation;
mod usage;

use std::collections::BTreeSet;

use serde::Serialize;

use crate::{CueRef, FindingIx, Pack, Profile};

pub use separation::Pair;

/// Sizes of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Findings.
    pub findings: usize,
    /// Findings that a patient can be asked for.
    pub askable: usize,
    /// Sayings of findings, without names, over all locales.
    pub sayings: usize,
    /// Ambiguous sayings' rows.
    pub ambiguities: usize,
    /// Conditions.
    pub conditions: usize,
    /// Edges between conditions and findings.
    pub edges: usize,
    /// Herbs.
    pub herbs: usize,
    /// Incompatible pairs.
    pub incompatible: usize,
    /// Cues.
    pub cues: usize,
    /// Red flags.
    pub red_flags: usize,
    /// Passages, over all locales.
    pub passages: usize,
    /// Locales with voices.
    pub voices: usize,
}

/// What `pack check` prints about a pack that loads. Ids, in file order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PackReport {
    /// The pack's id and version.
    pub pack: String,
    /// The digest, in hexadecimal.
    pub digest: String,
    /// Sizes.
    pub counts: Counts,
    /// Askable findings that bear on nothing that a condition, modification, cue or ambiguity names.
    pub unused_askable: Vec<String>,
    /// The same among findings that cannot be asked.
    pub unused_other: Vec<String>,
    /// Cues in no red flag.
    pub unused_cues: Vec<String>,
    /// The only value of its axis: a misspelled axis, or one too few.
    pub lonely_axis_values: Vec<String>,
    /// `condition: child > parent` where a child is held more frequent than its parent.
    pub child_above_parent: Vec<String>,
    /// Pairs of conditions that a patient's answers cannot tell apart: the same signature.
    pub identical: Vec<Pair>,
    /// Pairs with fewer than two askable findings that separate them well.
    pub hard_to_tell: Vec<Pair>,
    /// `condition: field.locale: name` of herb or formula names in texts for patients.
    pub plan_in_patient_texts: Vec<String>,
    /// A medical pack without red flags.
    pub no_red_flags: bool,
}

/// Looks over a loaded pack for what is allowed, but probably not meant.
pub fn check_report(pack: &Pack) -> PackReport {
    let used = usage::used(pack);
    let unused = |askable: bool| {
        let findings = pack.findings.iter().enumerate();
        findings
            .filter(|(i, f)| f.askable() == askable && !used.contains(&FindingIx::new(*i)))
            .map(|(_, f)| f.id.clone())
            .collect()
    };
    let (identical, hard_to_tell) = separation::pairs(pack);
    PackReport {
        pack: format!("{} {}", pack.manifest.id, pack.manifest.version),
        digest: pack.digest.to_string(),
        counts: counts(pack),
        unused_askable: unused(true),
        unused_other: unused(false),
        unused_cues: unused_cues(pack),
        lonely_axis_values: lonely_axis_values(pack),
        child_above_parent: child_above_parent(pack),
        identical,
        hard_to_tell,
        plan_in_patient_texts: plan_words::in_patient_texts(pack),
        no_red_flags: pack.manifest.profile == Profile::Medical && pack.safety.red_flags.is_empty(),
    }
}

fn counts(pack: &Pack) -> Counts {
    Counts {
        findings: pack.findings.len(),
        askable: pack.findings.iter().filter(|f| f.askable()).count(),
        sayings: pack.findings.iter().flat_map(|f| f.sayings.0.values()).map(Vec::len).sum(),
        ambiguities: pack.ambiguities.len(),
        conditions: pack.conditions.len(),
        edges: pack.conditions.iter().map(|c| c.edges.len()).sum(),
        herbs: pack.herbs.len(),
        incompatible: pack.incompatible.len(),
        cues: pack.safety.cues.len(),
        red_flags: pack.safety.red_flags.len(),
        passages: pack.passages.len(),
        voices: pack.voices.len(),
    }
}

fn unused_cues(pack: &Pack) -> Vec<String> {
    let used: BTreeSet<CueRef> =
        pack.safety.red_flags.iter().flat_map(|flag| flag.when.iter().flatten().copied()).collect();
    let cues = pack.safety.cues.iter().enumerate();
    cues.filter(|(i, _)| !used.contains(&CueRef::Cue(*i))).map(|(_, cue)| cue.id.clone()).collect()
}

fn lonely_axis_values(pack: &Pack) -> Vec<String> {
    let siblings =
        |f: &crate::Finding| pack.findings.iter().filter(|g| g.axis == f.axis && g.parent == f.parent).count();
    pack.findings.iter().filter(|f| f.axis.is_some() && siblings(f) == 1).map(|f| f.id.clone()).collect()
}

fn child_above_parent(pack: &Pack) -> Vec<String> {
    let mut found = Vec::new();
    for condition in &pack.conditions {
        for edge in condition.edges.iter().filter(|edge| !edge.expects_denial) {
            let Some(child) = pack.findings.get(edge.finding.at()) else { continue };
            let parent = condition.edges.iter().find(|other| Some(other.finding) == child.parent);
            if let Some(parent) = parent.filter(|parent| parent.present < edge.present)
                && let Some(above) = pack.findings.get(parent.finding.at())
            {
                found.push(format!("{}: {} > {}", condition.id, child.id, above.id));
            }
        }
    }
    found
}
