//! What can go wrong with a call, and the one place where it becomes a status.

use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use wenzhen_service::layers::admission::Shed;
use wenzhen_service::status;

use crate::store::StoreError;

/// What the vision agent objects to in a file, without anything of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhotoRefusal {
    reason: String,
    message: String,
    metadata: Vec<(String, String)>,
}

impl PhotoRefusal {
    /// From the status of the vision agent; `None` where it does not object to the file.
    pub fn of(refused: &Status) -> Option<Self> {
        let info = refused.get_details_error_info().filter(|_| refused.code() == Code::InvalidArgument)?;
        let metadata = info.metadata.into_iter().collect();
        Some(Self { reason: info.reason, message: refused.message().to_owned(), metadata })
    }

    /// A refusal of our own.
    pub fn new(reason: &str, message: &str, metadata: &[(&str, u64)]) -> Self {
        let metadata = metadata.iter().map(|(key, value)| ((*key).to_owned(), value.to_string())).collect();
        Self { reason: reason.to_owned(), message: message.to_owned(), metadata }
    }
}

impl From<Box<PhotoRefusal>> for Status {
    fn from(refusal: Box<PhotoRefusal>) -> Self {
        let metadata: Vec<_> = refusal.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        status::with_reason(Code::InvalidArgument, &refusal.reason, refusal.message.as_str(), &metadata)
    }
}

/// An orchestrator error. No variant carries words of a patient.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// No bearer token in the metadata.
    #[error("no bearer token was sent")]
    NoToken,
    /// The token opens something else, or nothing.
    #[error("the token does not open this consultation")]
    WrongToken,
    /// Only a clinician may do this.
    #[error("this call needs a clinician key")]
    ClinicianOnly,
    /// Only the holder of a key may open consultations.
    #[error("opening a consultation needs an API key")]
    OpenerOnly,
    /// The caller has had its share.
    #[error("too many calls with this key")]
    TooOften(Duration),
    /// There is no such consultation (any more).
    #[error("no such consultation")]
    NotFound,
    /// A field is not as it must be.
    #[error("invalid request")]
    Invalid(Vec<(&'static str, String)>),
    /// The pack is not held here or by an agent.
    #[error("pack {0} is not held here")]
    PackUnknown(String),
    /// An agent that answers does not hold the pack.
    #[error("agent {agent} does not hold pack {digest}")]
    PackUnknownTo {
        /// The agent.
        agent: &'static str,
        /// The digest.
        digest: String,
    },
    /// Another message of the consultation is being answered.
    #[error("another message of this consultation is being answered")]
    Busy,
    /// The client has seen another version.
    #[error("the consultation is at version {actual}, not {expected}")]
    VersionMismatch {
        /// What the client has seen.
        expected: u64,
        /// What it is.
        actual: u64,
    },
    /// The store has lost what it had acknowledged.
    #[error("the store has lost acknowledged events: the consultation is at version {actual}, it was at {expected}")]
    RecordLost {
        /// The version that was acknowledged.
        expected: u64,
        /// The version that is left.
        actual: u64,
    },
    /// A photograph is not as it must be, as the vision agent says; the status names the limit.
    #[error("the photograph cannot be taken")]
    Photo(Box<PhotoRefusal>),
    /// A photograph did not come in time.
    #[error("the photograph did not come in time")]
    Stalled,
    /// The message id was used for another text or picture.
    #[error("this message id was used for another text")]
    MessageReused,
    /// The consultation has ended.
    #[error("the consultation has ended")]
    Ended,
    /// There is no turn to take back.
    #[error("there is no turn to take back")]
    NothingToUndo,
    /// No plan waits for a signature.
    #[error("no plan waits for a signature")]
    NoPlan,
    /// The pack cannot be used.
    #[error("the pack cannot be used: {0}")]
    Pack(String),
    /// Too many turns are under way.
    #[error(transparent)]
    Overloaded(#[from] Shed),
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Error {
    /// One field that is not as it must be.
    pub(crate) fn field(field: &'static str, expected: impl Into<String>) -> Self {
        Self::Invalid(vec![(field, expected.into())])
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::NoToken => status::with_reason(Code::Unauthenticated, "NO_TOKEN", text, &[]),
            Error::WrongToken => status::with_reason(Code::PermissionDenied, "WRONG_TOKEN", text, &[]),
            Error::ClinicianOnly => status::with_reason(Code::PermissionDenied, "CLINICIAN_ONLY", text, &[]),
            Error::OpenerOnly => status::with_reason(Code::PermissionDenied, "OPENER_ONLY", text, &[]),
            Error::TooOften(wait) => status::resource_exhausted(text, wait),
            Error::NotFound | Error::Store(StoreError::NotFound) => {
                status::with_reason(Code::NotFound, "NOT_FOUND", "no such consultation", &[])
            }
            Error::Invalid(fields) => status::invalid_argument(&fields),
            Error::PackUnknown(digest) | Error::PackUnknownTo { digest, .. } => {
                status::failed_precondition("PACK_UNKNOWN", &text, &[("digest", digest.as_str())])
            }
            Error::Busy => status::with_reason(Code::Aborted, "BUSY", text, &[]),
            Error::VersionMismatch { expected, actual } => status::failed_precondition(
                "VERSION_MISMATCH",
                &text,
                &[("expected", expected.to_string().as_str()), ("actual", actual.to_string().as_str())],
            ),
            Error::RecordLost { expected, actual } => status::with_reason(
                Code::DataLoss,
                "RECORD_LOST",
                text,
                &[("expected", expected.to_string().as_str()), ("actual", actual.to_string().as_str())],
            ),
            Error::MessageReused => status::with_reason(Code::AlreadyExists, "MESSAGE_REUSED", text, &[]),
            Error::Stalled => status::deadline_exceeded(text),
            Error::Photo(refusal) => refusal.into(),
            Error::Overloaded(shed) => shed.into(),
            Error::Ended => status::failed_precondition("ENDED", &text, &[]),
            Error::NothingToUndo => status::failed_precondition("NOTHING_TO_UNDO", &text, &[]),
            Error::NoPlan => status::failed_precondition("NO_PLAN", &text, &[]),
            Error::Pack(_) | Error::Store(StoreError::Damaged(_)) => {
                status::with_reason(Code::Internal, "INTERNAL", text, &[])
            }
            Error::Store(StoreError::Conflict { .. }) => status::with_reason(Code::Aborted, "CONFLICT", text, &[]),
            Error::Store(StoreError::Unavailable(_)) => {
                status::unavailable("STORE_UNAVAILABLE", "the store is away", Some(Duration::from_secs(1)))
            }
        }
    }
}
