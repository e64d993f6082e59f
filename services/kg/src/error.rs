//! What can be wrong with a request, and the status that it becomes.

use std::time::Duration;

use tonic::{Code, Status};
use wenzhen_service::status;

use crate::weights::store::StoreError;

/// What a caller is told to wait while the store of weights is away, or busy.
const AGAIN: Duration = Duration::from_secs(1);

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
    /// There is no such weight epoch (yet, or any more).
    #[error("there is no weight epoch {0}")]
    EpochUnknown(u64),
    /// The weights of this epoch are kept no more.
    #[error("the weights of epoch {0} are kept no more")]
    EpochRetired(u64),
    /// The pack has no such condition.
    #[error("no such condition")]
    ConditionUnknown,
    /// The call needs an admin key.
    #[error("this call needs an admin key")]
    AdminOnly,
    /// There is nothing to publish.
    #[error("no feedback waits")]
    NothingWaiting,
    /// Somebody else makes an epoch.
    #[error("somebody else makes an epoch now")]
    Publishing,
    /// The publish id made another epoch before.
    #[error("this publish id was used for something else")]
    PublishIdUsed,
    /// Too much feedback waits.
    #[error("too much feedback waits")]
    TooMuchWaiting,
    /// This replica stops.
    #[error("this replica stops")]
    Stopping,
    /// The store of weights is needed and away.
    #[error("the store of weights is away")]
    WeightsAway(String),
    /// The store of weights holds what cannot be read.
    #[error("the store of weights is damaged")]
    WeightsDamaged(String),
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict { .. } | StoreError::Busy | StoreError::LeaseOver => Self::Publishing,
            StoreError::Published(_) => Self::PublishIdUsed,
            StoreError::Full => Self::TooMuchWaiting,
            StoreError::Unavailable(reason) => Self::WeightsAway(reason),
            StoreError::Damaged(reason) => Self::WeightsDamaged(reason),
        }
    }
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
            Error::EpochRetired(epoch) => {
                status::failed_precondition("EPOCH_RETIRED", message, &[("epoch", &epoch.to_string())])
            }
            Error::ConditionUnknown => status::not_found("condition", ""),
            Error::AdminOnly => status::with_reason(Code::PermissionDenied, "ADMIN_ONLY", message, &[]),
            Error::NothingWaiting => status::failed_precondition("NOTHING_WAITING", message, &[]),
            Error::Publishing => status::with_reason(Code::Aborted, "PUBLISHING", message, &[]),
            Error::PublishIdUsed => status::with_reason(Code::AlreadyExists, "PUBLISH_ID_USED", message, &[]),
            Error::TooMuchWaiting => status::resource_exhausted(message, AGAIN),
            Error::Stopping => status::unavailable("STOPPING", message, None),
            Error::WeightsAway(reason) => {
                tracing::debug!(reason, "the store of weights is away");
                status::unavailable("WEIGHTS_AWAY", message, Some(AGAIN))
            }
            Error::WeightsDamaged(reason) => {
                tracing::error!(reason, "the store of weights is damaged");
                status::internal("the store of weights is damaged")
            }
        }
    }
}
