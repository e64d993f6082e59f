//! `prompts/<locale>/*.toml`: what a language model is told, where an agent speaks through one.
//!
//! A template is text with placeholders such as `{text}`: a name of lower-case letters and `_` in braces. Other braces
//! are text, so that JSON and slots (`{{f1}}`) can stand in it. What fills a placeholder is never read again. The system
//! part has none: it is the same for everybody, so that an engine reads it once for all consultations.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::read::required_toml;
use crate::{Digest, Locale, PackError, PackFiles};

/// The prompts of a pack.
#[derive(Debug, Clone)]
pub struct Prompts {
    /// Twelve hexadecimal digits over all prompt files: another word in any of them is another version.
    pub version: String,
    locales: BTreeMap<Locale, Tasks>,
}

/// The prompts of one language.
#[derive(Debug, Clone)]
pub struct Tasks {
    /// Words to findings.
    pub interpret: Prompt,
    /// Findings to a question.
    pub ask: Prompt,
    /// The expert's draft.
    pub diagnose: Prompt,
    /// What a finished consultation teaches.
    pub review: Prompt,
    /// Feelings.
    pub assess: Prompt,
    /// Comfort around facts.
    pub modulate: ModulatePrompt,
}

/// One exchange with a model.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prompt {
    /// Who the model is and what it must keep to; the same for every request.
    pub system: String,
    /// The request, with its placeholders.
    pub user: String,
}

/// Rewriting has a request for each order of facts and comfort.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModulatePrompt {
    /// As [`Prompt::system`].
    pub system: String,
    /// A draft is rewritten.
    pub fact_to_empathy: String,
    /// Comfort alone, which will stand before the draft.
    pub empathy_to_fact: String,
    /// Facts and comfort are written in one go.
    pub single_stage: String,
}

/// Placeholders of a template: those that it must have, and those that it may have.
type Slots = (&'static [&'static str], &'static [&'static str]);

const INTERPRET: Slots = (&["text", "candidates"], &["asked"]);
const ASK: Slots = (&["question"], &["findings"]);
const DIAGNOSE: Slots = (&["draft", "facts"], &["findings", "conditions", "passages"]);
const REVIEW: Slots = (&["findings", "condition"], &["conditions"]);
const ASSESS: Slots = (&["text"], &["previous"]);
const FACT_TO_EMPATHY: Slots = (&["draft", "facts", "emotion"], &["intensity", "necessity", "subject"]);
const EMPATHY_TO_FACT: Slots = (&["emotion"], &["intensity", "necessity", "subject"]);
const SINGLE_STAGE: Slots = (&["facts", "emotion"], &["intensity", "necessity", "subject"]);

/// The files of a language.
const FILES: [&str; 6] = ["interpret", "ask", "diagnose", "review", "assess", "modulate"];

impl Prompts {
    /// The prompts of a language, else of any that there is.
    pub fn tasks(&self, locale: Locale) -> Option<&Tasks> {
        self.locales.get(&locale).or_else(|| self.locales.values().next())
    }
}

/// The prompts in all languages; `None` without a `prompts/` folder, which only a voice with a model needs, and beside
/// an error.
pub(crate) fn read(files: &PackFiles, locales: &[Locale], errors: &mut Vec<PackError>) -> Option<Prompts> {
    let own: PackFiles = files.iter().filter(|(path, _)| path.starts_with("prompts/")).collect();
    own.iter().next()?;
    for (path, _) in own.iter() {
        let known = locales.iter().any(|l| FILES.iter().any(|file| path == format!("prompts/{l}/{file}.toml")));
        if !known {
            let expected = format!("prompts/LOCALE/ with {}", FILES.map(|file| format!("{file}.toml")).join(", "));
            errors.push(PackError::whole(path, &expected, "a file that nothing reads"));
        }
    }
    let read: BTreeMap<_, _> = locales.iter().filter_map(|l| Some((*l, tasks(files, *l, errors)?))).collect();
    Some(Prompts { version: Digest::of(&own).short(), locales: read })
}

