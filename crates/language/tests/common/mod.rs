//! The flagship pack for tests.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use wenzhen_pack::{Pack, PackFiles};

/// The pack in `packs/tcm`, loaded once. A voice file of another agent that is not there is no matter here.
pub fn pack() -> Arc<Pack> {
    static PACK: OnceLock<Arc<Pack>> = OnceLock::new();
    let load = || {
        let mut files = PackFiles::from_dir(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs/tcm")).unwrap();
        for locale in ["zh", "en"] {
            let path = format!("voice/{locale}/empathy.toml");
            if files.get(&path).is_none() {
                files.insert(path, "");
            }
        }
        Arc::new(Pack::load(&files).unwrap_or_else(|errors| panic!("{errors}")))
    };
    Arc::clone(PACK.get_or_init(load))
}
