//! What a finished consultation teaches about the condition that a clinician confirmed. Pure.
//!
//! DoPI (Sun et al.) feeds the expert's diagnosis back into the weights of the graph. Here only an outcome that a
//! clinician confirmed counts: an expert that grades its own graph's ranking would teach it its mistakes.
//!
//! The weight of an edge is w = P(finding present | condition). A case of the condition in which the finding was x (1
//! present, 0 denied) has the log likelihood x ln w + (1 - x) ln (1 - w); its slope in the log odds of w is x - w. So
//! the edge is moved by
//!
//! > η · (1 - π) · s · (x - w)
//!
//! where s is how sure the observer was and π what the graph gave the confirmed condition when the decision fell: a
//! graph that was right has little to learn. What was present though rated low strengthens, what was denied though
//! rated high weakens, each by its surprise; both ways are needed, or every edge would drift towards one half.
//!
//! Only what was said or seen counts, not what follows from it, and nothing that was not observed. People bring up what
//! they have and are silent on what they have not; so what nobody asked for counts only where it is a surprise.

use std::collections::{HashMap, HashSet};

use wenzhen_pack::{Closed, ConditionIx, FindingIx, Pack, State};
use wenzhen_proto::expert::v1::ReviewResponse;
use wenzhen_proto::kg::v1::{EdgeFeedback, FeedbackReason};

use crate::case::Ranked;
use crate::differential::{self, Known};
use crate::knowledge::Knowledge;

/// η, in millionths of a nat: the most that one case moves one edge.
const MOST_MICROS: f64 = 100_000.0;
/// A smaller move is none.
const LEAST_MICROS: i32 = 500;
/// Edges that one case moves, at most.
const MOST_EDGES: usize = 16;
/// Surprise from which on a finding was not expected.
const SURPRISE: f64 = 0.5;

/// A finished consultation, as it is looked back upon.
#[derive(Debug)]
pub struct Outcome<'a> {
    /// The pack, prepared.
    pub knowledge: &'a Knowledge,
    /// What is known; one entry per finding of the pack.
    pub closed: Vec<Option<Closed>>,
    /// Conditions with scores at the decision, best first, each once.
    pub ranked: Vec<Ranked>,
    /// The condition that a clinician confirmed.
    pub confirmed: ConditionIx,
    /// Findings that were asked for, or looked for by somebody else than the patient.
    pub asked: HashSet<FindingIx>,
    /// How the graph rates findings under the confirmed condition.
    pub rates: HashMap<FindingIx, f64>,
}

/// What argued for and against the confirmed condition, and what the graph is to learn of it.
pub fn review(outcome: &Outcome<'_>) -> ReviewResponse {
    let pack = outcome.knowledge.pack();
    let known = Known { knowledge: outcome.knowledge, closed: &outcome.closed, ranked: &outcome.ranked };
    let (speaks_for, against) = differential::evidence(&known, outcome.confirmed);
    ReviewResponse {
        argued_for: differential::contributions(pack, speaks_for),
        argued_against: differential::contributions(pack, against),
        edges: moves(outcome).into_iter().map(|m| message(pack, outcome.confirmed, m)).collect(),
        pins: None,
        degraded: Vec::new(),
    }
}

/// How one edge is to be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// The finding.
    pub finding: FindingIx,
    /// By how much, in millionths of a nat of log odds.
    pub micros: i32,
    /// Why.
    pub reason: FeedbackReason,
}

/// The moves of a consultation, strongest first.
pub fn moves(outcome: &Outcome<'_>) -> Vec<Move> {
    let said = outcome.closed.iter().enumerate().filter_map(|(i, closed)| {
        let closed = closed.filter(|closed| !closed.derived)?;
        one(outcome, FindingIx::new(i), closed)
    });
    let mut moves: Vec<Move> = said.filter(|m| m.micros.abs() >= LEAST_MICROS).collect();
    moves.sort_by_key(|m| (std::cmp::Reverse(m.micros.abs()), m.finding));
    moves.truncate(MOST_EDGES);
    moves
}

/// What one observation asks for; `None` where it says nothing.
fn one(outcome: &Outcome<'_>, finding: FindingIx, closed: Closed) -> Option<Move> {
    let truth = match closed.state {
        State::Present => 1.0,
        State::Denied => 0.0,
        State::Unsure => return None,
    };
    let surprise = truth - outcome.rate(finding);
    let reason = match (closed.state == State::Present, surprise.abs() >= SURPRISE) {
        (true, true) => FeedbackReason::UnexpectedPresence,
        (false, true) => FeedbackReason::UnexpectedDenial,
        (_, false) if !outcome.asked.contains(&finding) => return None,
        (true, false) => FeedbackReason::ExpectedPresence,
        (false, false) => FeedbackReason::ExpectedDenial,
    };
    let sure = f64::from(closed.probability).clamp(0.0, 1.0);
    let micros = MOST_MICROS * (1.0 - outcome.score()) * sure * surprise;
    // Within a hundred thousand either way.
    Some(Move { finding, micros: micros.round() as i32, reason })
}

impl Outcome<'_> {
    /// What the graph gave the confirmed condition, 0 to 1.
    fn score(&self) -> f64 {
        let ranked = self.ranked.iter().find(|ranked| ranked.condition == self.confirmed);
        ranked.map_or(0.0, |ranked| ranked.score).clamp(0.0, 1.0)
    }

    /// P(finding present | confirmed condition).
    fn rate(&self, finding: FindingIx) -> f64 {
        let as_the_pack_has_it = || self.knowledge.rates().present(self.confirmed, finding);
        self.rates.get(&finding).copied().unwrap_or_else(as_the_pack_has_it)
    }
}

fn message(pack: &Pack, confirmed: ConditionIx, edge: Move) -> EdgeFeedback {
    EdgeFeedback {
        condition_id: pack.conditions.get(confirmed.at()).map_or_else(String::new, |c| c.id.clone()),
        finding_id: pack.findings.get(edge.finding.at()).map_or_else(String::new, |f| f.id.clone()),
        shift_micros: edge.micros,
        reason: edge.reason.into(),
    }
}
