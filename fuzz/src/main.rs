//! Writes the files that fuzzing begins with: small pictures of every kind that is read or refused, and the sentences
//! that the flagship pack is tested with.
//!
//!     seeds FOLDER

#[path = "../../services/vision/tests/support/draw.rs"]
#[allow(dead_code, reason = "claims of huge sizes are for tests")]
mod draw;

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let folder = PathBuf::from(env::args_os().nth(1).ok_or_else(|| io::Error::other("give a folder"))?);
    pictures(&folder.join("picture"))?;
    utterances(&folder.join("utterance"))
}

fn pictures(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let files = [
        ("jpeg", draw::jpeg(64, 48)),
        ("turned-jpeg", draw::turned_jpeg(48, 64, 5)),
        ("png", draw::png(64, 48)),
        ("deep-png", draw::png16(32, 48)),
        ("webp", draw::webp(64, 48)),
        ("animated-png", draw::animated_png()),
        ("animated-webp", draw::animated_webp()),
    ];
    files.into_iter().try_for_each(|(name, file)| fs::write(folder.join(name), file))
}

fn utterances(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let golden = include_str!("../../packs/tcm/tests/utterances.jsonl");
    let texts = golden.lines().filter_map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        line.get("text")?.as_str().map(str::to_owned)
    });
    for (at, text) in texts.enumerate() {
        fs::write(folder.join(at.to_string()), text)?;
    }
    Ok(())
}
