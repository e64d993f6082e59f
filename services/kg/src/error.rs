//! What can be wrong with a request, and the status that it becomes.

use tonic::Status;
use wenzhen_service::status;

/// One field of a request that is not as it must be. Descriptions name limits and tables,
/// never what was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field, such as `case.observations[3].finding_id`.
    pub field: String,
    /// What is expected there.
    pub description: &'static str,
}

/// Why a call fails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Fields that are wrong whatever this agent holds, or that the pinned pack does not know.
    #[error("{} invalid fields", .0.len())]
    Invalid(Vec<Violation>),
    /// This agent does not hold the pinned pack.
    #[error("this agent does not hold the pinned pack")]
    PackUnknown {
        /// The digest asked for, when it has the form of one.
        digest: Option<String>,
    },
    /// This agent does not hold the pinned weight epoch.
    #[error("this agent does not hold weight epoch {0}")]
    EpochUnknown(u64),
    /// The pack has no such condition.
    #[error("no such condition")]
    ConditionUnknown,
}

impl Error {
    /// One invalid field.
    pub fn field(field: impl Into<String>, description: &'static str) -> Self {
        Self::Invalid(vec![Violation { field: field.into(), description }])
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Invalid(violations) => {
                let fields: Vec<(String, &str)> = violations.into_iter().map(|v| (v.field, v.description)).collect();
                status::invalid_argument(&fields)
            }
            Error::PackUnknown { digest } => {
                let digest = digest.unwrap_or_default();
                status::failed_precondition("PACK_UNKNOWN", message, &[("digest", &digest)])
            }
            Error::EpochUnknown(epoch) => {
                status::failed_precondition("EPOCH_UNKNOWN", message, &[("epoch", &epoch.to_string())])
            }
            Error::ConditionUnknown => status::not_found("condition", ""),
        }
    }
}
