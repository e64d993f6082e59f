//! The packs that the binary carries, and packs from folders.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use include_dir::{Dir, DirEntry, include_dir};
use wenzhen_pack::{Pack, PackFiles};

static TCM: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../packs/tcm");

/// The flagship pack, embedded.
///
/// # Errors
/// Never for a released binary: a test loads it.
pub fn embedded() -> anyhow::Result<Arc<Pack>> {
    let mut files = PackFiles::default();
    collect(&TCM, &mut files);
    Ok(Arc::new(Pack::load(&files).context("the embedded pack is broken")?))
}

fn collect(dir: &Dir<'_>, files: &mut PackFiles) {
    for entry in dir.entries() {
        match entry {
            DirEntry::Dir(dir) => collect(dir, files),
            DirEntry::File(file) => {
                let path =
                    file.path().components().map(|c| c.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
                // Test data is no knowledge: it does not count for the digest and need not be carried.
                if !path.starts_with("tests/") {
                    files.insert(path, file.contents());
                }
            }
        }
    }
}

/// The packs of a command line: the folders given, else the embedded one.
///
/// # Errors
/// Every mistake of a pack that does not load.
pub fn load(folders: &[impl AsRef<Path>]) -> anyhow::Result<Vec<Arc<Pack>>> {
    if folders.is_empty() {
        return Ok(vec![embedded()?]);
    }
    let load = |folder: &Path| {
        let pack = Pack::load_dir(folder).with_context(|| format!("pack {} does not load", folder.display()))?;
        Ok(Arc::new(pack))
    };
    folders.iter().map(|folder| load(folder.as_ref())).collect()
}

/// Prints what a pack holds, or every mistake in it.
///
/// # Errors
/// Every mistake of the pack.
pub fn check(folder: Option<&Path>) -> anyhow::Result<()> {
    let pack = match folder {
        Some(folder) => Arc::new(Pack::load_dir(folder)?),
        None => embedded()?,
    };
    // A reader who has seen enough closes the pipe; that is no failure of the pack.
    let _ = writeln!(std::io::stdout().lock(), "{}", wenzhen_pack::check_report(&pack));
    Ok(())
}
