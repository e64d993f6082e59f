//! Keys of callers: named, kept as hashes, compared in constant time, read again when their file changes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio_util::sync::CancellationToken;
use tonic::metadata::MetadataMap;

/// Shortest key, in characters.
const SHORTEST: usize = 16;
/// Longest name of a key, in bytes.
const LONGEST_NAME: usize = 64;
/// What stands before a hash in the place of a key.
const HASHED: &str = "sha256:";

type Hash = [u8; 32];
type Named = Vec<(String, Hash)>;

/// Keys by name, as SHA-256; the keys themselves are not kept. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Keys(Arc<RwLock<Named>>);

/// Why there are no keys. It never repeats a line.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The file cannot be read.
    #[error("{} cannot be read", .0.display())]
    Unreadable(PathBuf, #[source] std::io::Error),
    /// A line is no key.
    #[error(
        "line {0} is not NAME:KEY or NAME:sha256:HEX, with a name of 1 to 64 bytes and a key of at least 16 characters"
    )]
    Line(usize),
    /// Two lines have the same name.
    #[error("line {0} has a name that was there before")]
    Twice(usize),
}

impl Keys {
    /// Reads keys, one a line: NAME:KEY, or NAME:sha256:HEX where not even the file is to hold the key. Empty lines and
    /// lines that begin with `#` are passed over.
    ///
    /// # Errors
    /// The first line that is no key.
    pub fn read(text: &str) -> Result<Self, KeysError> {
        parse(text).map(|named| Self(Arc::new(RwLock::new(named))))
    }

    /// Reads a file as [`Keys::read`] does.
    ///
    /// # Errors
    /// When it cannot be read, or holds a line that is no key.
    pub fn load(path: &Path) -> Result<Self, KeysError> {
        Self::read(&contents(path)?)
    }

    /// Adds a key under a name.
    pub fn insert(&mut self, name: impl Into<String>, key: &str) {
        self.0.write().push((name.into(), sha256(key)));
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.0.read().is_empty()
    }

    /// The name of the key that a call brings as its bearer token. Every key is compared, in constant time.
    pub fn name_of(&self, metadata: &MetadataMap) -> Option<String> {
        let hash = sha256(bearer(metadata)?);
        let mut found = None;
        for (name, key) in self.0.read().iter() {
            if bool::from(key.ct_eq(&hash)) {
                found = Some(name.clone());
            }
        }
        found
    }

    /// Reads the file again whenever it has changed, until `stop`. A file that does not read leaves the keys as they
    /// are, and says so in the log; so does one without any key, but that takes the keys away: the last key that has
    /// leaked must go as well.
    pub async fn follow(self, path: PathBuf, every: Duration, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(every);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            match contents(&path).and_then(|text| parse(&text)) {
                Ok(named) if named != *self.0.read() => {
                    if named.is_empty() {
                        tracing::warn!(file = %path.display(), "the file holds no key any more: nobody has one");
                    }
                    tracing::info!(file = %path.display(), keys = named.len(), "keys were read again");
                    *self.0.write() = named;
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, file = %path.display(), "the keys stay as they were"),
            }
        }
    }
}

/// The bearer token of a call.
pub fn bearer(metadata: &MetadataMap) -> Option<&str> {
    metadata.get("authorization")?.to_str().ok()?.strip_prefix("Bearer ").filter(|token| !token.is_empty())
}

/// SHA-256 of a text.
pub fn sha256(text: &str) -> Hash {
    Sha256::digest(text.as_bytes()).into()
}

fn contents(path: &Path) -> Result<String, KeysError> {
    std::fs::read_to_string(path).map_err(|error| KeysError::Unreadable(path.to_path_buf(), error))
}

fn parse(text: &str) -> Result<Named, KeysError> {
    let mut named = Named::new();
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, key) = line.split_once(':').ok_or(KeysError::Line(number))?;
        let hash = hash(key).filter(|_| !name.is_empty() && name.len() <= LONGEST_NAME);
        if named.iter().any(|(known, _)| known == name) {
            return Err(KeysError::Twice(number));
        }
        named.push((name.to_owned(), hash.ok_or(KeysError::Line(number))?));
    }
    Ok(named)
}

fn hash(key: &str) -> Option<Hash> {
    let Some(digits) = key.strip_prefix(HASHED) else {
        return (key.chars().count() >= SHORTEST).then(|| sha256(key));
    };
    let mut hash = Hash::default();
    hex::decode_to_slice(digits, &mut hash).ok().map(|()| hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(token: &str) -> MetadataMap {
        let mut metadata = MetadataMap::new();
        metadata.insert("authorization", format!("Bearer {token}").parse().unwrap());
        metadata
    }

    #[test]
    fn keys_are_found_by_their_hash() {
        let hashed = hex::encode(sha256("another long enough key"));
        let keys = Keys::read(&format!("# who may\n\nfront:a key that is long\nother:sha256:{hashed}\n")).unwrap();
        assert_eq!(keys.name_of(&with("a key that is long")).as_deref(), Some("front"));
        assert_eq!(keys.name_of(&with("another long enough key")).as_deref(), Some("other"));
        assert_eq!(keys.name_of(&with(&hashed)), None, "the hash is not the key");
        assert_eq!(keys.name_of(&with("a key that is lon")), None);
        assert_eq!(keys.name_of(&MetadataMap::new()), None);
        assert!(!format!("{keys:?}").contains("long"));
    }

    #[test]
    fn a_line_that_is_no_key_is_refused_by_its_number_alone() {
        let long = "k".repeat(SHORTEST);
        for (text, line) in [
            ("no colon here at all", 1),
            (":a key that is long", 1),
            ("\nname:short", 2),
            ("name:sha256:12ab", 1),
            (&format!("{}:{long}", "n".repeat(65)), 1),
        ] {
            assert!(matches!(Keys::read(text), Err(KeysError::Line(number)) if number == line), "{text:?}");
        }
        let twice = Keys::read(&format!("a:{long}\na:{long}")).unwrap_err();
        assert!(!twice.to_string().contains(&long));
        assert!(matches!(twice, KeysError::Twice(2)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_changed_file_is_read_again_and_a_broken_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        std::fs::write(&path, "a:the first key of all").unwrap();
        let keys = Keys::load(&path).unwrap();
        let stop = CancellationToken::new();
        let following = tokio::spawn(keys.clone().follow(path.clone(), Duration::from_secs(1), stop.clone()));
        std::fs::write(&path, "a:the second key of all").unwrap();
        while keys.name_of(&with("the second key of all")).is_none() {
            tokio::time::advance(Duration::from_secs(1)).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(keys.name_of(&with("the first key of all")), None);
        std::fs::write(&path, "broken").unwrap();
        for _ in 0..5 {
            tokio::time::advance(Duration::from_secs(1)).await;
            tokio::task::yield_now().await;
        }
        assert!(keys.name_of(&with("the second key of all")).is_some());
        stop.cancel();
        following.await.unwrap();
    }
}
