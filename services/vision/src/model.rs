//! Where the model comes from: the binary, or a folder.

use std::path::{Path, PathBuf};

use clap::Args;

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
