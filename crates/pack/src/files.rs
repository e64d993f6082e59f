//! The raw files of a pack, from a folder or from the binary.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::{PackError, PackErrors};

/// Path (relative, `/`-separated) to content, in path order.
#[derive(Debug, Clone, Default)]
pub struct PackFiles(BTreeMap<String, Vec<u8>>);

impl PackFiles {
    /// Reads every regular file below `dir`.
    ///
    /// # Errors
    /// When the folder or a file in it cannot be read.
    pub fn from_dir(dir: &Path) -> Result<Self, PackErrors> {
        let mut files = BTreeMap::new();
        collect(dir, dir, &mut files)?;
        Ok(Self(files))
    }

    /// The file at `path`, if the pack has it.
    pub fn get(&self, path: &str) -> Option<&[u8]> {
        self.0.get(path).map(Vec::as_slice)
    }

    /// Adds or replaces a file.
    pub fn insert(&mut self, path: impl Into<String>, content: impl Into<Vec<u8>>) {
        self.0.insert(path.into(), content.into());
    }

    /// Removes a file; `true` when it was there.
    pub fn remove(&mut self, path: &str) -> bool {
        self.0.remove(path).is_some()
    }

    /// Every file in path order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(path, content)| (path.as_str(), content.as_slice()))
    }
}

impl<P: Into<String>, C: Into<Vec<u8>>> FromIterator<(P, C)> for PackFiles {
    fn from_iter<I: IntoIterator<Item = (P, C)>>(files: I) -> Self {
        Self(files.into_iter().map(|(path, content)| (path.into(), content.into())).collect())
    }
}

fn collect(root: &Path, dir: &Path, files: &mut BTreeMap<String, Vec<u8>>) -> Result<(), PackErrors> {
    let unreadable = |path: &Path, e: std::io::Error| {
        PackErrors::from(PackError::whole(&path.display().to_string(), "a readable file or folder", e.to_string()))
    };
    for entry in fs::read_dir(dir).map_err(|e| unreadable(dir, e))? {
        let path = entry.map_err(|e| unreadable(dir, e))?.path();
        if path.is_dir() {
            collect(root, &path, files)?;
            continue;
        }
        let content = fs::read(&path).map_err(|e| unreadable(&path, e))?;
        let relative = path.strip_prefix(root).unwrap_or(&path);
        let name = relative.components().map(|c| c.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
        files.insert(name, content);
    }
    Ok(())
}
