//! Checks of `pack.toml` that concern more than one field.

use std::collections::BTreeSet;

use crate::resolve::is_id;
use crate::{Manifest, PackError};

pub fn validate(manifest: &Manifest, errors: &mut Vec<PackError>) {
    let mut require = |ok: bool, field: &str, expected: &str, found: String| {
        if !ok {
            errors.push(PackError {
                file: "pack.toml".into(),
                line: None,
                field: field.into(),
                expected: expected.into(),
                found,
            });
        }
    };
    let (d, g) = (&manifest.dialogue, &manifest.grades);
    require(is_id(&manifest.id), "id", "an id of the form [a-z][a-z0-9_]*", format!("`{}`", manifest.id));
    require(is_version(&manifest.version), "version", "a version such as 1.0.0", format!("`{}`", manifest.version));
    require(!manifest.locales.is_empty(), "locales", "at least one locale", "none".into());
    let distinct = manifest.locales.iter().collect::<BTreeSet<_>>().len();
    require(distinct == manifest.locales.len(), "locales", "each locale once", "one of them twice".into());
    require(
        (1..=3).contains(&d.findings_per_question),
        "dialogue.findings_per_question",
        "1 to 3",
        d.findings_per_question.to_string(),
    );
    require((1..=50).contains(&d.max_rounds), "dialogue.max_rounds", "1 to 50", d.max_rounds.to_string());
    for (field, p) in [
        ("dialogue.stop_posterior", d.stop_posterior),
        ("dialogue.abstain_posterior", d.abstain_posterior),
        ("dialogue.dopi_epsilon", d.dopi_epsilon),
        ("dialogue.dopi_sigma_decay", d.dopi_sigma_decay),
        ("grades.chief", g.chief),
        ("grades.common", g.common),
        ("grades.occasional", g.occasional),
    ] {
        require(p > 0.0 && p < 1.0, field, "a number strictly between 0 and 1", p.to_string());
    }
    for (field, x) in [("dialogue.min_gain_bits", d.min_gain_bits), ("dialogue.dopi_sigma", d.dopi_sigma)] {
        require(x >= 0.0 && x.is_finite(), field, "a number not below 0", x.to_string());
    }
    require(
        d.abstain_posterior <= d.stop_posterior,
        "dialogue.abstain_posterior",
        "a number not above stop_posterior",
        format!("{} > {}", d.abstain_posterior, d.stop_posterior),
    );
    let ordered = g.chief > g.common && g.common > g.occasional;
    require(ordered, "grades", "chief > common > occasional", format!("{} / {} / {}", g.chief, g.common, g.occasional));
    let days = manifest.release.retention_days;
    require((1..=3650).contains(&days), "release.retention_days", "1 to 3650", days.to_string());
}

/// Three numbers between dots, and perhaps a pre-release after a hyphen.
fn is_version(version: &str) -> bool {
    let core = version.split_once('-').map_or(version, |(core, _)| core);
    let mut numbers = core.split('.');
    let three = numbers.by_ref().take(3).filter(|part| part.parse::<u32>().is_ok()).count() == 3;
    three && numbers.next().is_none()
}
