//! A question in a model's words. It must say exactly what the frame would have asked, as our own lexicon reads it or in
//! the words of the pack's clause.

use wenzhen_facts::{ViolationKind, split};
use wenzhen_language::Interpreter;
use wenzhen_language::frames::Framer;
use wenzhen_pack::prompts::fill;
use wenzhen_pack::{FindingIx, Locale, Pack};
use wenzhen_proto::clinical::v1::{Agent, Draft};
use wenzhen_proto::guidance::v1::{AskRequest, AskResponse};
use wenzhen_voices::{Exchange, Fault, Task, native};

use super::{Checks, Model};
use crate::convert;

/// The longest answer, in tokens, and the longest question, in characters.
const MOST_TOKENS: u32 = 160;
const MOST_CHARS: usize = 240;

/// What is asked.
pub(crate) struct Asked<'a> {
    pub(crate) interpreter: &'a Interpreter,
    pub(crate) framer: &'a Framer,
    pub(crate) request: &'a AskRequest,
    pub(crate) checked: &'a convert::Ask,
}

impl Model {
    /// Puts the question into the model's words; where they will not do, the frame's stay.
    pub(crate) async fn ask(&self, asked: &Asked<'_>, response: &mut AskResponse) {
        let pack = asked.interpreter.pack();
        let Some(checks) = self.checks(pack) else { return };
        let framed = asked.named(&response.text);
        let wording = Wording { asked, checks, framed: &framed };
        // What cannot be read back from the frame's own words cannot be checked in others.
        if asked.checked.findings.is_empty() || !wording.sound(&response.text) {
            return;
        }
        let worded = match asked.exchange(&response.text) {
            Some(exchange) => self.speaker.text(exchange).await,
            None => Err(Fault::Internal),
        };
        let worded = worded.and_then(|text| {
            let text = text.trim().trim_matches(['"', '“', '”']).trim().to_owned();
            if wording.sound(&text) { Ok(text) } else { Err(Fault::Guard) }
        });
        match self.speaker.counted(Task::Ask, worded) {
            Ok(text) => {
                response.text = text;
                let epoch = asked.request.pins.as_ref().map_or(0, |pins| pins.weight_epoch);
                response.pins = Some(self.speaker.pins(pack, epoch));
            }
            Err(fault) => response.degraded.push(fault.degradation(Agent::Guidance)),
        }
    }
}

impl Asked<'_> {
    /// The findings that a wording names, by the lexicon or in the words of the pack's clauses.
    fn named(&self, text: &str) -> Vec<FindingIx> {
        let mut named = self.interpreter.mentions(text);
        named.extend(self.framer.kept(self.checked.locale, text));
        named
    }

    fn exchange(&self, question: &str) -> Option<Exchange> {
        let pack = self.interpreter.pack();
        let prompt = &pack.prompts.as_ref()?.tasks(self.checked.locale)?.ask;
        let labels: Vec<&str> = self.checked.findings.iter().map(|f| label(pack, *f, self.checked.locale)).collect();
        let separator = if self.checked.locale == Locale::Zh { "、" } else { ", " };
        let findings = labels.join(separator);
        Some(Exchange {
            task: Task::Ask,
            system: prompt.system.clone(),
            user: fill(&prompt.user, &[("findings", &findings), ("question", question)]),
            schema: None,
            max_tokens: MOST_TOKENS,
            temperature: 0.7,
            seed: self.request.seed,
        })
    }
}

/// The short word that a patient knows a finding by.
fn label(pack: &Pack, finding: FindingIx, locale: Locale) -> &str {
    let Some(finding) = pack.findings.get(finding.at()) else { return "" };
    let labelled = pack.voice(locale).and_then(|voice| voice.guidance.labels.get(&finding.id));
    let said = || finding.sayings.list(locale).first();
    labelled.or_else(said).map_or_else(|| finding.names.text(locale), String::as_str)
}

/// What a wording is held against.
struct Wording<'a> {
    asked: &'a Asked<'a>,
    checks: &'a Checks,
    /// What the frame's words name.
    framed: &'a [FindingIx],
}

impl Wording<'_> {
    /// One question, in its language, that mentions every finding asked for and none beside what the frame does, and
    /// holds nothing else of the field.
    fn sound(&self, text: &str) -> bool {
        let ends = text.ends_with(['?', '？']) && text.matches(['?', '？']).count() == 1;
        let one = !text.contains('\n') && split(text).len() == 1 && text.chars().count() <= MOST_CHARS;
        let language = native(text, self.asked.checked.locale);
        ends && one && language && self.clean(text) && self.exact(text)
    }

    fn clean(&self, text: &str) -> bool {
        let mut session = self.checks.guard.session(&Draft::default());
        session.push(text);
        // Findings are what a question is about; which ones is looked at by their own lexicon.
        session.finish().1.violations.iter().all(|wrong| wrong.kind == ViolationKind::Finding)
    }

    fn exact(&self, text: &str) -> bool {
        let (named, wanted) = (self.asked.named(text), &self.asked.checked.findings);
        wanted.iter().all(|finding| named.contains(finding))
            && named.iter().all(|finding| wanted.contains(finding) || self.framed.contains(finding))
    }
}
