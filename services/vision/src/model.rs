//! Where the model comes from: the binary, or a folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use crate::card::Card;
use crate::engine::{Engine, EngineError};

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// The model as a flag.
#[derive(Args, Clone, Debug)]
pub struct ModelArgs {
    /// Folder of another model, with model.json and tongue.safetensors
    #[arg(long, env = "WENZHEN_MODEL", value_name = "DIR", help_heading = "Model")]
    pub model: Option<PathBuf>,
}

/// Why there is no model.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// None was built in, and none was named.
    #[error("no model: none is built in, name one with --model")]
    None,
    /// A file cannot be read.
    #[error("--model {}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It cannot be used.
    #[error("the model cannot be used: {0}")]
    Engine(#[from] EngineError),
}

impl ModelArgs {
    /// Loads the model and has it look once.
    ///
    /// # Errors
    /// When there is none, or it cannot be used.
    pub fn load(&self) -> Result<Engine, ModelError> {
        match &self.model {
            Some(folder) => from_folder(folder),
            None => embedded()?.ok_or(ModelError::None),
        }
    }
}

/// The built-in model; `None` in a build without one.
///
/// # Errors
/// When it cannot be used.
pub fn embedded() -> Result<Option<Engine>, EngineError> {
    EMBEDDED.map(|(card, weights)| Engine::load(card, weights)).transpose()
}

/// A model that is loaded, or its card and a way to load it when the first picture comes.
#[derive(Debug)]
pub enum Model {
    /// It is there.
    Loaded(Arc<Engine>),
    /// It is not there yet.
    Later(Box<Card>, Load),
}

/// Loads a model; takes its time.
pub type Load = fn() -> Result<Option<Engine>, EngineError>;

impl Model {
    /// What it says of itself.
    pub fn card(&self) -> &Card {
        match self {
            Self::Loaded(engine) => engine.card(),
            Self::Later(card, _) => card,
        }
    }
}

impl From<Engine> for Model {
    fn from(engine: Engine) -> Self {
        Self::Loaded(Arc::new(engine))
    }
}

/// The built-in model, loaded when the first picture comes: where everything runs in one process, its networks would
/// be a good part of the memory, and most consultations never show a tongue.
///
/// # Errors
/// When its card cannot be read.
pub fn embedded_later() -> Result<Option<Model>, EngineError> {
    let card = EMBEDDED.map(|(card, _)| Card::read(card).map_err(EngineError::Card)).transpose()?;
    Ok(card.map(|card| Model::Later(Box::new(card), embedded)))
}

/// The model in a folder.
///
/// # Errors
/// When a file cannot be read, or the model not used.
pub fn from_folder(folder: &Path) -> Result<Engine, ModelError> {
    let read = |name: &str| {
        let path = folder.join(name);
        std::fs::read(&path).map_err(|error| ModelError::File { path, error })
    };
    Ok(Engine::load(&read("model.json")?, &read("tongue.safetensors")?)?)
}
