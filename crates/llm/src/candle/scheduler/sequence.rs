//! One sequence under way: its tokens, what of them is computed, and how its text goes out.

use std::time::{Duration, Instant};

use crate::candle::decoder::Row;
use crate::candle::grammar::{Grammar, Next};
use crate::candle::sampler::Sampler;
use crate::candle::tokens::{Characters, Tokens};
use crate::stop::Stops;
use crate::{End, Error, Event, Finish, Outcome, Usage};

use super::prompt::Job;

/// A sequence that holds a slot.
pub(crate) struct Sequence {
    /// Prompt and text.
    pub(crate) tokens: Vec<u32>,
    /// How many of them are computed.
    pub(crate) computed: usize,
    job: Job,
    usage: Usage,
    sampler: Sampler,
    grammar: Option<Grammar>,
    characters: Characters,
    stops: Stops,
}

impl Sequence {
    /// Of a job, the first `reused` tokens of which are computed already.
    pub(crate) fn new(mut job: Job, reused: usize) -> Self {
        let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let usage = Usage {
            prompt_tokens: count(job.prompt.len()),
            reused_tokens: count(reused),
            queued: job.submitted.elapsed(),
            ..Usage::default()
        };
        Self {
            tokens: job.prompt.clone(),
            computed: reused,
            usage,
            sampler: Sampler::new(job.sampling, &job.prompt),
            grammar: job.grammar.take(),
            characters: Characters::default(),
            stops: Stops::new(&job.stop),
            job,
        }
    }

    /// Tokens of the prompt.
    pub(crate) fn prompt(&self) -> &[u32] {
        &self.job.prompt
    }

    /// Tokens that are not computed yet: what is left of the prompt, or the one that was drawn last.
    pub(crate) fn left(&self) -> usize {
        self.tokens.len() - self.computed
    }

    /// Whether its prompt is read.
    pub(crate) fn speaks(&self) -> bool {
        self.computed >= self.job.prompt.len()
    }

    /// Why it must stop now, whatever the model would say.
    pub(crate) fn interrupted(&self, now: Instant) -> Option<Outcome> {
        if self.job.events.is_closed() {
            Some(Outcome::Cancelled)
        } else if self.job.late(now) {
            Some(Outcome::Failed(Error::Deadline))
        } else {
            None
        }
    }

    /// The next rows, at most so many.
    pub(crate) fn rows(&self, slot: usize, most: usize) -> impl Iterator<Item = Row> + '_ {
        let to = self.tokens.len().min(self.computed + most);
        (self.computed..to).map(move |position| Row {
            slot,
            position,
            token: self.tokens[position],
            logits: position + 1 == self.tokens.len(),
        })
    }

    /// Draws the next token and sends its text; gives how it ended, where it did.
    pub(crate) fn advance(&mut self, logits: &[f32], tokens: &Tokens) -> Option<Outcome> {
        match self.draw(logits, tokens) {
            Ok(finish) => finish.map(Outcome::Finished),
            Err(error) => Some(Outcome::Failed(error)),
        }
    }

    fn draw(&mut self, logits: &[f32], tokens: &Tokens) -> Result<Option<Finish>, Error> {
        // Rows of the embedding beyond the tokenizer stand for nothing.
        let logits = logits.get(..tokens.size()).ok_or(Error::NotANumber)?;
        let token = match &mut self.grammar {
            None => self.sampler.draw(logits, |token| tokens.drawable(token))?,
            Some(grammar) => match grammar.next()? {
                Next::Done => return Ok(Some(Finish::Stop)),
                Next::Allowed(allowed) => {
                    let token = self.sampler.draw(logits, |token| allowed.is_allowed(token))?;
                    grammar.take(token)?;
                    token
                }
            },
        };
        self.tokens.push(token);
        self.usage.generated_tokens += 1;
        self.usage.to_first_token.get_or_insert_with(|| self.job.submitted.elapsed());
        if tokens.ends(token) {
            return Ok(Some(Finish::Stop));
        }
        let text = self.characters.push(tokens.bytes(token));
        let text = self.stops.push(&text);
        self.send(text);
        if self.stops.stopped() || self.grammar.as_ref().is_some_and(Grammar::done) {
            return Ok(Some(Finish::Stop));
        }
        Ok((self.usage.generated_tokens >= self.job.max_tokens).then_some(Finish::Length))
    }

    /// There is room for every text, so sending never waits; a reader who left is noticed before the next pass.
    fn send(&self, text: String) {
        if !text.is_empty() {
            let _ = self.job.events.try_send(Event::Text(text));
        }
    }

    /// Sends what was held back, and the end; gives what it cost.
    pub(crate) fn end(mut self, outcome: Outcome) -> (Vec<u32>, usize, Usage) {
        if matches!(outcome, Outcome::Finished(_)) && !self.stops.stopped() {
            let rest = self.characters.rest();
            let rest = self.stops.push(&rest) + &self.stops.rest();
            self.send(rest);
        }
        self.usage.total = self.job.submitted.elapsed();
        let _ = self.job.events.try_send(Event::End(End { outcome, usage: self.usage }));
        (self.tokens, self.computed, self.usage)
    }

    /// Whether it has drawn a token yet.
    pub(crate) fn generated(&self) -> u32 {
        self.usage.generated_tokens
    }

    /// From submission to now.
    pub(crate) fn age(&self) -> Duration {
        self.job.submitted.elapsed()
    }
}
