//! The draft in a model's words, around the same slots. It is taken as a whole or not at all.

use wenzhen_facts::{Guard, Piece, pieces, validate};
use wenzhen_pack::prompts::fill;
use wenzhen_pack::{Locale, Pack};
use wenzhen_proto::clinical::v1::{Agent, Draft, FindingState, Urgency};
use wenzhen_proto::expert::v1::{DiagnoseRequest, DiagnoseResponse};
use wenzhen_voices::{Exchange, Fault, Task, native, neutral};

use super::{Model, condition_name, finding_name};

/// The longest draft, in tokens.
const MOST_TOKENS: u32 = 1024;
/// Findings, conditions, passages in a prompt, at most; characters of a passage.
const MOST_FINDINGS: usize = 40;
const MOST_CONDITIONS: usize = 5;
const MOST_PASSAGES: usize = 3;
const MOST_CHARS: usize = 300;

impl Model {
    /// Puts the draft into the model's words; where they will not do, it stays. Nothing is reworded where it is urgent.
    pub(crate) async fn diagnose(
        &self,
        (pack, locale): (&Pack, Locale),
        request: &DiagnoseRequest,
        response: &mut DiagnoseResponse,
    ) {
        let urgent = request.urgency() > Urgency::Routine || !request.red_flags.is_empty();
        let (Some(guard), Some(draft)) = (self.guard(pack).filter(|_| !urgent), &response.draft) else { return };
        let worded = match exchange((pack, locale), request, response, draft) {
            Some(exchange) => self.speaker.text(exchange).await,
            None => Err(Fault::Internal),
        };
        let worded = worded.and_then(|text| sound(guard, (draft, locale), text.trim()));
        match self.speaker.counted(Task::Diagnose, worded) {
            Ok(draft) => {
                response.draft = Some(draft);
                let epoch = request.pins.as_ref().map_or(0, |pins| pins.weight_epoch);
                response.pins = Some(self.speaker.pins(pack, epoch));
            }
            Err(fault) => response.degraded.push(fault.degradation(Agent::Expert)),
        }
    }
}

/// The draft with other words: every fact in its slot once, and nothing that the guard objects to.
fn sound(guard: &Guard, (draft, locale): (&Draft, Locale), text: &str) -> Result<Draft, Fault> {
    let worded = Draft { text: text.to_owned(), ..draft.clone() };
    validate(&worded).map_err(|_| Fault::Malformed)?;
    let words: String = pieces(text)
        .iter()
        .filter_map(|piece| if let Piece::Text(text) = piece { Some(*text) } else { None })
        .collect();
    if !native(&words, locale) {
        return Err(Fault::Malformed);
    }
    let mut session = guard.session(draft);
    session.push(text);
    let (_, report) = session.finish();
    if report.is_clean() && report.violations.is_empty() { Ok(worded) } else { Err(Fault::Guard) }
}

fn exchange(
    (pack, locale): (&Pack, Locale),
    request: &DiagnoseRequest,
    response: &DiagnoseResponse,
    draft: &Draft,
) -> Option<Exchange> {
    let prompt = &pack.prompts.as_ref()?.tasks(locale)?.diagnose;
    let facts = draft.facts.iter().map(|fact| format!("{{{{{}}}}} = {}", fact.id, fact.text));
    let findings = request.observations.iter().take(MOST_FINDINGS).map(|observation| {
        let sign = match observation.state() {
            FindingState::Present => '+',
            FindingState::Denied => '-',
            FindingState::Unspecified | FindingState::Unsure => '?',
        };
        format!("{sign} {}", finding_name(pack, &observation.finding_id, locale))
    });
    let conditions = request.ranked.iter().take(MOST_CONDITIONS);
    let conditions = conditions
        .map(|ranked| format!("{} ({:.2})", condition_name(pack, &ranked.condition_id, locale), ranked.score));
    let passages = response.citations.iter().take(MOST_PASSAGES);
    let passages = passages.map(|cited| neutral(&cited.text.chars().take(MOST_CHARS).collect::<String>()));
    let values = [
        ("draft", draft.text.clone()),
        ("facts", lines(facts)),
        ("findings", lines(findings)),
        ("conditions", lines(conditions)),
        ("passages", lines(passages)),
    ];
    let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
    Some(Exchange {
        task: Task::Diagnose,
        system: prompt.system.clone(),
        user: fill(&prompt.user, &values),
        schema: None,
        max_tokens: MOST_TOKENS,
        temperature: 0.4,
        seed: 0,
    })
}

fn lines(rows: impl Iterator<Item = String>) -> String {
    let rows: Vec<String> = rows.collect();
    if rows.is_empty() { "-".to_owned() } else { rows.join("\n") }
}
