//! What the built-in reading and a model's become together. Pure.
//!
//! The rule, in its order:
//! 1. A model's entry counts when its id was offered and its quotation stands in the text; else it is dropped, and counted.
//! 2. Where both agree, the built-in observation stands: it knows durations, degrees and values.
//! 3. What the model alone read is added with a probability below 1, unless it touches a saying that the system will ask
//!    about, excludes what the built-in reading holds present, or denies what a danger sign hangs on.
//! 4. Where they contradict each other the built-in state stands, less sure; but a danger sign that either holds present
//!    is present. So no reading of a model can lose one.
//! 5. The intent is the built-in one, unless that understood nothing. What takes back, who is spoken of, and what is to
//!    be clarified is the built-in reading's alone: wrong there, a model could end or turn a consultation.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use serde::Deserialize;
use wenzhen_language::Normalised;
use wenzhen_pack::{FindingIx, Pack};
use wenzhen_proto::clinical::v1::{FindingState, Observation, ObservationSource, Span};
use wenzhen_proto::guidance::v1::{Intent, InterpretResponse};
use wenzhen_voices::quoted;

/// How sure an observation is that a model alone read.
const ALONE: f32 = 0.8;
/// How sure an observation is that a model contradicts.
const CONTRADICTED: f32 = 0.7;
/// Entries that are read, at most.
const MOST: usize = 32;

/// A model's answer, as its schema has it. Names are checked here, not while parsing: one wrong entry is no reason to
/// lose the others.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Answer {
    #[serde(default)]
    pub(super) intent: String,
    pub(super) findings: Vec<Found>,
}

/// An entry of it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Found {
    pub(super) id: String,
    pub(super) state: String,
    #[serde(default)]
    pub(super) quote: String,
}

/// What an answer is held against.
pub(super) struct Bounds<'a> {
    pub(super) pack: &'a Pack,
    pub(super) text: &'a Normalised,
    pub(super) offered: &'a [FindingIx],
    pub(super) asked: &'a [FindingIx],
    pub(super) danger: &'a HashSet<FindingIx>,
    pub(super) turn: u32,
}

/// A checked entry.
struct Read {
    finding: FindingIx,
    state: FindingState,
    span: Range<usize>,
}

/// Puts the model's reading into the built-in one; gives how many entries were dropped.
pub(super) fn merge(bounds: &Bounds<'_>, response: &mut InterpretResponse, answer: &Answer) -> usize {
    let mut dropped = answer.findings.len().saturating_sub(MOST);
    let mut added = Vec::new();
    let mut seen = HashSet::new();
    let held: HashMap<FindingIx, usize> = response
        .observations
        .iter()
        .enumerate()
        .filter_map(|(at, o)| Some((bounds.pack.finding(&o.finding_id)?, at)))
        .collect();
    for found in answer.findings.iter().take(MOST) {
        let Some(read) = bounds.check(found).filter(|read| seen.insert(read.finding)) else {
            dropped += 1;
            continue;
        };
        if let Some(at) = held.get(&read.finding) {
            response.observations.get_mut(*at).into_iter().for_each(|observation| bounds.settle(observation, &read));
        } else if bounds.may_add(response, &read) {
            added.push(bounds.observation(&read));
        } else {
            dropped += 1;
        }
    }
    response.observations.extend(added.iter().cloned());
    response.observations.sort_by_key(|o| o.span.map_or(0, |span| span.start));
    intend(response, answer, &added);
    dropped
}

impl Bounds<'_> {
    fn check(&self, found: &Found) -> Option<Read> {
        let finding = self.pack.finding(&found.id).filter(|finding| self.offered.contains(finding))?;
        let state = match found.state.as_str() {
            "present" => FindingState::Present,
            "denied" => FindingState::Denied,
            "unsure" => FindingState::Unsure,
            _ => return None,
        };
        Some(Read { finding, state, span: quoted(self.text, &found.quote)? })
    }

    /// Both have read the finding.
    fn settle(&self, observation: &mut Observation, read: &Read) {
        if observation.state() == read.state || observation.past {
            return;
        }
        if read.state == FindingState::Present && self.danger.contains(&read.finding) {
            observation.state = FindingState::Present.into();
            observation.probability = Some(ALONE);
        } else if !(observation.state() == FindingState::Present && self.danger.contains(&read.finding)) {
            observation.probability = Some(CONTRADICTED);
        }
    }

    fn may_add(&self, response: &InterpretResponse, read: &Read) -> bool {
        let id = |finding: FindingIx| self.pack.findings.get(finding.at()).map(|f| f.id.as_str());
        let touches = |span: &Span| (span.start as usize) < read.span.end && read.span.start < span.end as usize;
        let to_clarify = response.ambiguous.iter().any(|saying| saying.span.as_ref().is_some_and(touches));
        let withdrawn = response.withdrawn_finding_ids.iter().any(|gone| Some(gone.as_str()) == id(read.finding));
        let hides = read.state == FindingState::Denied && self.danger.contains(&read.finding);
        let held = |other: FindingIx| {
            let held = response.observations.iter().find(|o| Some(o.finding_id.as_str()) == id(other));
            held.is_some_and(|o| o.state() == FindingState::Present && !o.past)
        };
        let excludes = |finding: FindingIx| self.pack.findings.get(finding.at()).map(|f| f.excludes.as_slice());
        let excluded = read.state == FindingState::Present
            && excludes(read.finding).is_some_and(|rivals| rivals.iter().any(|rival| held(*rival)));
        !(to_clarify || withdrawn || hides || excluded)
    }

    fn observation(&self, read: &Read) -> Observation {
        let byte = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Observation {
            finding_id: self.pack.findings.get(read.finding.at()).map_or_else(String::new, |f| f.id.clone()),
            state: read.state.into(),
            probability: Some(ALONE),
            source: ObservationSource::Patient.into(),
            turn: self.turn,
            span: Some(Span { start: byte(read.span.start), end: byte(read.span.end) }),
            answers_question: self.asked.contains(&read.finding),
            ..Observation::default()
        }
    }
}

/// What the patient wants, where the built-in reading could not tell.
fn intend(response: &mut InterpretResponse, answer: &Answer, added: &[Observation]) {
    if !matches!(response.intent(), Intent::Unclear | Intent::OffTopic) {
        return;
    }
    let intent = if added.iter().any(|o| o.answers_question) {
        Intent::Answer
    } else if !added.is_empty() {
        Intent::Report
    } else if response.intent() == Intent::OffTopic {
        return;
    } else {
        // Neither a report without findings, nor an end that no word asked for.
        match answer.intent.as_str() {
            "asks_question" => Intent::AsksQuestion,
            "asks_diagnosis" => Intent::AsksDiagnosis,
            "off_topic" => Intent::OffTopic,
            "refuses" => Intent::Refuses,
            "greeting" => Intent::Greeting,
            _ => return,
        }
    };
    response.set_intent(intent);
}
