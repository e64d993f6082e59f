//! Models with random weights, for tests and measurements.

use std::io::Write as _;

use wenzhen_llm::candle::random::{self, Store};

use crate::args::{Gguf, ModelRandomArgs};

/// Writes a model and prints the path that loads it.
///
/// # Errors
/// The folder cannot be written to.
pub fn random(args: &ModelRandomArgs) -> anyhow::Result<()> {
    let store = match args.gguf {
        None => Store::Folder,
        Some(Gguf::Q8) => Store::GgufQ8,
        Some(Gguf::Q4) => Store::GgufQ4,
    };
    let path = random::write(args.shape, store, args.seed, &args.out)?;
    let _ = writeln!(std::io::stdout().lock(), "{}", path.display());
    Ok(())
}
