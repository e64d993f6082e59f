//! The line of a field in a TOML file, for mistakes that are found after parsing.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::{PackError, PackFiles};

/// Fills in the line of every mistake in a TOML file that names a field.
pub fn locate(files: &PackFiles, errors: &mut [PackError]) {
    for error in errors.iter_mut().filter(|e| e.line.is_none() && e.file.ends_with(".toml") && !e.field.is_empty()) {
        let text = files.get(&error.file).and_then(|bytes| std::str::from_utf8(bytes).ok());
        error.line = text.and_then(|text| line_of(text, &error.field));
    }
}

/// The line, from 1, on which `field` (as `red_flag[2].when[0]`) stands, or the nearest table
/// or key around it that the file has. `None` when not even its first part is there.
pub fn line_of(text: &str, field: &str) -> Option<usize> {
    let root = DeTable::parse(text).ok()?;
    let mut steps = steps(field).into_iter();
    let Step::Key(first) = steps.next()? else { return None };
    let (mut start, mut value) = entry(root.get_ref(), first)?;
    for step in steps {
        let inner = match (step, value.get_ref()) {
            (Step::Key(key), DeValue::Table(table)) => entry(table, key),
            (Step::Index(i), DeValue::Array(array)) => array.get(i).map(|value| (value.span().start, value)),
            _ => None,
        };
        let Some(inner) = inner else { break };
        (start, value) = inner;
    }
    Some(1 + text.get(..start)?.matches('\n').count())
}

fn entry<'t, 'i>(table: &'t DeTable<'i>, key: &str) -> Option<(usize, &'t Spanned<DeValue<'i>>)> {
    table.iter().find(|(name, _)| name.get_ref() == key).map(|(name, value)| (name.span().start, value))
}

enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

/// Splits `a.b[3].c` into `a`, `b`, `3`, `c`.
fn steps(field: &str) -> Vec<Step<'_>> {
    let parts = field.split(['.', '[']).filter(|part| !part.is_empty());
    parts
        .map(|part| match part.strip_suffix(']').and_then(|index| index.parse().ok()) {
            Some(index) => Step::Index(index),
            None => Step::Key(part),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::line_of;

    const TEXT: &str = "a = 1\n\n[cue.x]\nzh = [\n  'one',\n  'two',\n]\n\n[[flag]]\nid = 'f'\n\n[[flag]]\nid = 'g'\nwhen = [['x'],\n  ['y']]\n";

    #[test]
    fn finds_keys_tables_and_elements() {
        for (field, line) in [
            ("a", Some(1)),
            ("cue.x", Some(3)),
            ("cue.x.zh", Some(4)),
            ("cue.x.zh[1]", Some(6)),
            ("cue.x.en", Some(3)),
            ("flag[0].id", Some(10)),
            ("flag[1]", Some(12)),
            ("flag[1].message.en", Some(12)),
            ("flag[1].when[1][0]", Some(15)),
            ("flag[7].id", Some(9)),
            ("nothing", None),
        ] {
            assert_eq!(line_of(TEXT, field), line, "{field}");
        }
    }
}
