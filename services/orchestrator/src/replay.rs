//! Replay: the decisions of a consultation, made again from its events without calling any agent. Pure.

use wenzhen_proto::orchestrator::v1::event::Kind;
use wenzhen_proto::orchestrator::v1::{Decided, Decision, Event};

use crate::state::State;
use crate::{Knowledge, policy};

/// A decision that came out differently.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Version of the event that holds the recorded decision.
    pub version: u64,
    /// As recorded.
    pub recorded: Decision,
    /// As decided now.
    pub replayed: Decision,
}

/// Decides every decision of a consultation again.
///
/// Gives the number of decisions that came out the same, or the first that did not.
///
/// # Errors
/// The first [`Difference`]: the pack, the policy or the record has changed.
pub fn replay(knowledge: &Knowledge, events: &[Event]) -> Result<usize, Box<Difference>> {
    let mut same = 0;
    for (i, event) in events.iter().enumerate() {
        let Some(Kind::Decided(Decided { inputs: Some(inputs), decision: Some(recorded) })) = &event.kind else {
            continue;
        };
        let before = State::fold(&knowledge.pack, events.get(..i).unwrap_or_default());
        let replayed = policy::decide(knowledge, &before, inputs);
        if replayed != *recorded {
            return Err(Box::new(Difference { version: event.version, recorded: recorded.clone(), replayed }));
        }
        same += 1;
    }
    Ok(same)
}
