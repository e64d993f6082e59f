//! From a path to a decoder: a folder in Hugging Face's layout, or one GGUF file.

use std::path::Path;

use super::config::Config;
use super::cpu::Cpu;
use super::decoder::Decoder;
use super::error::LoadError;
use super::target::{self, Target};
use super::tensor::{self, Tensors};
use super::weights::{self, Form, Gguf, Safetensors, Source};

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
    /// Loads a folder or a GGUF file, to be computed on the processor.
    ///
    /// # Errors
    /// See [`LoadError`]; nothing is served of a model that is not whole.
    pub fn open(path: &Path, room: Room) -> Result<Self, LoadError> {
        Self::open_on(Target::Cpu, path, room)
    }

    /// Loads a folder or a GGUF file, to be computed there.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn open_on(target: Target, path: &Path, room: Room) -> Result<Self, LoadError> {
        if path.is_file() {
            Self::from_gguf(target, &mut Gguf::open(path)?, path, room)
        } else {
            Self::from_folder(target, path, room)
        }
    }

    pub(crate) fn from_gguf(target: Target, file: &mut Gguf, path: &Path, room: Room) -> Result<Self, LoadError> {
        let factors = file.factors()?;
        let config = Config::from_gguf(&file.content, factors)?;
        Self::load(target, config, file, path, room)
    }

    pub(crate) fn from_folder(target: Target, folder: &Path, room: Room) -> Result<Self, LoadError> {
        let config = Config::from_folder(folder)?;
        let mut files = Safetensors::open(folder)?;
        Self::load(target, config, &mut files, folder, room)
    }

    fn load(
        target: Target,
        config: Config,
        source: &mut dyn Source,
        path: &Path,
        room: Room,
    ) -> Result<Self, LoadError> {
        let (slots, context) = (room.slots.max(1), room.context.min(config.context));
        let device = target.device()?;
        let working = device.as_ref().map_or(0, |_| tensor::working_bytes(&config, context));
        let needed = config.kv_bytes() * slots * context + working;
        check_memory(weights::size(path) + needed as u64, device.as_ref().map_or_else(available, target::free))?;
        match device {
            None => {
                let weights = weights::load(&config, source, &room.form)?;
                Ok(Self::new(Cpu::new(config, weights, slots, context)?, slots, context))
            }
            Some(device) => {
                let backend = Tensors::load(config, source, room.form, (slots, context), device)?;
                Ok(Self::new(backend, slots, context))
            }
        }
    }
}

/// Refuses what would not fit before the system has to end the process.
fn check_memory(needed: u64, available: Option<u64>) -> Result<(), LoadError> {
    const MIB: u64 = 1 << 20;
    match available {
        Some(available) if needed > available => {
            Err(LoadError::Memory { needed_mib: needed / MIB, available_mib: available / MIB })
        }
        _ => Ok(()),
    }
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