fn tasks(files: &PackFiles, locale: Locale, errors: &mut Vec<PackError>) -> Option<Tasks> {
    let mut prompt = |file: &str, slots: Slots| {
        let path = format!("prompts/{locale}/{file}.toml");
        let prompt: Prompt = required_toml(files, &path, errors)?;
        check(&path, "system", &prompt.system, (&[], &[]), errors);
        check(&path, "user", &prompt.user, slots, errors);
        Some(prompt)
    };
    let interpret = prompt("interpret", INTERPRET);
    let ask = prompt("ask", ASK);
    let diagnose = prompt("diagnose", DIAGNOSE);
    let review = prompt("review", REVIEW);
    let assess = prompt("assess", ASSESS);
    let path = format!("prompts/{locale}/modulate.toml");
    let modulate: Option<ModulatePrompt> = required_toml(files, &path, errors);
    if let Some(m) = &modulate {
        check(&path, "system", &m.system, (&[], &[]), errors);
        check(&path, "fact_to_empathy", &m.fact_to_empathy, FACT_TO_EMPATHY, errors);
        check(&path, "empathy_to_fact", &m.empathy_to_fact, EMPATHY_TO_FACT, errors);
        check(&path, "single_stage", &m.single_stage, SINGLE_STAGE, errors);
    }
    Some(Tasks {
        interpret: interpret?,
        ask: ask?,
        diagnose: diagnose?,
        review: review?,
        assess: assess?,
        modulate: modulate?,
    })
}

/// Every placeholder must be known, every required one there, and there must be words.
fn check(path: &str, field: &str, template: &str, (required, optional): Slots, errors: &mut Vec<PackError>) {
    let mut fail = |expected: String, found: String| {
        let (file, field) = (path.to_owned(), field.to_owned());
        errors.push(PackError { file, line: None, field, expected, found });
    };
    if template.trim().is_empty() {
        fail("words".into(), "none".into());
        return;
    }
    let found: Vec<&str> = parts(template).filter_map(Result::err).collect();
    let known: Vec<String> = required.iter().chain(optional).map(|name| format!("{{{name}}}")).collect();
    for name in found.iter().filter(|name| !required.contains(name) && !optional.contains(name)) {
        let expected = if known.is_empty() { "no placeholder".to_owned() } else { known.join(", ") };
        fail(expected, format!("{{{name}}}"));
    }
    for name in required.iter().filter(|name| found.iter().filter(|n| n == name).count() != 1) {
        fail(format!("{{{name}}} once"), format!("{} of it", found.iter().filter(|n| *n == name).count()));
    }
}

/// Fills a template. What a value holds is not read again; a placeholder without a value becomes nothing.
pub fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len() + values.iter().map(|(_, v)| v.len()).sum::<usize>());
    for part in parts(template) {
        match part {
            Ok(words) => out.push_str(words),
            Err(name) => out.push_str(values.iter().find(|(n, _)| *n == name).map_or("", |(_, value)| value)),
        }
    }
    out
}

/// A template as words (`Ok`) and names of placeholders (`Err`).
fn parts(template: &str) -> impl Iterator<Item = Result<&str, &str>> {
    let mut rest = template;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut from = 0;
        while let Some(open) = rest.get(from..).and_then(|r| r.find('{')).map(|i| i + from) {
            let inner = rest.get(open + 1..).unwrap_or("");
            let length = inner.bytes().take_while(|b| b.is_ascii_lowercase() || *b == b'_').count();
            if length > 0 && inner.get(length..).is_some_and(|after| after.starts_with('}')) {
                if open == 0 {
                    rest = inner.get(length + 1..).unwrap_or("");
                    return inner.get(..length).map(Err);
                }
                let (words, after) = rest.split_at(open);
                rest = after;
                return Some(Ok(words));
            }
            from = open + 1;
        }
        Some(Ok(std::mem::take(&mut rest)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_once_and_other_braces_are_text() {
        let template = r#"{a} says {"json": {b}} and {{f1}} or {{{b}}} {A} {}"#;
        let filled = fill(template, &[("a", "{b}"), ("b", "x")]);
        assert_eq!(filled, r#"{b} says {"json": x} and {{f1}} or {{x}} {A} {}"#);
        assert_eq!(fill("{gone}.", &[]), ".");
        assert_eq!(fill("{open", &[]), "{open");
    }

    #[test]
    fn a_template_is_checked_for_unknown_missing_and_repeated_placeholders() {
        let found = |template| {
            let mut errors = Vec::new();
            check("p", "user", template, (&["a"], &["b"]), &mut errors);
            errors.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert!(found("{a} {b} {{f1}}").is_empty());
        assert_eq!(found("{a} {c}"), ["p: user: expected {a}, {b}, found {c}"]);
        assert_eq!(found("{b}"), ["p: user: expected {a} once, found 0 of it"]);
        assert_eq!(found("{a}{a}"), ["p: user: expected {a} once, found 2 of it"]);
        assert_eq!(found(" \n"), ["p: user: expected words, found none"]);
    }
}
