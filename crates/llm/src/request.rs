//! What an engine is asked.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use crate::Error;

/// Who speaks a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Whoever set the task.
    System,
    /// Whoever is answered.
    User,
    /// The model, earlier.
    Assistant,
}

/// One message of a dialogue. Its content may hold patient text, which no `Debug` shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: String,
}

impl Message {
    /// What whoever set the task says.
    pub fn system(content: impl Into<String>) -> Self {
        Self { role: Role::System, content: content.into() }
    }

    /// What whoever is answered says.
    pub fn user(content: impl Into<String>) -> Self {
        Self { role: Role::User, content: content.into() }
    }

    /// What the model said.
    pub fn assistant(content: impl Into<String>) -> Self {
        Self { role: Role::Assistant, content: content.into() }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({} bytes)", self.role, self.content.len())
    }
}

/// How the next token is drawn. The same seed gives the same tokens, whatever else is in the batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// 0 takes the likeliest token (greedy); above, logits are divided by it.
    pub temperature: f32,
    /// Draws from the fewest tokens that together have this probability, in (0, 1]; 1 is off.
    pub top_p: f32,
    /// Draws from this many tokens at most; 0 is off.
    pub top_k: u32,
    /// Draws from tokens with at least this share of the likeliest one's probability, in [0, 1); 0 is off.
    pub min_p: f32,
    /// Divides positive logits of tokens that stand in the dialogue already, multiplies negative ones; 1 is off.
    pub repetition_penalty: f32,
    /// Seed of the draws.
    pub seed: u64,
}

impl Default for Sampling {
    /// Greedy.
    fn default() -> Self {
        Self { temperature: 0.0, top_p: 1.0, top_k: 0, min_p: 0.0, repetition_penalty: 1.0, seed: 0 }
    }
}

/// One generation to make.
#[derive(Clone)]
pub struct Request {
    /// The dialogue so far, oldest first; not empty.
    pub messages: Vec<Message>,
    /// Most tokens to make; at least 1.
    pub max_tokens: u32,
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// Strings that end the text; they are not part of it. None is empty.
    pub stop: Vec<String>,
    /// JSON Schema that the text is held to while it is decoded.
    pub schema: Option<Arc<serde_json::Value>>,
    /// When the answer is worth nothing any more.
    pub deadline: Option<Instant>,
}

impl Request {
    /// A greedy request without stops, schema or deadline.
    #[must_use]
    pub fn new(messages: Vec<Message>, max_tokens: u32) -> Self {
        Self { messages, max_tokens, sampling: Sampling::default(), stop: Vec::new(), schema: None, deadline: None }
    }

    /// Checks what every engine demands of a request.
    ///
    /// # Errors
    /// [`Error::Request`] says what is wrong, [`Error::Deadline`] that it is over.
    pub fn validate(&self) -> Result<(), Error> {
        let sampling = &self.sampling;
        let numbers = [sampling.temperature, sampling.top_p, sampling.min_p, sampling.repetition_penalty];
        let wrong = [
            (self.messages.is_empty(), "it has no message"),
            (self.max_tokens == 0, "max_tokens is 0"),
            (self.stop.iter().any(String::is_empty), "a stop string is empty"),
            (numbers.iter().any(|number| !number.is_finite()), "a number of the sampling is not finite"),
            (sampling.temperature < 0.0, "temperature is negative"),
            (!(sampling.top_p > 0.0 && sampling.top_p <= 1.0), "top_p is not in (0, 1]"),
            (!(0.0..1.0).contains(&sampling.min_p), "min_p is not in [0, 1)"),
            (sampling.repetition_penalty <= 0.0, "repetition_penalty is not positive"),
        ];
        if let Some((_, reason)) = wrong.iter().find(|(wrong, _)| *wrong) {
            return Err(Error::Request(reason));
        }
        match self.deadline {
            Some(deadline) if deadline <= Instant::now() => Err(Error::Deadline),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("messages", &self.messages)
            .field("max_tokens", &self.max_tokens)
            .field("sampling", &self.sampling)
            .field("stops", &self.stop.len())
            .field("schema", &self.schema.is_some())
            .field("deadline", &self.deadline)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        Request::new(vec![Message::user("secret words")], 8)
    }

    #[test]
    fn a_default_request_is_right() {
        assert_eq!(request().validate(), Ok(()));
    }

    #[test]
    fn every_wrong_field_is_named() {
        type Spoil = fn(&mut Request);
        let cases: [(Spoil, &str); 7] = [
            (|r| r.messages.clear(), "message"),
            (|r| r.max_tokens = 0, "max_tokens"),
            (|r| r.stop.push(String::new()), "stop"),
            (|r| r.sampling.temperature = f32::NAN, "finite"),
            (|r| r.sampling.top_p = 0.0, "top_p"),
            (|r| r.sampling.min_p = 1.0, "min_p"),
            (|r| r.sampling.repetition_penalty = 0.0, "repetition_penalty"),
        ];
        for (spoil, word) in cases {
            let mut request = request();
            spoil(&mut request);
            let error = request.validate().unwrap_err().to_string();
            assert!(error.contains(word), "{error} does not name {word}");
        }
    }

    #[test]
    fn a_past_deadline_is_over() {
        let request = Request { deadline: Some(Instant::now()), ..request() };
        assert_eq!(request.validate(), Err(Error::Deadline));
    }

    #[test]
    fn debug_shows_no_words() {
        let mut request = request();
        request.stop.push("secret stop".into());
        let shown = format!("{request:?}");
        assert!(!shown.contains("secret") && shown.contains("12 bytes"), "{shown}");
    }
}
