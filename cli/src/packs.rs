//! What `pack check` prints, and the packs of a command line.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use wenzhen_pack::Pack;

pub use wenzhen_bundle::{embedded, load};

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
