//! What is wrong with a pack, and where.

use std::fmt;

/// One mistake: file, line, field and what was expected there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct PackError {
    /// Path inside the pack.
    pub file: String,
    /// Line, from 1; `None` when the whole file is meant.
    pub line: Option<usize>,
    /// The field, as `findings[3].grade`; empty when the whole line is meant.
    pub field: String,
    /// What should have stood there.
    pub expected: String,
    /// What stood there instead.
    pub found: String,
}

impl fmt::Display for PackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.field.is_empty() {
            write!(f, ": {}", self.field)?;
        }
        write!(f, ": expected {}, found {}", self.expected, self.found)
    }
}

impl PackError {
    /// A mistake that concerns a whole file.
    pub fn whole(file: &str, expected: &str, found: impl Into<String>) -> Self {
        Self { file: file.into(), line: None, field: String::new(), expected: expected.into(), found: found.into() }
    }
}

/// Every mistake of a pack, by file and line. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct PackErrors(pub Vec<PackError>);

impl fmt::Display for PackErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl PackErrors {
    /// The mistakes in the order in which one reads the files.
    pub(crate) fn sorted(mut errors: Vec<PackError>) -> Self {
        errors.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        Self(errors)
    }
}

impl From<PackError> for PackErrors {
    fn from(error: PackError) -> Self {
        Self(vec![error])
    }
}
