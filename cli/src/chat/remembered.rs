//! The consultation that was left open, remembered beside the store.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::args::ChatArgs;
use crate::process::Place;

/// What it takes to go on with a consultation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Remembered {
    /// Its id.
    pub consultation_id: String,
    /// Its token.
    pub token: String,
}

/// Where it is remembered: beside the store; nowhere when consultations are in memory or elsewhere.
fn file(args: &ChatArgs) -> Option<PathBuf> {
    match (&args.connect, args.data.place().ok()?) {
        (None, Place::File(store)) => Some(store.with_extension("open.json")),
        _ => None,
    }
}

/// The consultation that was left open last.
pub fn recall(args: &ChatArgs) -> Option<Remembered> {
    serde_json::from_slice(&fs::read(file(args)?).ok()?).ok()
}

/// Remembers a consultation; readable by its owner only. Failing to is no reason to stop.
pub fn remember(args: &ChatArgs, consultation: &Remembered) {
    let Some(path) = file(args) else { return };
    let written = fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&path);
    if let (Ok(mut file), Ok(bytes)) = (written, serde_json::to_vec(consultation)) {
        let _ = file.write_all(&bytes);
    }
}

/// Forgets it.
pub fn forget(args: &ChatArgs) {
    if let Some(path) = file(args) {
        let _ = fs::remove_file(path);
    }
}
