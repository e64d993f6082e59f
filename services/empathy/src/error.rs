//! What can go wrong, and how a caller sees it.

use tonic::Status;
use wenzhen_service::status;

/// A field of the request and what was expected there.
pub type Violation = (&'static str, &'static str);

/// Everything that this service refuses or fails at. No variant carries a patient's words.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request is wrong.
    #[error("{} violations in the request", .0.len())]
    Invalid(Vec<Violation>),
    /// No pack with this digest is held.
    #[error("the pack is not held")]
    PackUnknown {
        /// The digest that the request named.
        digest: String,
    },
    /// The pack has no empathy voice.
    #[error("the pack has no empathy voice")]
    NoVoice,
    /// What a model says could not be checked against a pack.
    #[error("the guard of a pack could not be prepared: {0}")]
    Guard(#[from] wenzhen_facts::GuardError),
    /// The pack's lexicon could not be compiled.
    #[error("the lexicon cannot be compiled: {0}")]
    Lexicon(#[from] aho_corasick::BuildError),
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid(violations) => status::invalid_argument(&violations),
            Error::PackUnknown { digest } => {
                let message = "this agent does not hold the pack";
                status::failed_precondition("PACK_UNKNOWN", message, &[("pack_digest", &digest)])
            }
            Error::NoVoice => status::failed_precondition("PACK_WITHOUT_VOICE", "the pack has no empathy voice", &[]),
            Error::Guard(_) => status::internal("the guard of a pack could not be prepared"),
            Error::Lexicon(_) => status::internal("the lexicon could not be compiled"),
        }
    }
}
