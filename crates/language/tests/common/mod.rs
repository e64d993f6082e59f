//! The flagship pack for tests.
#![allow(clippy::panic, reason = "helpers of tests")]

use std::path::Path;
use std::sync::{Arc, OnceLock};

use wenzhen_pack::Pack;

/// The pack in `packs/tcm`, loaded once.
pub fn pack() -> Arc<Pack> {
    static PACK: OnceLock<Arc<Pack>> = OnceLock::new();
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs/tcm");
    let load = || Arc::new(Pack::load_dir(&dir).unwrap_or_else(|errors| panic!("{errors}")));
    Arc::clone(PACK.get_or_init(load))
}
