//! The `openai` engine: a model behind any server that speaks `POST /v1/chat/completions` with server-sent events (vLLM,
//! SGLang, llama.cpp, TGI).
//!
//! Each generation is a task of its own with a connection of its own: dropping the generation drops the connection, which
//! every such server takes for a cancellation. Several base URLs are balanced by requests in flight. Before the first
//! byte of an answer a failed attempt goes to another one of them, once; after it nothing is tried again.
//!
//! - `settings.rs`: what there is to set, checked; `key.rs`: the key, read again when its file changes
//! - `replicas.rs`: the servers; `connect.rs`: a connection to one; `call.rs`: one attempt, up to its first byte
//! - `body.rs`: the request as JSON; `events.rs`: lines and chunks of the answer
//! - `run.rs`: a generation from its place in the queue to its end

mod body;
mod call;
mod connect;
mod events;
mod key;
mod replicas;
mod run;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};

pub use self::settings::{JsonForm, Limits, Settings, SettingsError};

use self::connect::Connector;
use self::key::Key;
use self::replicas::Replicas;
use self::run::Run;
use crate::{Engine, Error, Generation, Model, Request, Statistics};

/// The hint to those for whom there is no place in the queue.
const RETRY_AFTER: Duration = Duration::from_millis(250);
/// Pieces of text that wait for their reader.
const AHEAD: usize = 16;

/// The engine; see the module.
pub struct OpenAi(Arc<Inner>);

struct Inner {
    settings: Settings,
    key: Option<Key>,
    connector: Connector,
    replicas: Replicas,
    slots: Arc<Semaphore>,
    statistics: Mutex<Statistics>,
    closed: watch::Sender<bool>,
    runtime: Handle,
}

impl OpenAi {
    /// Prepares the engine; no server needs to be there yet. Its generations run on `runtime`. Reads the key and the
    /// certificates; blocks.
    ///
    /// # Errors
    /// When a URL, the key file or the certificates cannot be used.
    pub fn start(settings: Settings, runtime: Handle) -> Result<Self, SettingsError> {
        settings.check()?;
        let key = settings.key_file.clone().map(Key::open).transpose()?;
        let replicas = Replicas::new(&settings.urls)?;
        let connector = Connector::new(&settings, replicas.any_https())?;
        let slots = Arc::new(Semaphore::new(settings.limits.running));
        let (closed, _) = watch::channel(false);
        let statistics = Mutex::default();
        Ok(Self(Arc::new(Inner { settings, key, connector, replicas, slots, statistics, closed, runtime })))
    }
}

impl Engine for OpenAi {
    fn model(&self) -> Model {
        let settings = &self.0.settings;
        Model { name: settings.model.clone(), context_tokens: settings.context_tokens }
    }

    fn submit(&self, request: Request) -> Result<Generation, Error> {
        request.validate()?;
        if *self.0.closed.borrow() {
            return Err(Error::Unavailable("it is closed"));
        }
        let permit = Arc::clone(&self.0.slots).try_acquire_owned().ok();
        {
            let mut statistics = self.0.statistics.lock();
            if permit.is_some() {
                statistics.running += 1;
            } else if statistics.waiting as usize >= self.0.settings.limits.waiting {
                return Err(Error::Overloaded { retry_after: RETRY_AFTER });
            } else {
                statistics.waiting += 1;
            }
        }
        let (sender, generation) = Generation::channel(AHEAD);
        let run = Run::new(Arc::clone(&self.0), request, sender, permit);
        self.0.runtime.spawn(run.to_the_end());
        Ok(generation)
    }

    fn statistics(&self) -> Statistics {
        *self.0.statistics.lock()
    }

    fn close(&self) {
        self.0.closed.send_replace(true);
    }
}

impl Drop for OpenAi {
    fn drop(&mut self) {
        self.close();
    }
}
