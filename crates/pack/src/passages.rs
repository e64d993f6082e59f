//! `knowledge/*.md`: passages under `## id | condition,condition | source` headings.

use crate::raw::RawPassage;
use crate::{Locale, PackError};

/// Splits one file into passages. Text before the first heading is a note for readers.
pub fn parse(file: &str, text: &str, errors: &mut Vec<PackError>) -> Vec<RawPassage> {
    let mut passages: Vec<RawPassage> = Vec::new();
    for (i, line) in text.lines().enumerate() {
        if is_heading(line, passages.is_empty()) {
            match line.strip_prefix("## ").and_then(|heading| parse_heading(heading, i + 1)) {
                Some(passage) => passages.push(passage),
                None => errors.push(PackError {
                    file: file.into(),
                    line: Some(i + 1),
                    field: "heading".into(),
                    expected: "`## id | condition,condition | source`".into(),
                    found: format!("`{line}`"),
                }),
            }
        } else if let Some(passage) = passages.last_mut() {
            let line = line.trim();
            if !passage.text.is_empty() && !line.is_empty() && passage.locale == Some(Locale::En) {
                passage.text.push(' ');
            }
            passage.text.push_str(line);
        }
    }
    passages
}

/// Whether a line must be a passage's heading. Any heading does once passages have begun, so
/// that a forgotten `#` or space does not glue one passage to the one before.
fn is_heading(line: &str, before_the_first: bool) -> bool {
    line.starts_with("##") || (line.starts_with('#') && !before_the_first)
}

fn parse_heading(heading: &str, line: usize) -> Option<RawPassage> {
    let mut parts = heading.split('|').map(str::trim);
    let (id, conditions, source) = (parts.next()?, parts.next()?, parts.next()?);
    if id.is_empty() || source.is_empty() || parts.next().is_some() {
        return None;
    }
    Some(RawPassage {
        line,
        id: id.to_owned(),
        locale: id.rsplit_once('.').and_then(|(_, tag)| Locale::ALL.into_iter().find(|locale| locale.tag() == tag)),
        conditions: conditions.split(',').map(str::trim).filter(|c| !c.is_empty()).map(str::to_owned).collect(),
        source: source.to_owned(),
        text: String::new(),
    })
}
