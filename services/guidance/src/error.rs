//! What can go wrong, and the status that it becomes.

use tonic::Status;
use wenzhen_language::LanguageError;
use wenzhen_service::status;

/// One field of a request that is not as it must be. Descriptions never hold what was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field, such as `finding_ids[1]`.
    pub field: String,
    /// What is expected there.
    pub description: &'static str,
}

/// Why the server could not be made, or a call failed. No variant carries a patient's words.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request is wrong; at least one violation.
    #[error("{} violations in the request", .0.len())]
    Invalid(Vec<Violation>),
    /// No pack with this digest is held.
    #[error("this agent does not hold the pinned pack")]
    PackUnknown {
        /// The digest asked for: 64 hexadecimal digits.
        digest: String,
    },
    /// The pinned pack has no voice to ask with.
    #[error("the pinned pack has no guidance voice")]
    NoVoice,
    /// What a model says could not be checked against a pack.
    #[error("the guard of a pack could not be prepared: {0}")]
    Guard(#[source] wenzhen_facts::GuardError),
    /// A pack's sayings could not be compiled.
    #[error("a pack could not be prepared")]
    Pack(#[from] LanguageError),
}

impl Error {
    /// One wrong field.
    pub fn field(field: impl Into<String>, description: &'static str) -> Self {
        Self::Invalid(vec![Violation { field: field.into(), description }])
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Invalid(violations) => {
                let fields: Vec<_> = violations.iter().map(|v| (v.field.as_str(), v.description)).collect();
                status::invalid_argument(&fields)
            }
            Error::PackUnknown { digest } => {
                status::failed_precondition("PACK_UNKNOWN", message, &[("digest", &digest)])
            }
            Error::NoVoice => status::failed_precondition("PACK_WITHOUT_VOICE", message, &[]),
            Error::Pack(_) | Error::Guard(_) => status::internal("a pack could not be prepared"),
        }
    }
}
