//! The identity of a pack.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::PackFiles;

/// SHA-256 over every file's path and content, in path order. Two packs are the same
/// knowledge exactly when their digests are equal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of a set of files. Each path and content is preceded by its length, so
    /// that no two different sets run together into the same bytes. Test data of the pack
    /// (`tests/`) is no knowledge and does not count.
    pub fn of(files: &PackFiles) -> Self {
        let mut hash = Sha256::new();
        for (path, content) in files.iter().filter(|(path, _)| !path.starts_with("tests/")) {
            for part in [path.as_bytes(), content] {
                hash.update((part.len() as u64).to_le_bytes());
                hash.update(part);
            }
        }
        Self(hash.finalize().into())
    }

    /// The first twelve hexadecimal digits, for people.
    pub fn short(&self) -> String {
        self.to_string().chars().take(12).collect()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({})", self.short())
    }
}
