//! The engine: a loaded model, its thread, and what is done for a request before it waits for a slot.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use parking_lot::Mutex;

use super::decoder::{Decoder, Row};
use super::error::LoadError;
use super::grammar::Grammars;
use super::open::Room;
use super::scheduler::{Job, Scheduler, Shared};
use super::target::Target;
use super::template::Template;
use super::tokens::{Tokens, gguf_template};
use super::weights::{Form, Gguf};
use crate::{Engine, Error, Generation, Model, Request, Statistics};

/// How a model is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Generations that run at once; each takes memory for keys and values of `context` tokens, as it reaches them.
    pub slots: usize,
    /// Requests that wait beyond those.
    pub waiting: usize,
    /// Tokens of prompt and text together; no more than the model was made for is taken.
    pub context: usize,
    /// Rows of prompts in one pass.
    pub chunk: usize,
    /// Whether what was computed before is used again for prompts that begin the same way.
    pub reuse: bool,
    /// Whether tokens that likely come next are computed beside the last one, as far as that costs little. On a CPU no
    /// text depends on it; on a GPU as little as on what else is in a pass.
    pub guess: bool,
    /// In which form weights are kept.
    pub form: Form,
    /// Where the model is computed.
    pub target: Target,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            slots: 16,
            waiting: 64,
            context: 8192,
            chunk: 512,
            reuse: true,
            guess: true,
            form: Form::Stored,
            target: Target::Cpu,
        }
    }
}

/// A model in this process.
pub struct Candle {
    model: Model,
    tokens: Arc<Tokens>,
    template: Template,
    grammars: Grammars,
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Candle {
    /// Loads a folder or a GGUF file, makes a first pass, and starts to serve. Takes seconds, and the processor.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn open(path: &Path, options: &Options) -> Result<Self, LoadError> {
        let (mut decoder, tokens, template) = load(path, options)?;
        warm(&mut decoder)?;
        let context = u32::try_from(decoder.context()).unwrap_or(u32::MAX);
        let model = Model { name: name(path), context_tokens: context };
        let tokens = Arc::new(tokens);
        let shared = Arc::new(Shared::new(decoder.slots(), options.waiting));
        let scheduler = Scheduler::new(decoder, Arc::clone(&tokens), Arc::clone(&shared), options);
        let thread = std::thread::Builder::new().name("llm".into()).spawn(move || scheduler.run());
        let thread = thread.map_err(|error| LoadError::file(path, error))?;
        let grammars = Grammars::new();
        Ok(Self { model, tokens, template, grammars, shared, thread: Mutex::new(Some(thread)) })
    }

    /// The dialogue in tokens, of which the context has room for at least one more.
    fn prompt(&self, request: &Request) -> Result<Vec<u32>, Error> {
        let text = self.template.render(&request.messages)?;
        let prompt = self.tokens.encode(&text).ok_or(Error::Request("its text cannot be read as tokens"))?;
        let tokens = u32::try_from(prompt.len()).unwrap_or(u32::MAX);
        let limit = self.model.context_tokens;
        if tokens >= limit {
            return Err(Error::ContextOverflow { tokens, limit });
        }
        if prompt.is_empty() { Err(Error::Request("its text has no tokens")) } else { Ok(prompt) }
    }
}

impl Engine for Candle {
    fn model(&self) -> Model {
        self.model.clone()
    }

    fn submit(&self, request: Request) -> Result<Generation, Error> {
        let submitted = Instant::now();
        request.validate()?;
        let prompt = self.prompt(&request)?;
        let room = self.model.context_tokens as usize - prompt.len();
        let max_tokens = request.max_tokens.min(u32::try_from(room).unwrap_or(u32::MAX));
        let grammar = request.schema.as_ref().map(|schema| self.grammars.compile(schema, &self.tokens)).transpose()?;
        // A text for every token, what was held back, and the end.
        let (events, generation) = Generation::channel(max_tokens as usize + 2);
        let Request { sampling, stop, deadline, .. } = request;
        self.shared.push(Job { prompt, max_tokens, sampling, stop, grammar, deadline, submitted, events })?;
        Ok(generation)
    }

    fn statistics(&self) -> Statistics {
        self.shared.statistics()
    }

    fn close(&self) {
        self.shared.close();
        if let Some(thread) = self.thread.lock().take() {
            // It ends after the pass under way; a panic of its was reported when it happened.
            let _ = thread.join();
        }
    }
}

impl Drop for Candle {
    fn drop(&mut self) {
        self.shared.close();
    }
}

fn load(path: &Path, options: &Options) -> Result<(Decoder, Tokens, Template), LoadError> {
    let room = Room { slots: options.slots, context: options.context, form: options.form };
    if !path.is_file() {
        // A missing tokenizer or template is said before gigabytes are read.
        let config = super::config::Config::from_folder(path)?;
        let tokens = Tokens::from_file(&path.join("tokenizer.json"), config.vocabulary, &config.ends)?;
        let template = Template::from_folder(path, tokens.marks().map(|(_, mark)| mark))?;
        return Ok((Decoder::from_folder(options.target, path, room)?, tokens, template));
    }
    let mut file = Gguf::open(path)?;
    let config = super::config::Config::from_gguf(&file.content, None)?;
    let beside = PathBuf::from(path).with_file_name("tokenizer.json");
    let tokens = if beside.is_file() {
        Tokens::from_file(&beside, config.vocabulary, &config.ends)?
    } else {
        Tokens::from_gguf(&file.content, config.vocabulary, &config.ends)?
    };
    let template = Template::new(gguf_template(&file.content), tokens.marks().map(|(_, mark)| mark))?;
    Ok((Decoder::from_gguf(options.target, &mut file, path, room)?, tokens, template))
}

/// First passes, of a prompt and of a text that goes on: pages and kernels come into memory, and a model that computes no
/// numbers is not served.
fn warm(decoder: &mut Decoder) -> Result<(), LoadError> {
    let (prompt, text) = (16.min(decoder.context()), 17.min(decoder.context()));
    for positions in [0..prompt, prompt..text] {
        let row = |position| Row { slot: 0, position, token: 0, logits: position + 1 >= prompt };
        let rows: Vec<Row> = positions.map(row).collect();
        let mut logits = decoder.forward(&rows)?;
        if !logits.all(|logits| logits.iter().all(|logit| logit.is_finite())) {
            return Err(LoadError::NotANumber);
        }
    }
    Ok(())
}

/// A model is called as its file or folder.
fn name(path: &Path) -> String {
    path.file_stem().map_or_else(|| "model".into(), |name| name.to_string_lossy().into_owned())
}
