//! The answer to a photograph, as the updates of a turn.

use wenzhen_proto::orchestrator::v1::send_message_response::Update;
use wenzhen_proto::orchestrator::v1::{AttachTongueImageResponse, TextDelta};

/// What a listener to a message would have been told, in that order.
pub(super) fn updates(told: AttachTongueImageResponse) -> impl Iterator<Item = Update> {
    let text = told.completed.as_ref().map(|completed| Update::Text(TextDelta { text: completed.text.clone() }));
    [
        told.urgency.map(Update::Urgency),
        text,
        told.question.map(Update::Question),
        told.diagnosis.map(Update::Diagnosis),
        told.completed.map(Update::Completed),
    ]
    .into_iter()
    .flatten()
}
