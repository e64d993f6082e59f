//! Loads a pack: reads every file, then resolves; reports every mistake with its place.

use std::collections::BTreeMap;

use crate::raw::{RawAmbiguity, RawCondition, RawFinding, RawHerb, RawPassage, RawSafety, RawSubstance};
pub use crate::read::Lined;
use crate::read::{json_lines, required_toml, utf8};
use crate::voice::Voice;
use crate::{Digest, Locale, Manifest, Pack, PackError, PackErrors, PackFiles, passages, prompts, resolve, toml_lines};

/// Everything that the tables of a pack say, before references are resolved.
pub struct RawPack {
    pub manifest: Manifest,
    pub findings: Vec<Lined<RawFinding>>,
    pub ambiguities: Vec<Lined<RawAmbiguity>>,
    pub conditions: Vec<Lined<RawCondition>>,
    pub herbs: Vec<Lined<RawHerb>>,
    pub substances: Vec<Lined<RawSubstance>>,
    pub safety: RawSafety,
    pub passages: Vec<(String, RawPassage)>,
}

impl Pack {
    /// Loads and validates a pack.
    ///
    /// # Errors
    /// Every mistake in it: file, line, field, what was expected and what was found. While a
    /// row cannot be read at all, references are not looked at: it would be missed by others.
    pub fn load(files: &PackFiles) -> Result<Self, PackErrors> {
        let mut errors = Vec::new();
        let pack = load(files, &mut errors);
        match pack {
            Some(pack) if errors.is_empty() => Ok(pack),
            _ => {
                toml_lines::locate(files, &mut errors);
                Err(PackErrors::sorted(errors))
            }
        }
    }

    /// Loads the pack in a folder.
    ///
    /// # Errors
    /// When the folder cannot be read, and as [`Pack::load`].
    pub fn load_dir(dir: &std::path::Path) -> Result<Self, PackErrors> {
        Self::load(&PackFiles::from_dir(dir)?)
    }
}

/// `None` only beside an error.
fn load(files: &PackFiles, errors: &mut Vec<PackError>) -> Option<Pack> {
    let raw = read_tables(files, errors)?;
    let readable = errors.is_empty();
    strangers(files, &raw.manifest.locales, errors);
    let voices = read_voices(files, &raw.manifest.locales, errors);
    let prompts = prompts::read(files, &raw.manifest.locales, errors);
    if !readable {
        return None;
    }
    match resolve::resolve(raw, (voices, prompts), Digest::of(files)) {
        Ok(pack) => Some(pack),
        Err(found) => {
            errors.extend(found);
            None
        }
    }
}

fn read_tables(files: &PackFiles, errors: &mut Vec<PackError>) -> Option<RawPack> {
    let manifest: Option<Manifest> = required_toml(files, "pack.toml", errors);
    let findings = json_lines(files, "findings.jsonl", true, errors);
    let ambiguities = json_lines(files, "ambiguities.jsonl", false, errors);
    let conditions = json_lines(files, "conditions.jsonl", true, errors);
    let herbs = json_lines(files, "herbs.jsonl", false, errors);
    let substances = json_lines(files, "substances.jsonl", false, errors);
    let safety = match files.get("safety.toml") {
        Some(_) => required_toml(files, "safety.toml", errors),
        None => Some(RawSafety::default()),
    };
    let mut all_passages = Vec::new();
    for (path, _) in files.iter().filter(|(path, _)| path.starts_with("knowledge/") && path.ends_with(".md")) {
        if let Some(text) = utf8(files, path, errors) {
            all_passages.extend(passages::parse(path, text, errors).into_iter().map(|p| (path.to_owned(), p)));
        }
    }
    Some(RawPack {
        manifest: manifest?,
        findings,
        ambiguities,
        conditions,
        herbs,
        substances,
        safety: safety?,
        passages: all_passages,
    })
}

/// The voices of all locales; none without a `voice/` folder (a pack that only scores needs none).
fn read_voices(files: &PackFiles, locales: &[Locale], errors: &mut Vec<PackError>) -> BTreeMap<Locale, Voice> {
    if !files.iter().any(|(path, _)| path.starts_with("voice/")) {
        return BTreeMap::new();
    }
    locales.iter().filter_map(|&locale| Some((locale, read_voice(files, locale, errors)?))).collect()
}

fn read_voice(files: &PackFiles, locale: Locale, errors: &mut Vec<PackError>) -> Option<Voice> {
    let path = |agent: &str| format!("voice/{locale}/{agent}.toml");
    let guidance = required_toml(files, &path("guidance"), errors);
    let expert = required_toml(files, &path("expert"), errors);
    let empathy = required_toml(files, &path("empathy"), errors);
    let orchestrator = required_toml(files, &path("orchestrator"), errors);
    Some(Voice { guidance: guidance?, expert: expert?, empathy: empathy?, orchestrator: orchestrator? })
}

/// Tables and voices that nothing reads. A misspelled `safety.toml` would otherwise be a pack
/// without red flags.
fn strangers(files: &PackFiles, locales: &[Locale], errors: &mut Vec<PackError>) {
    const TABLES: [&str; 7] = [
        "pack.toml",
        "findings.jsonl",
        "ambiguities.jsonl",
        "conditions.jsonl",
        "herbs.jsonl",
        "substances.jsonl",
        "safety.toml",
    ];
    const AGENTS: [&str; 4] = ["guidance.toml", "expert.toml", "empathy.toml", "orchestrator.toml"];
    for (path, _) in files.iter().filter(|(path, _)| path.ends_with(".toml") || path.ends_with(".jsonl")) {
        let known = match path.strip_prefix("voice/").map(|voice| voice.split_once('/')) {
            Some(Some((tag, file))) => locales.iter().any(|l| l.tag() == tag) && AGENTS.contains(&file),
            Some(None) => false,
            None => path.contains('/') || TABLES.contains(&path),
        };
        if !known {
            let expected = format!("{}, or voice/LOCALE/ with {}", TABLES.join(", "), AGENTS.join(", "));
            errors.push(PackError::whole(path, &expected, "a file that nothing reads"));
        }
    }
}
