//! Weights of a Hugging Face folder: one `model.safetensors`, or shards with an index.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

use super::{LoadError, Source, Stored};
use crate::candle::kernels::memory::map;

/// Mapped files, and which of them holds which weight.
pub(crate) struct Safetensors {
    files: Vec<(PathBuf, Mmap)>,
    places: BTreeMap<String, usize>,
    unread: BTreeSet<String>,
}

impl Safetensors {
    /// Maps the files of a folder and checks their heads.
    pub(crate) fn open(folder: &Path) -> Result<Self, LoadError> {
        let mut opened = Self { files: Vec::new(), places: BTreeMap::new(), unread: BTreeSet::new() };
        for path in files(folder)? {
            let file = map(&path).map_err(|error| LoadError::file(&path, error))?;
            let content = SafeTensors::deserialize(&file).map_err(|error| LoadError::damaged(&path, error))?;
            for name in content.names() {
                opened.places.insert(name.into(), opened.files.len());
                // Older files hold this table, which follows from the configuration.
                if !name.ends_with("rotary_emb.inv_freq") {
                    opened.unread.insert(name.into());
                }
            }
            opened.files.push((path, file));
        }
        Ok(opened)
    }
}

/// The files with weights.
fn files(folder: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let index = folder.join("model.safetensors.index.json");
    let Ok(text) = std::fs::read(&index) else { return Ok(vec![folder.join("model.safetensors")]) };
    let json: Value = serde_json::from_slice(&text).map_err(|error| LoadError::damaged(&index, error))?;
    let map = json.get("weight_map").and_then(Value::as_object);
    let names: BTreeSet<&str> = map.into_iter().flat_map(|map| map.values()).filter_map(Value::as_str).collect();
    // A name is one of this folder, whatever the index says.
    let names = names.into_iter().filter_map(|name| Path::new(name).file_name());
    let files: Vec<PathBuf> = names.map(|name| folder.join(name)).collect();
    if files.is_empty() { Err(LoadError::damaged(&index, "it names no file")) } else { Ok(files) }
}

impl Source for Safetensors {
    fn get(&mut self, name: &str) -> Result<Option<(Stored, Vec<usize>)>, LoadError> {
        let Some((path, file)) = self.places.get(name).and_then(|index| self.files.get(*index)) else {
            return Ok(None);
        };
        self.unread.remove(name);
        let damaged = |error| LoadError::damaged(path, error);
        let content = SafeTensors::deserialize(file).map_err(damaged)?;
        let view = content.tensor(name).map_err(damaged)?;
        let halves = || view.data().chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]])).collect();
        let stored = match view.dtype() {
            Dtype::F32 => {
                Stored::F32(view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
            }
            Dtype::F16 => Stored::F16(halves()),
            Dtype::BF16 => Stored::Bf16(halves()),
            other => return Err(LoadError::Unsupported(format!("weights of type {other:?}"))),
        };
        Ok(Some((stored, view.shape().to_vec())))
    }

    fn unread(&self) -> Vec<String> {
        self.unread.iter().cloned().collect()
    }
}
