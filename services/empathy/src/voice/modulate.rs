//! Comfort around fixed facts, through a model, as it streams.
//!
//! A sentence goes out when it is whole and clean. The first one that is not ends the model's part: what the draft still
//! has to say follows in the draft's own words. Nothing is reworded where it is urgent, nor where no comfort is called
//! for.

use std::collections::{HashSet, VecDeque};

use futures::Stream;
use wenzhen_facts::{Guard, Piece, Sentence, Splitter, pieces, split};
use wenzhen_pack::prompts::{ModulatePrompt, fill};
use wenzhen_pack::{Locale, Pack};
use wenzhen_proto::clinical::v1::{Agent, Draft, EmpathyNecessity, FactKind, Pins, Subject};
use wenzhen_proto::empathy::v1::{ModulateDone, ModulateRequest, ModulateResponse, Order, modulate_response};
use wenzhen_voices::{Exchange, Fault, Task, Words};

use super::Model;
use super::assess::{name, necessity_name};
use super::check::clean;

/// The longest rewriting, and the longest comfort alone, in tokens.
const MOST_TOKENS: u32 = 1024;
const MOST_COMFORT: u32 = 160;
/// Sentences of comfort before a draft, at most.
const MOST_SENTENCES: usize = 3;

/// What is rewritten.
pub(crate) struct Around<'a> {
    pub(crate) pack: &'a Pack,
    pub(crate) request: &'a ModulateRequest,
    pub(crate) draft: &'a Draft,
    pub(crate) locale: Locale,
}

impl Model {
    /// The rewriting in the model's words; `Ok(None)` where the built-in voice is to speak by rule.
    ///
    /// # Errors
    /// When the model gives no clean first sentence.
    pub(crate) async fn modulate(&self, around: &Around<'_>) -> Result<Option<Rewriting>, Fault> {
        let Some(guard) = self.guard(around.pack).filter(|_| around.wants_words()) else { return Ok(None) };
        let begun = self.begin(around, guard).await;
        self.speaker.counted(Task::Modulate, begun).map(Some)
    }

    async fn begin(&self, around: &Around<'_>, guard: &Guard) -> Result<Rewriting, Fault> {
        let exchange = around.exchange().ok_or(Fault::Internal)?;
        let epoch = around.request.pins.as_ref().map_or(0, |pins| pins.weight_epoch);
        let pins = self.speaker.pins(around.pack, epoch);
        let mut rewriting = Rewriting::new(guard.clone(), (around.draft.clone(), around.locale), pins);
        if around.request.order() == Order::EmpathyToFact {
            rewriting.comfort(&self.speaker.text(exchange).await?)?;
            return Ok(rewriting);
        }
        rewriting.words = Some(self.speaker.speak(exchange)?);
        rewriting.listen().await;
        // Nothing has been said yet: the whole answer can still be the built-in voice's.
        match rewriting.fault {
            Some(fault) if !rewriting.spoke => Err(fault),
            _ => Ok(rewriting),
        }
    }
}

impl Around<'_> {
    fn wants_words(&self) -> bool {
        let assessed = self.request.assessment.as_ref();
        let wanted = assessed.is_some_and(|a| a.necessity() > EmpathyNecessity::None);
        wanted && self.draft.facts.iter().all(|fact| fact.kind() != FactKind::Urgency)
    }

    fn exchange(&self) -> Option<Exchange> {
        let prompt: &ModulatePrompt = &self.pack.prompts.as_ref()?.tasks(self.locale)?.modulate;
        let assessment = self.request.assessment.as_ref()?;
        let (user, most) = match self.request.order() {
            Order::Unspecified | Order::FactToEmpathy => (&prompt.fact_to_empathy, MOST_TOKENS),
            Order::EmpathyToFact => (&prompt.empathy_to_fact, MOST_COMFORT),
            Order::SingleStage => (&prompt.single_stage, MOST_TOKENS),
        };
        let facts: Vec<String> = self.draft.facts.iter().map(|f| format!("{{{{{}}}}} = {}", f.id, f.text)).collect();
        let values = [
            ("draft", self.draft.text.clone()),
            ("facts", facts.join("\n")),
            ("emotion", name(assessment.emotion()).to_owned()),
            ("intensity", assessment.intensity.to_string()),
            ("necessity", necessity_name(assessment.necessity()).to_owned()),
            ("subject", subject(self.request.subject()).to_owned()),
        ];
        let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
        Some(Exchange {
            task: Task::Modulate,
            system: prompt.system.clone(),
            user: fill(user, &values),
            schema: None,
            max_tokens: most,
            temperature: 0.7,
            seed: self.request.seed,
        })
    }
}

