//! Texts held to a JSON Schema while they are decoded.

use std::sync::Arc;

use llguidance::api::TopLevelGrammar;
use llguidance::toktrie::{ApproximateTokEnv, SimpleVob, TokRxInfo, TokTrie};
use llguidance::{Matcher, ParserFactory};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::tokens::Tokens;
use crate::Error;

/// Makes grammars over one model's tokens. The table of all tokens is made with the first.
pub(crate) struct Grammars {
    factory: Mutex<Option<Arc<ParserFactory>>>,
}

/// Where one text stands in its grammar.
pub(crate) struct Grammar {
    matcher: Matcher,
}

/// What a grammar says of the next token.
pub(crate) enum Next {
    /// It is one of these.
    Allowed(SimpleVob),
    /// There is none: the text is whole.
    Done,
}

impl Grammars {
    pub(crate) fn new() -> Self {
        Self { factory: Mutex::new(None) }
    }

    /// The grammar of a schema.
    ///
    /// # Errors
    /// [`Error::Schema`] where it is no schema, asks for something that is not supported, or allows nothing.
    pub(crate) fn compile(&self, schema: &Value, tokens: &Tokens) -> Result<Grammar, Error> {
        let factory = self.factory(tokens)?;
        let mut schema = schema.clone();
        if let Some(object) = schema.as_object_mut() {
            // A model may fill a text with spaces for ever.
            object.insert("x-guidance".into(), json!({ "whitespace_flexible": false }));
        }
        let parser = factory.create_parser(TopLevelGrammar::from_json_schema(schema)).map_err(wrong)?;
        let mut matcher = Matcher::new(Ok(parser));
        // A schema may be well-formed and still begin with nothing.
        matcher.compute_mask().map_err(wrong)?;
        Ok(Grammar { matcher })
    }

    fn factory(&self, tokens: &Tokens) -> Result<Arc<ParserFactory>, Error> {
        let mut factory = self.factory.lock();
        if let Some(factory) = factory.as_ref() {
            return Ok(Arc::clone(factory));
        }
        let size = u32::try_from(tokens.size()).unwrap_or(u32::MAX);
        let mut words: Vec<Vec<u8>> = (0..size).map(|token| tokens.bytes(token).to_vec()).collect();
        for (token, mark) in tokens.marks() {
            if let Some(word) = words.get_mut(token as usize) {
                *word = [&[TokTrie::SPECIAL_TOKEN_MARKER], mark.as_bytes()].concat();
            }
        }
        let end = tokens.end_tokens().first().copied().unwrap_or(0);
        let trie = TokTrie::from(&TokRxInfo::new(size, end), &words).with_eos_tokens(tokens.end_tokens());
        let mut made = ParserFactory::new_simple(&(Arc::new(ApproximateTokEnv::new(trie)) as _)).map_err(wrong)?;
        // It would write to the error output, of texts too.
        made.quiet();
        let made = Arc::new(made);
        *factory = Some(Arc::clone(&made));
        Ok(made)
    }
}

/// What llguidance says of a schema; it knows no text.
fn wrong(error: impl ToString) -> Error {
    Error::Schema(error.to_string().lines().next().unwrap_or_default().to_owned())
}

impl Grammar {
    /// What may come next.
    pub(crate) fn next(&mut self) -> Result<Next, Error> {
        if self.matcher.is_stopped() {
            return if self.matcher.is_error() { Err(stuck()) } else { Ok(Next::Done) };
        }
        self.matcher.compute_mask().map(Next::Allowed).map_err(|_| stuck())
    }

    /// Likely tokens of what must come next whatever is drawn, at most so many.
    pub(crate) fn forced(&mut self, most: usize, tokens: &Tokens) -> Vec<u32> {
        let bytes = self.matcher.compute_ff_bytes();
        let text = match std::str::from_utf8(&bytes) {
            Ok(text) => text,
            Err(error) => bytes.get(..error.valid_up_to()).and_then(|whole| str::from_utf8(whole).ok()).unwrap_or(""),
        };
        let mut forced = if text.is_empty() { Vec::new() } else { tokens.encode(text).unwrap_or_default() };
        forced.truncate(most);
        forced
    }

    /// Goes on by the token that was drawn.
    pub(crate) fn take(&mut self, token: u32) -> Result<(), Error> {
        self.matcher.consume_token(token).map_err(|_| stuck())
    }

    /// Whether nothing may come any more.
    pub(crate) fn done(&self) -> bool {
        self.matcher.is_stopped()
    }
}

/// The matcher's own words may quote the text.
fn stuck() -> Error {
    Error::Schema("the text cannot go on by it".into())
}
