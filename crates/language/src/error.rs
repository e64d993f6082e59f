//! What can go wrong when an interpreter is made. Interpreting itself cannot fail.

/// Why an interpreter could not be made.
#[derive(Debug, thiserror::Error)]
pub enum LanguageError {
    /// A built-in table of function words cannot be read; `table` names it.
    #[error("table of function words {table}: {reason}")]
    Table {
        /// The file under `data/`.
        table: &'static str,
        /// What the parser said.
        reason: String,
    },
    /// The pack's names and sayings could not be compiled into one automaton.
    #[error("the pack's sayings could not be compiled: {0}")]
    Sayings(String),
}
