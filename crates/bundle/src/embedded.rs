//! The flagship pack, in the binary.

use std::sync::Arc;

use include_dir::{Dir, DirEntry, include_dir};
use wenzhen_pack::{Pack, PackFiles};

use crate::BundleError;

static TCM: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../packs/tcm");

/// The flagship pack, embedded.
///
/// # Errors
/// Never for a released binary: a test loads it.
pub fn embedded() -> Result<Arc<Pack>, BundleError> {
    let mut files = PackFiles::default();
    collect(&TCM, &mut files);
    Pack::load(&files).map(Arc::new).map_err(BundleError::Embedded)
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
