//! Reads single files: TOML, JSON lines, text; says where and why one cannot be read.

use serde::de::DeserializeOwned;

use crate::{PackError, PackFiles};

/// A value with the line on which it stands.
pub type Lined<T> = (usize, T);

/// The text of a file; `None` without it, or when it is not UTF-8 (which is a mistake).
pub fn utf8<'a>(files: &'a PackFiles, path: &str, errors: &mut Vec<PackError>) -> Option<&'a str> {
    let bytes = files.get(path)?;
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(e) => {
            let before = bytes.get(..e.valid_up_to()).unwrap_or_default();
            let mut error = PackError::whole(path, "UTF-8 text", "bytes that are none");
            error.line = Some(1 + before.iter().filter(|byte| **byte == b'\n').count());
            errors.push(error);
            None
        }
    }
}

/// A TOML file that the pack must have.
pub fn required_toml<T: DeserializeOwned>(files: &PackFiles, path: &str, errors: &mut Vec<PackError>) -> Option<T> {
    if files.get(path).is_none() {
        errors.push(PackError::whole(path, "this file", "no such file"));
    }
    let text = utf8(files, path, errors)?;
    let parsed = toml::Deserializer::parse(text).map_err(|e| (e, String::new())).and_then(|de| {
        serde_path_to_error::deserialize(de).map_err(|e| {
            let field = e.path().to_string();
            (e.into_inner(), field)
        })
    });
    match parsed {
        Ok(value) => Some(value),
        Err((e, field)) => {
            let line = e.span().map(|span| 1 + text.get(..span.start).unwrap_or(text).matches('\n').count());
            errors.push(from_message(path, line, &field, e.message()));
            None
        }
    }
}

/// The rows of a JSON-lines file, those that can be read.
pub fn json_lines<T: DeserializeOwned>(
    files: &PackFiles,
    path: &str,
    required: bool,
    errors: &mut Vec<PackError>,
) -> Vec<Lined<T>> {
    if required && files.get(path).is_none() {
        errors.push(PackError::whole(path, "this file", "no such file"));
    }
    let Some(text) = utf8(files, path, errors) else { return Vec::new() };
    let mut rows = Vec::new();
    for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match json_row(line) {
            Ok(row) => rows.push((i + 1, row)),
            Err((field, message)) => errors.push(from_message(path, Some(i + 1), &field, &message)),
        }
    }
    rows
}

/// One row, or the field and serde's message.
fn json_row<T: DeserializeOwned>(line: &str) -> Result<T, (String, String)> {
    let mut de = serde_json::Deserializer::from_str(line);
    let row = serde_path_to_error::deserialize(&mut de).map_err(|e| {
        let field = e.path().to_string();
        (field, e.into_inner().to_string())
    })?;
    de.end().map_err(|_| (String::new(), "more text behind the object, expected one object a line".to_owned()))?;
    Ok(row)
}

/// Splits serde's "…, expected …" into what was found and what was expected.
fn from_message(file: &str, line: Option<usize>, field: &str, message: &str) -> PackError {
    let message = message.split(" at line ").next().unwrap_or(message);
    let message = message.lines().collect::<Vec<_>>().join(", ");
    let (found, expected) = match message.split_once(", expected ") {
        Some((found, expected)) => (found.to_owned(), expected.to_owned()),
        None => match (message.strip_prefix("missing "), message.strip_prefix("expected ")) {
            (Some(missing), _) => ("nothing".to_owned(), missing.to_owned()),
            (_, Some(expected)) => ("something else".to_owned(), expected.to_owned()),
            _ => (message, "well-formed data".to_owned()),
        },
    };
    // The path ends in `?` where the reader broke off, and is `.` for the whole row.
    let field = field.trim_end_matches('?').trim_end_matches('.');
    PackError { file: file.into(), line, field: field.into(), expected, found }
}