const fn subject(subject: Subject) -> &'static str {
    match subject {
        Subject::Unspecified | Subject::Self_ => "self",
        Subject::Child => "child",
        Subject::Parent => "parent",
        Subject::Partner => "partner",
        Subject::Other => "other",
    }
}

/// A rewriting under way.
pub(crate) struct Rewriting {
    guard: Guard,
    draft: Draft,
    locale: Locale,
    pins: Pins,
    /// Where the model is still speaking.
    words: Option<Words>,
    splitter: Splitter,
    /// Slots that have been said.
    said: HashSet<String>,
    /// What is to be sent, in order.
    ready: VecDeque<String>,
    /// A sentence of the model's went out.
    spoke: bool,
    fault: Option<Fault>,
    done: bool,
}

impl Rewriting {
    fn new(guard: Guard, (draft, locale): (Draft, Locale), pins: Pins) -> Self {
        let (words, splitter, said, ready) = (None, Splitter::default(), HashSet::new(), VecDeque::new());
        Self { guard, draft, locale, pins, words, splitter, said, ready, spoke: false, fault: None, done: false }
    }

    /// Comfort alone, which the draft as it is follows.
    fn comfort(&mut self, text: &str) -> Result<(), Fault> {
        let sentences = split(text.trim());
        let few = (1..=MOST_SENTENCES).contains(&sentences.len());
        let clean = |sentence: &Sentence| clean(&self.guard, (&Draft::default(), self.locale), &sentence.text);
        if !few || !sentences.iter().all(clean) {
            return Err(Fault::Guard);
        }
        self.spoke = true;
        self.ready.extend([text.trim().to_owned(), "\n".to_owned()]);
        self.rest();
        Ok(())
    }

    /// Reads on until there is a sentence to send or the model has come to its end.
    async fn listen(&mut self) {
        while self.ready.is_empty() {
            let Some(words) = &mut self.words else { return };
            match words.next().await {
                Ok(Some(text)) => {
                    for sentence in self.splitter.push(&text) {
                        self.take(&sentence);
                    }
                }
                Ok(None) => {
                    if let Some(sentence) = std::mem::take(&mut self.splitter).finish() {
                        self.take(&sentence);
                    }
                    self.stop(None);
                }
                Err(fault) => self.stop(Some(fault)),
            }
        }
    }

    /// A whole sentence: sent, or the end of the model's part.
    fn take(&mut self, sentence: &Sentence) {
        if self.words.is_none() || sentence.text.trim().is_empty() {
            return;
        }
        let slots: Vec<String> = slots(&sentence.text).map(str::to_owned).collect();
        let again = slots.iter().any(|slot| self.said.contains(slot));
        if again || !clean(&self.guard, (&self.draft, self.locale), &sentence.text) {
            return self.stop(Some(Fault::Guard));
        }
        self.said.extend(slots);
        self.spoke = true;
        self.ready.push_back(sentence.text.clone());
    }

    /// Ends the model's part; what the draft still has to say follows.
    fn stop(&mut self, fault: Option<Fault>) {
        self.words = None;
        let missing = self.draft.facts.iter().any(|fact| !self.said.contains(&fact.id));
        self.fault = fault.or(missing.then_some(Fault::Malformed));
        if self.spoke {
            self.rest();
        }
    }

    /// The draft's sentences of which nothing has been said. One that was begun is the guard's to complete.
    fn rest(&mut self) {
        let rest = split(&self.draft.text).into_iter().filter(|sentence| {
            let mut slots = slots(&sentence.text).peekable();
            slots.peek().is_some() && slots.all(|slot| !self.said.contains(slot))
        });
        let rest: Vec<String> = rest.map(|sentence| sentence.text).collect();
        self.ready.extend(rest);
    }

    /// The pieces of the response, the end among them.
    pub(crate) fn into_stream(self) -> impl Stream<Item = ModulateResponse> + Send {
        futures::stream::unfold(self, |mut rewriting| async move {
            rewriting.listen().await;
            let piece = match rewriting.ready.pop_front() {
                Some(text) => modulate_response::Piece::Text(text),
                None if rewriting.done => return None,
                None => modulate_response::Piece::Done(rewriting.end()),
            };
            Some((ModulateResponse { piece: Some(piece) }, rewriting))
        })
    }

    fn end(&mut self) -> ModulateDone {
        self.done = true;
        let degraded = self.fault.iter().map(|fault| fault.degradation(Agent::Empathy)).collect();
        ModulateDone { pins: Some(self.pins.clone()), degraded }
    }
}

fn slots(text: &str) -> impl Iterator<Item = &str> {
    pieces(text).into_iter().filter_map(|piece| match piece {
        Piece::Slot(id) => Some(id),
        Piece::Text(_) => None,
    })
}
