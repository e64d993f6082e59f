//! Why a model cannot be served. All of it is said before anything is served.

use std::io;

use super::target::Target;

/// Why a model could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file is missing or cannot be read.
    #[error("{file}: {source}")]
    File {
        /// Which file.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not of its format, or ends too soon.
    #[error("{file} is damaged: {reason}")]
    Damaged {
        /// Which file.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// The model is of a family, or has a part, that the decoder does not have.
    #[error("the model is not supported: {0}")]
    Unsupported(String),
    /// A weight is missing.
    #[error("the weight {0} is missing")]
    Missing(String),
    /// A weight has another shape than the configuration says.
    #[error("the weight {name} has shape {found:?}, expected {expected:?}")]
    Shape {
        /// Which weight.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that the configuration gives it.
        expected: Vec<usize>,
    },
    /// There is no tokenizer, it cannot be read, or it is not this model's.
    #[error("the tokenizer: {0}")]
    Tokenizer(String),
    /// There is no chat template, or it fails on a plain dialogue.
    #[error("the chat template: {0}")]
    Template(String),
    /// Weights and caches would not fit.
    #[error("{needed_mib} MiB are needed, {available_mib} MiB are available; take fewer slots or a shorter context")]
    Memory {
        /// For weights and caches.
        needed_mib: u64,
        /// That the system has left.
        available_mib: u64,
    },
    /// A GPU is asked for, and this program cannot use any.
    #[error("{0} is asked for, but this program was built without CUDA (cargo feature `cuda`)")]
    NoCuda(Target),
    /// A GPU is not there, or cannot be used.
    #[error("{target} cannot be used: {reason}")]
    Gpu {
        /// Which.
        target: Target,
        /// What the driver said.
        reason: String,
    },
    /// The first pass gave NaN or infinities.
    #[error("the model computes no numbers")]
    NotANumber,
    /// candle failed.
    #[error("candle: {0}")]
    Candle(#[from] candle_core::Error),
}

impl LoadError {
    pub(crate) fn file(file: &std::path::Path, source: io::Error) -> Self {
        Self::File { file: file.display().to_string(), source }
    }

    pub(crate) fn damaged(file: &std::path::Path, reason: impl ToString) -> Self {
        Self::Damaged { file: file.display().to_string(), reason: reason.to_string() }
    }
}
