//! Why a model's words could not be used.

use wenzhen_llm::Error;
use wenzhen_proto::clinical::v1::{Agent, Degradation};

/// A fixed reason; it holds no word of a patient or a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Fault {
    /// The engine is away.
    #[error("the engine is away")]
    Unavailable,
    /// It did not answer in time.
    #[error("the engine did not answer in time")]
    Deadline,
    /// It has no room.
    #[error("the engine has no room")]
    Overloaded,
    /// What it wrote is not in the form that was asked for.
    #[error("the model's answer is out of form")]
    Malformed,
    /// What it wrote may not be said.
    #[error("the model's answer may not be said")]
    Guard,
    /// The prompt is longer than the model reads.
    #[error("the prompt is longer than the model reads")]
    TooLong,
    /// The engine or the request is wrong in itself.
    #[error("the engine failed")]
    Internal,
}

impl Fault {
    /// The label, as in `Degradation.reason` and in metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Deadline => "deadline",
            Self::Overloaded => "overloaded",
            Self::Malformed => "malformed",
            Self::Guard => "guard",
            Self::TooLong => "too_long",
            Self::Internal => "internal",
        }
    }

    /// What a response says when the built-in voice of `agent` took the model's place.
    pub fn degradation(self, agent: Agent) -> Degradation {
        Degradation { agent: agent as i32, reason: self.label().to_owned(), fell_back: true }
    }
}

impl From<&Error> for Fault {
    fn from(error: &Error) -> Self {
        match error {
            Error::Overloaded { .. } => Self::Overloaded,
            Error::Deadline => Self::Deadline,
            Error::ContextOverflow { .. } => Self::TooLong,
            Error::Unavailable(_) => Self::Unavailable,
            Error::Malformed(_) => Self::Malformed,
            Error::Request(_) | Error::Schema(_) | Error::NotANumber => Self::Internal,
        }
    }
}
