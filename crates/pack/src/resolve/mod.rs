//! Turns ids into indices and checks what single fields cannot: references, ranges, uniqueness, contradictions.
//!
//! Every table has its file here; all of them report through one [`Check`], so that a pack
//! with several mistakes shows all of them at once.

mod check;
mod conditions;
mod edges;
mod findings;
mod herbs;
mod ids;
mod passages;
mod relations;
mod safety;
mod sayings;
mod substances;

use std::collections::BTreeMap;

use crate::load::RawPack;
use crate::voice::Voice;
use crate::{Digest, Locale, Pack, PackError, Prompts};

use check::Check;
use conditions::Known;
pub use ids::is_id;

/// The pack of `raw`, or every mistake in it.
pub fn resolve(
    raw: RawPack,
    (voices, prompts): (BTreeMap<Locale, Voice>, Option<Prompts>),
    digest: Digest,
) -> Result<Pack, Vec<PackError>> {
    let mut check = Check::new(&raw);
    crate::manifest::validate(&raw.manifest, &mut check.errors);
    check.unique_sayings(&raw.findings, &raw.ambiguities);

    let findings = check.findings(&raw.findings);
    let ambiguities = raw.ambiguities.into_iter().map(|(line, a)| check.ambiguity(line, a)).collect();
    let herbs: Vec<_> = raw.herbs.into_iter().map(|(line, h)| check.herb(line, h)).collect();
    let substances = check.substances(raw.substances);
    let incompatible = check.incompatible(&raw.safety.incompatible);
    let known = Known { findings: &findings, herbs: &herbs, incompatible: &incompatible, grades: raw.manifest.grades };
    let conditions: Vec<_> = raw.conditions.into_iter().map(|(line, c)| check.condition(line, c, &known)).collect();
    let safety = check.safety(raw.safety);
    let passages = check.passages(raw.passages);

    let Check { findings: finding_ids, conditions: condition_ids, herbs: herb_ids, errors, .. } = check;
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(Pack {
        findings,
        ambiguities,
        conditions,
        herbs,
        incompatible,
        substances,
        safety,
        passages,
        voices,
        prompts,
        digest,
        finding_ids,
        condition_ids,
        herb_ids,
        manifest: raw.manifest,
    })
}
