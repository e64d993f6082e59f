//! From a path to a decoder: a folder in Hugging Face's layout, or one GGUF file.

use std::path::Path;

use super::config::Config;
use super::decoder::Decoder;
use super::error::LoadError;
use super::weights::{self, Form, Gguf, Safetensors};

/// How much room a decoder has, and how it keeps its weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Sequences that run at once.
    pub slots: usize,
    /// Tokens of a sequence, prompt and text together; no more than the model was made for is taken.
    pub context: usize,
    /// In which form weights are kept.
    pub form: Form,
}

impl Decoder {
    /// Loads a folder or a GGUF file.
    ///
    /// # Errors
    /// See [`LoadError`]; nothing is served of a model that is not whole.
    pub fn open(path: &Path, room: Room) -> Result<Self, LoadError> {
        if path.is_file() { Self::from_gguf(&mut Gguf::open(path)?, path, room) } else { Self::from_folder(path, room) }
    }

    pub(crate) fn from_gguf(file: &mut Gguf, path: &Path, room: Room) -> Result<Self, LoadError> {
        let factors = file.factors()?;
        let config = Config::from_gguf(&file.content, factors)?;
        check_memory(&config, path, room)?;
        let weights = weights::load(&config, file, room.form)?;
        Self::with_room(config, weights, room)
    }

    pub(crate) fn from_folder(folder: &Path, room: Room) -> Result<Self, LoadError> {
        let config = Config::from_folder(folder)?;
        let mut files = Safetensors::open(folder)?;
        check_memory(&config, folder, room)?;
        let weights = weights::load(&config, &mut files, room.form)?;
        Self::with_room(config, weights, room)
    }

    fn with_room(config: Config, weights: super::decoder::Weights, room: Room) -> Result<Self, LoadError> {
        let context = room.context.min(config.context);
        Self::new(config, weights, room.slots.max(1), context)
    }
}

/// Refuses what would not fit before the system has to end the process.
fn check_memory(config: &Config, path: &Path, room: Room) -> Result<(), LoadError> {
    const MIB: u64 = 1 << 20;
    let Some(available) = available() else { return Ok(()) };
    let caches = (config.kv_bytes() * room.slots * room.context.min(config.context)) as u64;
    let needed = weights::size(path) + caches;
    if needed > available {
        return Err(LoadError::Memory { needed_mib: needed / MIB, available_mib: available / MIB });
    }
    Ok(())
}

/// Bytes that this process may still take: what the system has left, and what its group is allowed.
fn available() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let system = line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? * 1024;
    let number = |file: &str| std::fs::read_to_string(file).ok()?.trim().parse::<u64>().ok();
    let group = number("/sys/fs/cgroup/memory.max")
        .map(|most| most.saturating_sub(number("/sys/fs/cgroup/memory.current").unwrap_or(0)));
    Some(system.min(group.unwrap_or(u64::MAX)))
}
