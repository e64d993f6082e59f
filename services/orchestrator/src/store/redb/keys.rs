//! A key per consultation, in a file of its own, so that deletion really deletes.
//!
//! A database that copies on write leaves old pages behind. Events are therefore stored encrypted,
//! each consultation under its own key; the keys stand in fixed slots of a small file next to the
//! database and are overwritten in place. Once its key is gone a consultation cannot be read any
//! more, wherever copies of its pages remain. (A disk that remaps sectors may keep an old sector of
//! the key file for a while; encrypt the disk where that matters.)

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

use chacha20poly1305::aead::Aead as _;
use chacha20poly1305::{ChaCha20Poly1305, Key, KeyInit as _, Nonce};
use parking_lot::RwLock;

const KEY: usize = 32;
const EMPTY: [u8; KEY] = [0; KEY];

/// The key file: slots of 32 bytes, all zero when free. Kept in memory while the store is open.
#[derive(Debug, Clone)]
pub(super) struct Keys(Arc<RwLock<Slots>>);

#[derive(Debug)]
struct Slots {
    file: File,
    keys: Vec<[u8; KEY]>,
    free: BTreeSet<u32>,
}

impl Keys {
    /// Opens or creates the key file, readable by its owner only.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let length = usize::try_from(file.metadata()?.len()).unwrap_or(0);
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, 0)?;
        let (whole, _) = bytes.as_chunks::<KEY>();
        let keys = whole.to_vec();
        let free = (0u32..).zip(&keys).filter(|(_, key)| **key == EMPTY).map(|(slot, _)| slot).collect();
        Ok(Self(Arc::new(RwLock::new(Slots { file, keys, free }))))
    }

    /// A slot with a fresh key; durable after [`Keys::sync`].
    pub(super) fn create(&self) -> io::Result<u32> {
        let mut slots = self.0.write();
        let slot = match slots.free.pop_first() {
            Some(slot) => slot,
            None => {
                slots.keys.push(EMPTY);
                u32::try_from(slots.keys.len() - 1).map_err(io::Error::other)?
            }
        };
        let key: [u8; KEY] = rand::random();
        slots.put(slot, key)?;
        Ok(slot)
    }

    /// Overwrites a key; durable after [`Keys::sync`]. What was encrypted under it is gone.
    pub(super) fn erase(&self, slot: u32) -> io::Result<()> {
        let mut slots = self.0.write();
        slots.put(slot, EMPTY)?;
        slots.free.insert(slot);
        Ok(())
    }

    /// Makes creations and erasures durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.0.read().file.sync_data()
    }

    /// Encrypts the event at `version`. A version is committed once under a key.
    pub(super) fn seal(&self, slot: u32, version: u64, plain: &[u8]) -> Option<Vec<u8>> {
        self.cipher(slot)?.encrypt(&nonce(version), plain).ok()
    }

    /// Decrypts the event at `version`; `None` when the key is gone or the bytes were changed.
    pub(super) fn open_sealed(&self, slot: u32, version: u64, sealed: &[u8]) -> Option<Vec<u8>> {
        self.cipher(slot)?.decrypt(&nonce(version), sealed).ok()
    }

    fn cipher(&self, slot: u32) -> Option<ChaCha20Poly1305> {
        let slots = self.0.read();
        let key = slots.keys.get(slot as usize).filter(|key| **key != EMPTY)?;
        Some(ChaCha20Poly1305::new(Key::from_slice(key)))
    }
}

impl Slots {
    fn put(&mut self, slot: u32, key: [u8; KEY]) -> io::Result<()> {
        self.file.write_all_at(&key, u64::from(slot) * KEY as u64)?;
        if let Some(entry) = self.keys.get_mut(slot as usize) {
            *entry = key;
        }
        Ok(())
    }
}

fn nonce(version: u64) -> Nonce {
    let mut nonce = Nonce::default();
    let (left, _) = nonce.split_at_mut(8);
    left.copy_from_slice(&version.to_be_bytes());
    nonce
}
