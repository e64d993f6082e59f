//! The server's key, from a file that may change.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use http::HeaderValue;
use parking_lot::Mutex;

use super::SettingsError;

/// How often the file is looked at, at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A file longer than this holds no key, in bytes.
const MOST: u64 = 16 * 1024;

/// A key and where it is from. Its value is shown nowhere.
pub(super) struct Key {
    file: PathBuf,
    held: Mutex<Held>,
}

struct Held {
    value: HeaderValue,
    modified: Option<SystemTime>,
    looked: Instant,
}

impl Key {
    /// Reads the key. Blocks.
    pub(super) fn open(file: PathBuf) -> Result<Self, SettingsError> {
        let (value, modified) = read(&file)?;
        Ok(Self { file, held: Mutex::new(Held { value, modified, looked: Instant::now() }) })
    }

    /// The header's value, read again when the file has changed. A file that has gone or holds no key any more leaves the
    /// last one in use. Reads a few bytes at most once a second.
    pub(super) fn header(&self) -> HeaderValue {
        let mut held = self.held.lock();
        if held.looked.elapsed() >= LOOK_EVERY {
            held.looked = Instant::now();
            let changed = modified(&self.file) != held.modified;
            if let Some((value, modified)) = changed.then(|| read(&self.file).ok()).flatten() {
                (held.value, held.modified) = (value, modified);
            }
        }
        held.value.clone()
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", self.file.display())
    }
}

fn modified(file: &Path) -> Option<SystemTime> {
    std::fs::metadata(file).and_then(|about| about.modified()).ok()
}

fn read(file: &Path) -> Result<(HeaderValue, Option<SystemTime>), SettingsError> {
    let modified = modified(file);
    let about = |cause| SettingsError::File { what: "key file", file: file.to_owned(), cause };
    let wrong = || SettingsError::Key(file.to_owned());
    if std::fs::metadata(file).map_err(about)?.len() > MOST {
        return Err(wrong());
    }
    let text = std::fs::read_to_string(file).map_err(about)?;
    let key = text.trim();
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(wrong());
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_| wrong())?;
    value.set_sensitive(true);
    Ok((value, modified))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_again_when_its_file_changes_and_is_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, "first-key\n").unwrap();
        let key = Key::open(file.clone()).unwrap();
        assert_eq!(key.header().to_str().unwrap(), "Bearer first-key");
        assert!(!format!("{key:?} {:?}", key.header()).contains("first-key"));
        let look_again = || {
            let mut held = key.held.lock();
            held.modified = None;
            held.looked = Instant::now().checked_sub(LOOK_EVERY).unwrap();
        };
        std::fs::write(&file, "second-key").unwrap();
        look_again();
        assert_eq!(key.header().to_str().unwrap(), "Bearer second-key");
        std::fs::remove_file(&file).unwrap();
        look_again();
        assert_eq!(key.header().to_str().unwrap(), "Bearer second-key", "a file that is gone changes nothing");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        for bad in ["", " \n", "two words", "a\nb", "ключ"] {
            std::fs::write(&file, bad).unwrap();
            let error = Key::open(file.clone()).unwrap_err().to_string();
            assert!(error.contains("one line of visible ASCII") && (bad.trim().is_empty() || !error.contains(bad)));
        }
        assert!(matches!(Key::open(folder.path().join("none")), Err(SettingsError::File { .. })));
    }
}
