//! What can go wrong before or around a run. A call that fails is no error: it is counted.

use std::path::PathBuf;

/// Why a load cannot be run, or its report not be written or compared.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The options are wrong; one line.
    #[error("{0}")]
    Usage(String),
    /// A profile cannot be read or is wrong.
    #[error("profile {}: {why}", path.display())]
    Profile {
        /// The file.
        path: PathBuf,
        /// One line.
        why: String,
    },
    /// A target's address is wrong or its name has no address.
    #[error("target {target}: {why}")]
    Target {
        /// The target as it was given.
        target: String,
        /// One line.
        why: String,
    },
    /// Nobody answers at the target.
    #[error("cannot reach {target}: {why}")]
    Unreachable {
        /// The targets.
        target: String,
        /// The status.
        why: String,
    },
    /// The target does not hold the pack that the requests are made from.
    #[error("the target holds {held}, but the requests are made from {wanted}: give its folder with --pack")]
    Pack {
        /// What the target holds.
        held: String,
        /// What the requests are made from.
        wanted: String,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is no report.
    #[error("{} is no report of `wenzhen load`: {why}", path.display())]
    NoReport {
        /// The file.
        path: PathBuf,
        /// One line.
        why: String,
    },
    /// Two reports cannot be compared.
    #[error("{0}")]
    Incomparable(String),
    /// The pack lacks what a workload is made from.
    #[error("no workload can be made from this pack: {0}")]
    Workload(&'static str),
    /// The thread that keeps the time cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

impl LoadError {
    /// The command was given wrongly: exit code 2 instead of 1.
    pub const fn is_usage(&self) -> bool {
        matches!(self, Self::Usage(_) | Self::Profile { .. } | Self::Target { .. } | Self::Incomparable(_))
    }
}
