//! Words to findings through a model.

use serde_json::json;
use wenzhen_language::normalise;
use wenzhen_pack::prompts::fill;
use wenzhen_pack::{FindingIx, Locale, Pack};
use wenzhen_proto::clinical::v1::Agent;
use wenzhen_proto::guidance::v1::{InterpretRequest, InterpretResponse};
use wenzhen_voices::{Exchange, Fault, Task, fence};

use super::merge::{Answer, Bounds, merge};
use super::{Checks, Model};
use crate::convert;

/// The longest answer, in tokens.
const MOST_TOKENS: u32 = 512;
/// The intents that the schema allows.
const INTENTS: [&str; 8] =
    ["report", "answer", "asks_question", "asks_diagnosis", "off_topic", "refuses", "greeting", "unclear"];

/// What the built-in voice understood.
pub(crate) struct Understood<'a> {
    pub(crate) pack: &'a Pack,
    pub(crate) request: &'a InterpretRequest,
    pub(crate) checked: &'a convert::Interpret,
    pub(crate) locale: Locale,
}

impl Model {
    /// Lets the model add to what was understood. What cannot be used leaves the response as it is but for its
    /// degradation.
    pub(crate) async fn interpret(&self, understood: &Understood<'_>, response: &mut InterpretResponse) {
        let Some(checks) = self.checks(understood.pack) else { return };
        let offered = understood.offered(checks, response);
        if offered.is_empty() || understood.picks() {
            return;
        }
        let answer = match understood.exchange(&offered) {
            Some(exchange) => self.speaker.json::<Answer>(exchange).await,
            None => Err(Fault::Internal),
        };
        match self.speaker.counted(Task::Interpret, answer) {
            Ok(answer) => {
                let text = normalise(&understood.request.text);
                let bounds = Bounds {
                    pack: understood.pack,
                    text: &text,
                    offered: &offered,
                    asked: &understood.checked.asked,
                    danger: &checks.danger,
                    turn: understood.request.turn,
                };
                let dropped = merge(&bounds, response, &answer);
                self.speaker.metrics().dropped(Task::Interpret, dropped);
                let epoch = understood.request.pins.as_ref().map_or(0, |pins| pins.weight_epoch);
                response.pins = Some(self.speaker.pins(understood.pack, epoch));
            }
            Err(fault) => response.degraded.push(fault.degradation(Agent::Guidance)),
        }
    }
}

impl Understood<'_> {
    /// The message is one of the quick answers, or a number that picks them: there is nothing to understand.
    fn picks(&self) -> bool {
        let text = self.request.text.trim();
        let number = text.chars().all(|c| c.is_ascii_digit() || c.is_whitespace() || c.is_ascii_punctuation());
        number || self.request.quick_answers.iter().any(|answer| answer.trim() == text)
    }

    fn offered(&self, checks: &Checks, response: &InterpretResponse) -> Vec<FindingIx> {
        let observed = response.observations.iter().filter_map(|o| self.pack.finding(&o.finding_id));
        let sure: Vec<FindingIx> = self.checked.asked.iter().copied().chain(observed).collect();
        checks.index.offer(self.pack, &self.request.text, &sure)
    }

    fn exchange(&self, offered: &[FindingIx]) -> Option<Exchange> {
        let prompt = &self.pack.prompts.as_ref()?.tasks(self.locale)?.interpret;
        let findings = || offered.iter().filter_map(|f| self.pack.findings.get(f.at()));
        let rows: Vec<String> = findings().map(|f| format!("{} | {}", f.id, f.names.text(self.locale))).collect();
        let ids: Vec<&str> = findings().map(|f| f.id.as_str()).collect();
        let asked = self.request.asked_finding_ids.join(", ");
        let asked = if asked.is_empty() { "-" } else { &asked };
        let values =
            [("candidates", rows.join("\n")), ("asked", asked.to_owned()), ("text", fence(&self.request.text))];
        let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
        Some(Exchange {
            task: Task::Interpret,
            system: prompt.system.clone(),
            user: fill(&prompt.user, &values),
            schema: Some(schema(&ids)),
            max_tokens: MOST_TOKENS,
            temperature: 0.0,
            seed: u64::from(self.request.turn),
        })
    }
}

fn schema(ids: &[&str]) -> serde_json::Value {
    let finding = json!({
        "type": "object",
        "properties": {
            "id": {"enum": ids},
            "state": {"enum": ["present", "denied", "unsure"]},
            "quote": {"type": "string", "minLength": 1, "maxLength": 64},
        },
        "required": ["id", "state", "quote"],
        "additionalProperties": false,
    });
    json!({
        "type": "object",
        "properties": {
            "intent": {"enum": INTENTS},
            "findings": {"type": "array", "items": finding, "maxItems": 16},
        },
        "required": ["intent", "findings"],
        "additionalProperties": false,
    })
}
