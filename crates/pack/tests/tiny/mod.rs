//! The small made-up pack under `tests/packs/tiny`: a coffee machine that fails.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot read its data has failed")]
#![allow(dead_code, reason = "each test file uses its part")]

use std::path::Path;

use wenzhen_pack::{Pack, PackFiles};

/// Its files.
pub fn files() -> PackFiles {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packs/tiny");
    PackFiles::from_dir(&dir).expect("the tiny pack's folder")
}

/// The loaded pack.
pub fn pack() -> Pack {
    Pack::load(&files()).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The text of one file.
pub fn text(files: &PackFiles, path: &str) -> String {
    String::from_utf8(files.get(path).expect(path).to_vec()).expect("UTF-8")
}

/// Its files with the first occurrence of a text in a file replaced: (file, from, to).
pub fn changed(edits: &[(&str, &str, &str)]) -> PackFiles {
    let mut files = files();
    for (path, from, to) in edits {
        swap(&mut files, path, from, to);
    }
    files
}

/// Replaces the first occurrence of `from`, which must be there.
pub fn swap(files: &mut PackFiles, path: &str, from: &str, to: &str) {
    let before = text(files, path);
    assert!(before.contains(from), "{path} does not contain {from}");
    files.insert(path, before.replacen(from, to, 1));
}
