//! Rich gRPC errors (`google.rpc`): every status that a service makes carries an `ErrorInfo` of domain `wenzhen`.
//!
//! Messages and metadata must never hold what a patient said: they name fields, identifiers and limits.

use std::collections::HashMap;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

/// `ErrorInfo.domain` of every error.
pub const DOMAIN: &str = "wenzhen";

/// The request is wrong, whatever the state of the system: one `(field, description)` per violation (BadRequest).
/// Reason `INVALID_ARGUMENT`. Not to be retried.
pub fn invalid_argument<F: AsRef<str>, D: AsRef<str>>(violations: &[(F, D)]) -> Status {
    let message = match violations {
        [] => "invalid request".to_owned(),
        [(field, description)] => format!("{}: {}", field.as_ref(), description.as_ref()),
        [(field, description), rest @ ..] => {
            format!("{}: {} (and {} more)", field.as_ref(), description.as_ref(), rest.len())
        }
    };
    let mut details = info("INVALID_ARGUMENT", &[]);
    details.set_bad_request(
        violations.iter().map(|(field, text)| FieldViolation::new(field.as_ref(), text.as_ref())).collect::<Vec<_>>(),
    );
    Status::with_error_details(Code::InvalidArgument, message, details)
}

/// The system is not in the state that the call needs, such as `PACK_UNKNOWN`. Not to be retried unchanged.
pub fn failed_precondition(reason: &str, message: impl Into<String>, metadata: &[(&str, &str)]) -> Status {
    with_reason(Code::FailedPrecondition, reason, message, metadata)
}

/// Too much work at once: the caller may try again after `retry_after` (RetryInfo). Reason `OVERLOADED`.
pub fn resource_exhausted(message: impl Into<String>, retry_after: Duration) -> Status {
    let mut details = info("OVERLOADED", &[]);
    details.set_retry_info(Some(retry_after));
    Status::with_error_details(Code::ResourceExhausted, message, details)
}

/// A resource is not there (ResourceInfo). `kind` is a type such as `consultation`, `name` its identifier.
/// Reason `NOT_FOUND`.
pub fn not_found(kind: &str, name: &str) -> Status {
    let mut details = info("NOT_FOUND", &[]);
    details.set_resource_info(kind, name, "", "no such resource");
    Status::with_error_details(Code::NotFound, format!("no such {kind}"), details)
}

/// Something that the call needs is away for now; `retry_after`, when known, says how long (RetryInfo).
pub fn unavailable(reason: &str, message: impl Into<String>, retry_after: Option<Duration>) -> Status {
    let mut details = info(reason, &[]);
    if retry_after.is_some() {
        details.set_retry_info(retry_after);
    }
    Status::with_error_details(Code::Unavailable, message, details)
}

/// The call took longer than its deadline. Reason `DEADLINE_EXCEEDED`.
pub fn deadline_exceeded(message: impl Into<String>) -> Status {
    with_reason(Code::DeadlineExceeded, "DEADLINE_EXCEEDED", message, &[])
}

/// A fault of ours. The message must be a fixed text: the cause belongs in the log, not in the reply.
pub fn internal(message: &'static str) -> Status {
    with_reason(Code::Internal, "INTERNAL", message, &[])
}

/// Any other code with an `ErrorInfo`: `reason` is UPPER_SNAKE_CASE and stable, clients branch on it.
pub fn with_reason(code: Code, reason: &str, message: impl Into<String>, metadata: &[(&str, &str)]) -> Status {
    Status::with_error_details(code, message, info(reason, metadata))
}

/// The `ErrorInfo.reason` of a status that was made by this module, at either end of the wire.
pub fn reason(status: &Status) -> Option<String> {
    status.get_details_error_info().filter(|info| info.domain == DOMAIN).map(|info| info.reason)
}

fn info(reason: &str, metadata: &[(&str, &str)]) -> ErrorDetails {
    let metadata: HashMap<String, String> =
        metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    ErrorDetails::with_error_info(reason, DOMAIN, metadata)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_violation_reaches_the_details_and_the_first_reaches_the_message() {
        let status = invalid_argument(&[("case.pins", "required"), ("max_findings", "at most 100")]);
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(status.message(), "case.pins: required (and 1 more)");
        let fields: Vec<_> =
            status.get_details_bad_request().unwrap().field_violations.into_iter().map(|v| v.field).collect();
        assert_eq!(fields, ["case.pins", "max_findings"]);
        assert_eq!(reason(&status).as_deref(), Some("INVALID_ARGUMENT"));
    }

    #[test]
    fn retry_delay_and_metadata_survive() {
        let delay = Duration::from_millis(1500);
        let status = resource_exhausted("too many calls in flight", delay);
        assert_eq!(status.get_details_retry_info().unwrap().retry_delay, Some(delay));
        let status = failed_precondition("PACK_UNKNOWN", "pack not held", &[("digest", "ab12")]);
        assert_eq!(status.get_details_error_info().unwrap().metadata["digest"], "ab12");
        assert!(unavailable("STORE_AWAY", "store away", None).get_details_retry_info().is_none());
    }

    #[test]
    fn a_foreign_error_has_no_reason() {
        assert_eq!(reason(&Status::internal("x")), None);
    }
}
