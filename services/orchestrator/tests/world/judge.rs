//! What must hold in every world.

use std::time::Duration;

use futures::FutureExt as _;
use wenzhen_proto::clinical::v1::Agent;
use wenzhen_proto::orchestrator::v1::event::Kind;
use wenzhen_proto::orchestrator::v1::{Event, Replied, TurnCompleted};

use super::patients::{Attempt, Spoken};
use super::{HEALED, World};

/// Timers fire to the millisecond, and the call's begins a moment after ours.
const SLACK: Duration = Duration::from_millis(5);

/// Judges.
pub fn judge(all: &[Spoken], world: &World) -> Result<(), String> {
    let mut scored = 0;
    for spoken in all {
        let record = record(spoken, world);
        on_record_once(spoken, &record)?;
        for attempt in &spoken.attempts {
            if attempt.took > attempt.deadline + SLACK {
                return Err(format!("{attempt:?} ended after its deadline"));
            }
            if attempt.at >= HEALED && attempt.outcome.as_ref().map_or(true, |told| !told.degraded.is_empty()) {
                return Err(format!("{attempt:?} did not go well though all is well again"));
            }
            let Ok(told) = &attempt.outcome else { continue };
            degraded_is_said(attempt, told, world)?;
            scored += u32::from(!told.replayed && !missed(told, Agent::Kg));
        }
    }
    let given = *world.scored.lock();
    if scored > given {
        return Err(format!("{scored} turns say that the graph was asked, and it answered {given} times"));
    }
    Ok(())
}

/// A line about it.
pub fn summary(all: &[Spoken], world: &World) -> String {
    let attempts: Vec<&Attempt> = all.iter().flat_map(|spoken| &spoken.attempts).collect();
    let told = || attempts.iter().filter_map(|attempt| attempt.outcome.as_ref().ok());
    let took: Duration = attempts.iter().map(|attempt| attempt.took).sum();
    let events: usize = all.iter().map(|spoken| record(spoken, world).len()).sum();
    format!(
        "{} tries, {} turns acknowledged ({} degraded, {} from the record), {events} events, {took:?} in all",
        attempts.len(),
        told().count(),
        told().filter(|told| !told.degraded.is_empty()).count(),
        told().filter(|told| told.replayed).count()
    )
}

fn record(spoken: &Spoken, world: &World) -> Vec<Event> {
    // It is in memory: nobody is waited for.
    world.store.record(spoken.id).now_or_never().unwrap_or_default()
}

/// Every acknowledged turn is on record once, in order, with the reply that was told; nothing else is answered.
fn on_record_once(spoken: &Spoken, record: &[Event]) -> Result<(), String> {
    let versions = record.iter().map(|event| event.version);
    if !versions.eq(1..=record.len() as u64) {
        return Err(format!("{:?}: the versions are not whole", spoken.id));
    }
    let heard: Vec<&str> = record
        .iter()
        .filter_map(|event| match &event.kind {
            Some(Kind::MessageReceived(message)) => Some(message.text.as_str()),
            _ => None,
        })
        .collect();
    let mut said: Vec<&str> = spoken.attempts.iter().map(|attempt| attempt.text.as_str()).collect();
    said.dedup();
    if heard != said {
        return Err(format!("{:?}: on record {heard:?}, said {said:?}", spoken.id));
    }
    for told in spoken.attempts.iter().filter_map(|attempt| attempt.outcome.as_ref().ok()) {
        let of = |event: &&Event| event.turn == told.turn;
        let replies: Vec<&Replied> = record
            .iter()
            .filter(of)
            .filter_map(|event| match &event.kind {
                Some(Kind::Replied(replied)) => Some(replied),
                _ => None,
            })
            .collect();
        let decided = record.iter().filter(of).filter(|event| matches!(event.kind, Some(Kind::Decided(_)))).count();
        let [replied] = replies[..] else {
            return Err(format!("{:?}: turn {} was answered {} times", spoken.id, told.turn, replies.len()));
        };
        if decided != 1 || replied.text != told.text || replied.degraded != told.degraded {
            return Err(format!("{:?}: turn {} is on record otherwise than it was told", spoken.id, told.turn));
        }
        if told.version > record.len() as u64 {
            return Err(format!("{:?}: version {} is not on record", spoken.id, told.version));
        }
    }
    Ok(())
}

/// Who was asked and did not answer about these words is named in the reply.
fn degraded_is_said(attempt: &Attempt, told: &TurnCompleted, world: &World) -> Result<(), String> {
    let answered = world.answered.lock();
    for (name, agent) in [("guidance", Agent::Guidance), ("empathy", Agent::Empathy)] {
        let there = answered.get(name).is_some_and(|words| words.contains(&attempt.text));
        if !there && !missed(told, agent) {
            return Err(format!("{attempt:?} does not say that {name} was away"));
        }
    }
    Ok(())
}

fn missed(told: &TurnCompleted, agent: Agent) -> bool {
    told.degraded.iter().any(|one| one.agent() == agent)
}
