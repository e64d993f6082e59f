//! The files of the repository, for the tests that keep house rules.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// A file of the repository.
pub struct File {
    /// Path from the repository's root, with `/` between its parts.
    pub path: String,
    /// What it holds, as bytes.
    pub bytes: Vec<u8>,
}

impl File {
    /// Its text; nothing for a file that is no UTF-8 text.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.bytes).ok().filter(|text| !text.contains('\0'))
    }

    /// Its lines, numbered from 1; none for a file that is no text.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text().unwrap_or_default().lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// The name of the file without its folder.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

/// Folders that hold no source: version control, and what tools leave behind.
const SKIPPED: [&str; 7] = [".git", ".wenzhen", "target", "node_modules", "__pycache__", ".venv", "venv"];

/// Every file of the repository, in the order of its path.
pub fn files() -> &'static [File] {
    static FILES: LazyLock<Vec<File>> = LazyLock::new(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut paths = Vec::new();
        walk(root, &mut paths);
        paths.sort();
        paths.into_iter().map(|path| read(root, &path)).collect()
    });
    &FILES
}

/// Every Rust file of the repository.
pub fn rust() -> impl Iterator<Item = &'static File> {
    files().iter().filter(|file| file.path.ends_with(".rs"))
}

/// The file at a path from the root.
pub fn file(path: &str) -> &'static File {
    files()
        .iter()
        .find(|file| file.path == path)
        .unwrap_or_else(|| panic!("{path} is gone: mend the rule that names it"))
}

/// Fails with every offence that was found.
pub fn assert_none(rule: &str, offences: &[String]) {
    assert!(offences.is_empty(), "{rule}; {} offend:\n  {}", offences.len(), offences.join("\n  "));
}

fn read(root: &Path, path: &Path) -> File {
    let relative = path.strip_prefix(root).unwrap();
    let parts: Vec<_> = relative.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    File { path: parts.join("/"), bytes: std::fs::read(path).unwrap() }
}

// Links are not followed: they may lead out of the repository or round in circles.
fn walk(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let (kind, path, name) = (entry.file_type().unwrap(), entry.path(), entry.file_name());
        if kind.is_dir() {
            // A build folder of any name is marked as a cache by the tool that made it.
            let cache = path.join("CACHEDIR.TAG").exists();
            if !cache && !SKIPPED.iter().any(|skipped| name == *skipped) {
                walk(&path, paths);
            }
        } else if kind.is_file() && path.extension().is_none_or(|extension| extension != "redb") {
            paths.push(path);
        }
    }
}
