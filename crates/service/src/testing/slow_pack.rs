//! A pack that takes as long to load as a test wants.

use std::io;
use std::path::{Path, PathBuf};

use tokio::process::Command;

/// A copy of a pack that cannot be read to its end before [`SlowPack::finish`]: one of its files is a pipe.
#[derive(Debug)]
pub struct SlowPack {
    folder: tempfile::TempDir,
    rest: Vec<u8>,
}

impl SlowPack {
    const HELD: &str = "pack.toml";

    /// Copies the pack.
    ///
    /// # Errors
    /// When a file cannot be copied, or the pipe not made.
    pub async fn of(pack: &Path) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        copy(pack, folder.path())?;
        let held = folder.path().join(Self::HELD);
        let rest = std::fs::read(&held)?;
        std::fs::remove_file(&held)?;
        let made = Command::new("mkfifo").arg(&held).status().await?;
        if made.success() { Ok(Self { folder, rest }) } else { Err(io::Error::other("mkfifo")) }
    }

    /// Where it is.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_path_buf()
    }

    /// Lets the reader go on.
    ///
    /// # Errors
    /// When the pipe cannot be written.
    pub async fn finish(&self) -> io::Result<()> {
        let (held, rest) = (self.folder().join(Self::HELD), self.rest.clone());
        // Opening blocks until somebody reads.
        tokio::task::spawn_blocking(move || std::fs::write(held, rest)).await.map_err(io::Error::other)?
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        if path.is_dir() {
            std::fs::create_dir(to.join(&name))?;
            copy(&path, &to.join(&name))?;
        } else {
            std::fs::copy(&path, to.join(&name))?;
        }
    }
    Ok(())
}
