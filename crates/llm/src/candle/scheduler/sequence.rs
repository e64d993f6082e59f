//! One sequence under way: its tokens, what of them is computed, and how its text goes out.

use std::time::{Duration, Instant};

use crate::candle::decoder::Row;
use crate::candle::grammar::{Grammar, Next};
use crate::candle::sampler::Sampler;
use crate::candle::tokens::{Characters, Tokens};
use crate::stop::Stops;
use crate::{End, Error, Event, Finish, Outcome, Usage};

use super::guess::{Trust, looked_up};
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
    trust: Trust,
    /// Text of the pass under way.
    unsent: String,
    /// Tokens guessed for the pass under way, and how many of them were drawn in it.
    guessed: (usize, usize),
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
            trust: Trust::default(),
            unsent: String::new(),
            guessed: (0, 0),
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

    /// The row of the token that was drawn last, and rows of guesses at what follows, at most so many.
    pub(crate) fn guessing_rows(&mut self, slot: usize, most: usize, tokens: &Tokens) -> Vec<Row> {
        let left = self.job.max_tokens.saturating_sub(self.usage.generated_tokens + 1);
        let most = most.min(left as usize).min(self.trust.length());
        let guess = self.guess(most, tokens);
        self.guessed = (guess.len(), 0);
        let drawn = self.tokens[self.computed..].to_vec();
        let rows = (self.computed..).zip(drawn.into_iter().chain(guess));
        rows.map(|(position, token)| Row { slot, position, token, logits: true }).collect()
    }

    /// What the grammar leaves no choice in, or else what followed the last tokens before.
    fn guess(&mut self, most: usize, tokens: &Tokens) -> Vec<u32> {
        if most == 0 {
            return Vec::new();
        }
        let forced = self.grammar.as_mut().map(|grammar| grammar.forced(most, tokens)).unwrap_or_default();
        if forced.is_empty() { looked_up(&self.tokens, most).to_vec() } else { forced }
    }

    /// Whether a row that was computed is of this sequence: all of the prompt is, guesses are as far as they were drawn
    /// and somebody still reads.
    pub(crate) fn holds(&self, row: &Row) -> bool {
        let wanted = self.guessed.1 == 0 || !self.job.events.is_closed();
        wanted && self.tokens.get(row.position) == Some(&row.token)
    }

    /// Takes a row as computed.
    pub(crate) fn take(&mut self, row: &Row) {
        self.computed = row.position + 1;
    }

    /// After a pass: how many tokens were guessed, and how many of those held.
    pub(crate) fn passed(&mut self) -> (usize, usize) {
        let (guessed, drawn) = std::mem::take(&mut self.guessed);
        let held = drawn.saturating_sub(1);
        self.trust.told(guessed, held);
        (guessed, held)
    }

    /// Draws the next token; gives how it ended, where it did.
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
        self.guessed.1 += 1;
        self.usage.generated_tokens += 1;
        self.usage.to_first_token.get_or_insert_with(|| self.job.submitted.elapsed());
        if tokens.ends(token) {
            return Ok(Some(Finish::Stop));
        }
        let text = self.characters.push(tokens.bytes(token));
        let text = self.stops.push(&text);
        self.unsent.push_str(&text);
        if self.stops.stopped() || self.grammar.as_ref().is_some_and(Grammar::done) {
            return Ok(Some(Finish::Stop));
        }
        Ok((self.usage.generated_tokens >= self.job.max_tokens).then_some(Finish::Length))
    }

    /// Sends the text of a pass. There is room for every text, so sending never waits; a reader who left is noticed
    /// before the next pass.
    pub(crate) fn send(&mut self) {
        if !self.unsent.is_empty() {
            let _ = self.job.events.try_send(Event::Text(std::mem::take(&mut self.unsent)));
        }
    }

    /// Sends what was held back, and the end; gives what it cost.
    pub(crate) fn end(mut self, outcome: Outcome) -> (Vec<u32>, usize, Usage) {
        if matches!(outcome, Outcome::Finished(_)) && !self.stops.stopped() {
            let rest = self.characters.rest();
            let rest = self.stops.push(&rest) + &self.stops.rest();
            self.unsent.push_str(&rest);
        }
        self.send();
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
