//! What there is to set.

use std::path::PathBuf;
use std::time::Duration;

/// How a server is asked to keep to a schema.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum JsonForm {
    /// `response_format` of type `json_schema`.
    #[default]
    JsonSchema,
    /// `response_format` of type `json_object`: JSON, but any.
    JsonObject,
    /// `response_format` of type `json_object` with the schema beside it.
    ObjectSchema,
    /// Nothing: the prompt alone says what is wanted.
    Plain,
}

/// Bounds of time and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Generations at once; more wait.
    pub running: usize,
    /// Generations that wait; more are refused.
    pub waiting: usize,
    /// Until there is a connection, TLS included.
    pub connect: Duration,
    /// From the request to the first event of the answer.
    pub first_byte: Duration,
    /// Between two pieces of the answer.
    pub between_bytes: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            running: 64,
            waiting: 256,
            connect: Duration::from_secs(2),
            first_byte: Duration::from_secs(30),
            between_bytes: Duration::from_secs(15),
        }
    }
}

/// An engine behind OpenAI-compatible servers.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Base URLs, such as `http://vllm:8000/v1`; `/chat/completions` is appended. At least one.
    pub urls: Vec<String>,
    /// Name of the model at the server.
    pub model: String,
    /// Tokens that it has for prompt and text together.
    pub context_tokens: u32,
    /// File with the key, sent as `Authorization: Bearer`.
    pub key_file: Option<PathBuf>,
    /// File with the certificates that https servers are checked against; unset: the system's.
    pub ca_file: Option<PathBuf>,
    /// How a schema is asked for.
    pub json: JsonForm,
    /// Bounds.
    pub limits: Limits,
}

impl Settings {
    /// Settings with defaults for everything but the servers and the model.
    pub fn new(urls: Vec<String>, model: impl Into<String>) -> Self {
        Self {
            urls,
            model: model.into(),
            context_tokens: 4096,
            key_file: None,
            ca_file: None,
            json: JsonForm::default(),
            limits: Limits::default(),
        }
    }

    pub(super) fn check(&self) -> Result<(), SettingsError> {
        if self.model.trim().is_empty() {
            return Err(SettingsError::Model);
        }
        if self.limits.running == 0 || self.limits.running > tokio::sync::Semaphore::MAX_PERMITS {
            return Err(SettingsError::Running);
        }
        Ok(())
    }
}

/// What is wrong with settings. No key is repeated.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// There is no URL.
    #[error("there is no engine URL")]
    NoUrl,
    /// A URL is none, or not one of a server.
    #[error("engine URL {url}: expected http(s)://HOST[:PORT][/PATH], without user, query or fragment")]
    Url {
        /// The URL; where it holds a user, without it.
        url: String,
    },
    /// The model has no name.
    #[error("the model has no name")]
    Model,
    /// No generation could run.
    #[error("at least one generation must be allowed to run")]
    Running,
    /// A file cannot be read.
    #[error("{what} {file}: {cause}", file = .file.display())]
    File {
        /// What it is for.
        what: &'static str,
        /// The file.
        file: PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
    /// The key file holds no key.
    #[error("key file {file}: expected one line of visible ASCII characters", file = .0.display())]
    Key(PathBuf),
    /// There is no certificate to check servers against.
    #[error("no certificate to check https servers against: {0}")]
    Certificates(String),
}
