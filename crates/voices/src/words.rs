//! A model's words as they come.

use futures::StreamExt as _;
use tokio::time::Instant;
use wenzhen_llm::{Event, Finish, Generation, Outcome};

use crate::{Fault, Task, VoiceMetrics};

/// More than this is not read on, in bytes.
const MOST: usize = 64 * 1024;
/// What some models write before they answer.
const THINKS: &str = "<think>";
const THOUGHT: &str = "</think>";

/// Words as they come, without what the model thought aloud; dropping them cancels the generation.
pub struct Words {
    generation: Generation,
    until: Instant,
    metrics: VoiceMetrics,
    task: Task,
    /// Words not given out yet, while they may be thoughts.
    held: Option<String>,
    /// Thoughts came before: blanks until the first word belong to them.
    blank: bool,
    bytes: usize,
    /// How it ended; a model that ran out of tokens did not come to an end of its own.
    pub(crate) finish: Option<Finish>,
}

impl Words {
    pub(crate) fn new(generation: Generation, until: Instant, (metrics, task): (VoiceMetrics, Task)) -> Self {
        Self { generation, until, metrics, task, held: Some(String::new()), blank: false, bytes: 0, finish: None }
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// When the engine fails or does not answer in time; nothing comes after that.
    pub async fn next(&mut self) -> Result<Option<String>, Fault> {
        loop {
            let Ok(event) = tokio::time::timeout_at(self.until, self.generation.next()).await else {
                return Err(Fault::Deadline);
            };
            match event {
                Some(Event::Text(text)) => {
                    self.bytes += text.len();
                    if self.bytes > MOST {
                        return Err(Fault::Malformed);
                    }
                    if let Some(text) = self.spoken(text) {
                        return Ok(Some(text));
                    }
                }
                Some(Event::End(end)) => {
                    self.metrics.ended(self.task, &end.usage);
                    match end.outcome {
                        Outcome::Finished(finish) => self.finish = Some(finish),
                        Outcome::Cancelled => return Err(Fault::Deadline),
                        Outcome::Failed(error) => return Err(Fault::from(&error)),
                    }
                    let rest = self.held.take().filter(|held| !held.is_empty() && !held.starts_with(THINKS));
                    return Ok(rest);
                }
                None => return Ok(None),
            }
        }
    }

    /// What of a piece is meant to be said.
    fn spoken(&mut self, text: String) -> Option<String> {
        let Some(held) = &mut self.held else {
            let text = if self.blank { text.trim_start().to_owned() } else { text };
            self.blank &= text.is_empty();
            return Some(text).filter(|text| !text.is_empty());
        };
        held.push_str(&text);
        let began = held.trim_start();
        if began.starts_with(THINKS) {
            let said = began.split_once(THOUGHT)?.1.trim_start().to_owned();
            self.held = None;
            self.blank = said.is_empty();
            return Some(said).filter(|said| !said.is_empty());
        }
        // May still become the mark.
        if THINKS.starts_with(began) {
            return None;
        }
        self.held.take()
    }
}
