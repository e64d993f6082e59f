//! What a finished consultation teaches, weighed by a model. The rules propose how edges move; the model may halve a move
//! or strike it. It can neither add one, nor turn one round, nor make one larger: its clamp is the rules' own proposal.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::json;
use wenzhen_pack::prompts::fill;
use wenzhen_pack::{Locale, Pack};
use wenzhen_proto::clinical::v1::{Agent, Observation};
use wenzhen_proto::expert::v1::{ReviewRequest, ReviewResponse};
use wenzhen_proto::kg::v1::EdgeFeedback;
use wenzhen_voices::{Exchange, Fault, Task};

use super::{Model, condition_name, finding_name};

/// The longest answer, in tokens.
const MOST_TOKENS: u32 = 512;
/// Conditions in a prompt, at most.
const MOST_CONDITIONS: usize = 5;
/// A smaller move is none, in millionths of a nat.
const LEAST_MICROS: i32 = 500;

/// A model's answer, as its schema has it.
#[derive(Debug, Deserialize)]
struct Answer {
    findings: Vec<Weighed>,
}

#[derive(Debug, Deserialize)]
struct Weighed {
    id: String,
    weight: String,
}

impl Model {
    /// Lets the model weigh the proposals; where its answer will not do, they stay.
    pub(crate) async fn review(&self, pack: &Pack, request: &ReviewRequest, response: &mut ReviewResponse) {
        if response.edges.is_empty() {
            return;
        }
        let answer = match exchange(pack, request, response) {
            Some(exchange) => self.speaker.json::<Answer>(exchange).await,
            None => Err(Fault::Internal),
        };
        match self.speaker.counted(Task::Review, answer) {
            Ok(answer) => {
                let dropped = weigh(&mut response.edges, &answer);
                self.speaker.metrics().dropped(Task::Review, dropped);
                let epoch = request.pins.as_ref().map_or(0, |pins| pins.weight_epoch);
                response.pins = Some(self.speaker.pins(pack, epoch));
            }
            Err(fault) => response.degraded.push(fault.degradation(Agent::Expert)),
        }
    }
}

/// Shrinks the moves; gives how many entries stand for none of them. What the model does not name stays.
fn weigh(edges: &mut Vec<EdgeFeedback>, answer: &Answer) -> usize {
    let mut weights = HashMap::new();
    let mut dropped = 0;
    for weighed in &answer.findings {
        let known = edges.iter().any(|edge| edge.finding_id == weighed.id);
        let divisor = match weighed.weight.as_str() {
            "full" => Some(Some(1)),
            "half" => Some(Some(2)),
            "none" => Some(None),
            _ => None,
        };
        match divisor.filter(|_| known && !weights.contains_key(weighed.id.as_str())) {
            Some(divisor) => drop(weights.insert(weighed.id.as_str(), divisor)),
            None => dropped += 1,
        }
    }
    for edge in edges.iter_mut() {
        match weights.get(edge.finding_id.as_str()) {
            Some(Some(divisor)) => edge.shift_micros /= divisor,
            Some(None) => edge.shift_micros = 0,
            None => {}
        }
    }
    edges.retain(|edge| edge.shift_micros.abs() >= LEAST_MICROS);
    edges.sort_by_key(|edge| std::cmp::Reverse(edge.shift_micros.abs()));
    dropped
}

fn exchange(pack: &Pack, request: &ReviewRequest, response: &ReviewResponse) -> Option<Exchange> {
    // A review is read by nobody but the graph: it goes in the pack's own language.
    let locale: Locale = pack.manifest.default_locale();
    let prompt = &pack.prompts.as_ref()?.tasks(locale)?.review;
    let state = |id: &str| {
        let observed = request.observations.iter().rev().find(|o| o.finding_id == id);
        observed.map_or("?", |o: &Observation| o.state().as_str_name().trim_start_matches("FINDING_STATE_"))
    };
    let rows: Vec<String> = response
        .edges
        .iter()
        .map(|e| format!("{} | {} | {}", e.finding_id, finding_name(pack, &e.finding_id, locale), state(&e.finding_id)))
        .collect();
    let ranked = request.ranked.iter().take(MOST_CONDITIONS);
    let ranked: Vec<String> = ranked.map(|r| condition_name(pack, &r.condition_id, locale)).collect();
    let condition = condition_name(pack, &request.confirmed_condition_id, locale);
    let ids: Vec<&str> = response.edges.iter().map(|edge| edge.finding_id.as_str()).collect();
    let values = [("findings", rows.join("\n")), ("conditions", ranked.join("\n")), ("condition", condition)];
    let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
    Some(Exchange {
        task: Task::Review,
        system: prompt.system.clone(),
        user: fill(&prompt.user, &values),
        schema: Some(schema(&ids)),
        max_tokens: MOST_TOKENS,
        temperature: 0.0,
        seed: 0,
    })
}

fn schema(ids: &[&str]) -> serde_json::Value {
    let weighed = json!({
        "type": "object",
        "properties": {"id": {"enum": ids}, "weight": {"enum": ["full", "half", "none"]}},
        "required": ["id", "weight"],
        "additionalProperties": false,
    });
    json!({
        "type": "object",
        "properties": {"findings": {"type": "array", "items": weighed, "maxItems": ids.len()}},
        "required": ["findings"],
        "additionalProperties": false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(moves: &[(&str, i32)]) -> Vec<EdgeFeedback> {
        let edge = |(id, micros): &(&str, i32)| EdgeFeedback {
            finding_id: (*id).to_owned(),
            shift_micros: *micros,
            ..EdgeFeedback::default()
        };
        moves.iter().map(edge).collect()
    }

    #[test]
    fn a_model_can_only_weaken() {
        let mut moves = edges(&[("a", 90_000), ("b", -40_000), ("c", 9_000), ("d", 700), ("e", 5_000)]);
        let said =
            [("a", "half"), ("b", "full"), ("c", "none"), ("d", "half"), ("x", "full"), ("b", "none"), ("e", "more")];
        let weighed = |(id, weight): &(&str, &str)| Weighed { id: (*id).to_owned(), weight: (*weight).to_owned() };
        let dropped = weigh(&mut moves, &Answer { findings: said.iter().map(weighed).collect() });
        assert_eq!(moves, edges(&[("a", 45_000), ("b", -40_000), ("e", 5_000)]));
        assert_eq!(dropped, 3, "an unknown id, one named twice, an unknown weight");
    }
}
