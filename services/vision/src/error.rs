//! What can go wrong, and the status that it becomes.

use std::time::Duration;

use tonic::{Code, Status};
use wenzhen_service::status;

use crate::engine::EngineError;

/// What a caller whose place in the queue was taken is told to wait.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Why a picture could not be looked at. No variant holds anything of it but sizes.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field of the header, or the order of the parts, is wrong.
    #[error("{0}: {1}")]
    Invalid(&'static str, &'static str),
    /// More than is taken.
    #[error("{what}: at most {limit} {unit} are taken, got {got}")]
    Limit {
        /// Of what there is too much.
        what: Excess,
        /// How much is taken.
        limit: u64,
        /// How much it is, as far as it was looked at.
        got: u64,
        /// What is counted.
        unit: &'static str,
    },
    /// The chunks do not come to the declared size.
    #[error("{declared} bytes were declared, got {got}")]
    Size {
        /// As the header says.
        declared: u64,
        /// What came, up to the first chunk too many.
        got: u64,
    },
    /// The first bytes are those of another kind of file.
    #[error("declared as {declared}, but it begins like {found}")]
    Type {
        /// As the header says.
        declared: &'static str,
        /// As its first bytes say.
        found: &'static str,
    },
    /// A picture of a kind that is not read.
    #[error("{0} are not read")]
    Unsupported(&'static str),
    /// The file is not whole, or not what it says.
    #[error("the file is damaged or cut off")]
    Damaged,
    /// No pack with this digest is held.
    #[error("this agent does not hold the pinned pack")]
    PackUnknown {
        /// The digest asked for.
        digest: String,
    },
    /// The pack has no table of the tongue.
    #[error("the pinned pack has no table of the tongue")]
    NoTable,
    /// There is no model.
    #[error("this agent has no model")]
    NoModel,
    /// Too many pictures wait.
    #[error("too many pictures wait to be read")]
    Busy,
    /// The stream of the caller broke off, or stood still for too long.
    #[error("the stream of the picture broke off")]
    Stream(Box<Status>),
    /// Something of ours.
    #[error("the picture could not be read")]
    Internal,
    /// The model cannot be used.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Of what a picture has too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excess {
    /// The file is too long.
    Bytes,
    /// It has too many pixels.
    Pixels,
    /// One of its sides is too long.
    Side,
    /// Decoding it would take too much memory.
    Memory,
    /// It comes in too many parts.
    Chunks,
}

impl Excess {
    /// Reason of the error, stable for clients.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Bytes => "TOO_MANY_BYTES",
            Self::Pixels => "TOO_MANY_PIXELS",
            Self::Side => "SIDE_TOO_LONG",
            Self::Memory => "TOO_MUCH_MEMORY",
            Self::Chunks => "TOO_MANY_CHUNKS",
        }
    }
}

impl std::fmt::Display for Excess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Bytes => "the file is too long",
            Self::Pixels => "the picture has too many pixels",
            Self::Side => "a side of the picture is too long",
            Self::Memory => "decoding would take too much memory",
            Self::Chunks => "the picture comes in too many parts",
        })
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        let refused =
            |reason, metadata: &[(&str, &str)]| status::with_reason(Code::InvalidArgument, reason, &text, metadata);
        match error {
            Error::Invalid(field, expected) => status::invalid_argument(&[(field, expected)]),
            Error::Limit { what, limit, got, unit } => {
                let (limit, got) = (limit.to_string(), got.to_string());
                refused(what.reason(), &[("limit", &limit), ("got", &got), ("unit", unit)])
            }
            Error::Size { declared, got } => {
                let (limit, got) = (declared.to_string(), got.to_string());
                refused("SIZE_MISMATCH", &[("limit", &limit), ("got", &got), ("unit", "bytes")])
            }
            Error::Type { declared, found } => refused("TYPE_MISMATCH", &[("declared", declared), ("found", found)]),
            Error::Unsupported(what) => refused("UNSUPPORTED_PICTURE", &[("found", what)]),
            Error::Damaged => refused("DAMAGED_PICTURE", &[]),
            Error::PackUnknown { digest } => {
                status::failed_precondition("PACK_UNKNOWN", text, &[("pack_digest", &digest)])
            }
            Error::NoTable => status::failed_precondition("PACK_WITHOUT_TONGUE", text, &[]),
            Error::NoModel => status::failed_precondition("NO_MODEL", text, &[]),
            Error::Busy => status::resource_exhausted(text, RETRY_AFTER),
            Error::Stream(status) => *status,
            Error::Internal | Error::Engine(_) => status::internal("the picture could not be read"),
        }
    }
}
