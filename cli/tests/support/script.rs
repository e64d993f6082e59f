//! Golden consultations as data files: what the patient says and what must come of it.

use std::collections::BTreeMap;
use std::fs;

use serde::Deserialize;

use super::vision::Shown;

/// One consultation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// The file's name without its ending.
    #[serde(skip)]
    pub name: String,
    /// What it shows.
    pub about: String,
    /// `zh` or `en` when the client says so beforehand.
    pub locale: Option<String>,
    /// `bayes-plain` or `dopi`; unset: the pack's.
    pub strategy: Option<String>,
    /// As `--patient` takes it.
    pub patient: Option<String>,
    /// Answers of the patient to questions, by finding: yes, no, unsure.
    #[serde(default)]
    pub answers: BTreeMap<String, Answer>,
    /// The answer to every other question.
    #[serde(default)]
    pub otherwise: Answer,
    /// The answer to the question for age and sex.
    pub person: Option<String>,
    /// The answer to the question for pregnancy.
    pub pregnancy: Option<String>,
    /// What happens, in order.
    pub steps: Vec<Step>,
    /// What the consultation comes to.
    #[serde(default)]
    pub end: End,
}

/// An answer to one finding.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It is so.
    Yes,
    /// It is not so.
    #[default]
    No,
    /// The patient does not know.
    Unsure,
}

/// One step.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The patient says this.
    pub say: Option<String>,
    /// The patient sends a photograph that shows this.
    pub photo: Option<Shown>,
    /// The patient answers the question that stands, so many times.
    pub answer: Option<u32>,
    /// The patient answers until the system stops asking.
    #[serde(default)]
    pub go_on: bool,
    /// The patient takes the last turn back.
    #[serde(default)]
    pub undo: bool,
    /// The clinician lowers or raises the urgency to this.
    pub urgency_set: Option<String>,
    /// What must be so after the last turn of the step.
    #[serde(default)]
    pub expect: Expect,
}

/// What must be so after a turn. Lists of findings are the least that must be there.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// One of these decisions: ask, clarify, ask_context, diagnose, abstain, escalate, hand_over, answer, redirect, end.
    #[serde(default)]
    pub decision: Vec<String>,
    /// The decision's short reason.
    pub reason: Option<String>,
    /// Present in the record.
    #[serde(default)]
    pub present: Vec<String>,
    /// Denied in the record.
    #[serde(default)]
    pub denied: Vec<String>,
    /// Unsure in the record.
    #[serde(default)]
    pub unsure: Vec<String>,
    /// In the record as over.
    #[serde(default)]
    pub past: Vec<String>,
    /// Not in the record as present (past ones do not count).
    #[serde(default)]
    pub hasnt: Vec<String>,
    /// Not in the record at all.
    #[serde(default)]
    pub silent: Vec<String>,
    /// routine, today, crisis, emergency.
    pub urgency: Option<String>,
    /// One of these red flags rose in this turn; an empty list: none did.
    pub flags: Option<Vec<String>>,
    /// The words hold one of these.
    #[serde(default)]
    pub says: Vec<String>,
    /// The words hold none of these.
    #[serde(default)]
    pub never_says: Vec<String>,
    /// The ambiguity that is clarified.
    pub ambiguity: Option<String>,
    /// The field of the person that is asked for.
    pub context: Option<String>,
    /// One of these emotions.
    #[serde(default)]
    pub emotion: Vec<String>,
    /// One of these: none, light, full.
    #[serde(default)]
    pub necessity: Vec<String>,
    /// Comforting words come first, or do not.
    pub preface: Option<bool>,
    /// What is known of the person, as `--patient` takes it.
    pub person: Option<String>,
    /// The reply's language.
    pub language: Option<String>,
}

/// What the consultation comes to.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// One of these is among the first three conditions.
    #[serde(default)]
    pub top3: Vec<String>,
    /// The system says that it cannot tell.
    #[serde(default)]
    pub abstains: bool,
    /// The plan holds none of these herbs.
    #[serde(default)]
    pub without_herbs: Vec<String>,
    /// The plan holds no herb that is forbidden in pregnancy.
    #[serde(default)]
    pub safe_in_pregnancy: bool,
    /// open, concluded, handed_over, ended.
    pub status: Option<String>,
}

/// All consultations, by name. `GOLDEN=name` picks those whose name holds it.
pub fn all() -> Vec<Script> {
    let only = std::env::var_os("GOLDEN").map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let folder = super::folder("../packs/tcm/tests/consultations");
    let mut scripts = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "json") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let mut script: Script = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        script.name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if script.name.contains(&only) {
            scripts.push(script);
        }
    }
    scripts.sort_by(|a, b| a.name.cmp(&b.name));
    scripts
}
