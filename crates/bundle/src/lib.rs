//! The packs of a binary: the one that it carries, or those in folders.
//!
//! A crate of its own, so that a change of pack data rebuilds binaries only and not everything that reads packs.

mod embedded;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use clap::Args;
use wenzhen_pack::{Pack, PackErrors};

pub use embedded::embedded;

/// Digits of a digest that tell one pack from another, as logs and reports print them.
const SHORT: usize = 12;
/// Digits of a whole digest.
const WHOLE: usize = 64;

/// Why there are no packs.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The pack in the binary does not load; a test makes sure that it does.
    #[error("the embedded pack is broken: {}", first(.0))]
    Embedded(PackErrors),
    /// A folder holds no pack that loads.
    #[error("--pack {}: {}", .folder.display(), first(.errors))]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Every mistake in it.
        errors: PackErrors,
    },
    /// Two folders hold the same pack.
    #[error("--pack {}: the same pack as before (digest {digest})", .folder.display())]
    Twice {
        /// The second folder.
        folder: PathBuf,
        /// The digest, short.
        digest: String,
    },
    /// A digest is asked for that no pack has.
    #[error("--pack-digest {wanted}: no such pack; there is {held}")]
    UnknownDigest {
        /// What was asked for.
        wanted: ExpectedDigest,
        /// What there is, short, separated by commas.
        held: String,
    },
}

/// The first mistake and the number of others: one line.
fn first(errors: &PackErrors) -> String {
    match errors.0.as_slice() {
        [] => "unknown mistake".to_owned(),
        [only] => only.to_string(),
        [first, rest @ ..] => format!("{first} (and {} more; `wenzhen pack check` lists them)", rest.len()),
    }
}

/// The digest that a pack must have, or its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedDigest(String);

impl FromStr for ExpectedDigest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if digits && (SHORT..=WHOLE).contains(&text.len()) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(format!("expected {SHORT} to {WHOLE} hexadecimal digits"))
        }
    }
}

impl std::fmt::Display for ExpectedDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which packs a service holds.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Packs")]
pub struct PackArgs {
    /// Folder of a pack; may be given several times, the first is the default; unset: the embedded pack
    #[arg(long = "pack", env = "WENZHEN_PACK", value_name = "FOLDER", value_delimiter = ',')]
    pub packs: Vec<PathBuf>,
    /// Digest (12 to 64 digits) that one of the packs must have, or the service does not start; may be given several times
    #[arg(long = "pack-digest", env = "WENZHEN_PACK_DIGEST", value_name = "DIGEST", value_delimiter = ',')]
    pub pack_digests: Vec<ExpectedDigest>,
}

impl PackArgs {
    /// Loads the packs and compares their digests with those that are expected. Takes a while; blocks.
    ///
    /// # Errors
    /// When a pack does not load, or an expected one is not there.
    pub fn load(&self) -> Result<Vec<Arc<Pack>>, BundleError> {
        let packs = load(&self.packs)?;
        for wanted in &self.pack_digests {
            if !packs.iter().any(|pack| pack.digest.to_string().starts_with(&wanted.0)) {
                let held: Vec<_> = packs.iter().map(|pack| pack.digest.short()).collect();
                return Err(BundleError::UnknownDigest { wanted: wanted.clone(), held: held.join(", ") });
            }
        }
        Ok(packs)
    }
}

/// The packs in the folders; without any, the embedded one.
///
/// # Errors
/// Every mistake of a pack that does not load.
pub fn load(folders: &[impl AsRef<Path>]) -> Result<Vec<Arc<Pack>>, BundleError> {
    if folders.is_empty() {
        return Ok(vec![embedded()?]);
    }
    let mut packs: Vec<Arc<Pack>> = Vec::new();
    for folder in folders {
        let folder = folder.as_ref().to_path_buf();
        match Pack::load_dir(&folder) {
            Ok(pack) if packs.iter().any(|held| held.digest == pack.digest) => {
                return Err(BundleError::Twice { folder, digest: pack.digest.short() });
            }
            Ok(pack) => packs.push(Arc::new(pack)),
            Err(errors) => return Err(BundleError::Folder { folder, errors }),
        }
    }
    Ok(packs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_pack_is_that_of_the_repository() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs/tcm");
        assert_eq!(load(std::slice::from_ref(&folder)).unwrap()[0].digest, embedded().unwrap().digest);
        let twice = load(&[folder.clone(), folder]).unwrap_err().to_string();
        assert!(twice.contains("the same pack"), "{twice}");
    }

    #[test]
    fn an_expected_digest_must_be_there() {
        let digest = embedded().unwrap().digest;
        for good in [digest.to_string(), digest.short().to_uppercase()] {
            let args = PackArgs { pack_digests: vec![good.parse().unwrap()], ..PackArgs::default() };
            assert_eq!(args.load().unwrap().len(), 1);
        }
        let args = PackArgs { pack_digests: vec!["0123456789ab".parse().unwrap()], ..PackArgs::default() };
        let error = args.load().unwrap_err().to_string();
        assert!(error.contains("--pack-digest 0123456789ab") && error.contains(&digest.short()), "{error}");
        for bad in ["", "0123456789a", "0123456789ax", &"0".repeat(65)] {
            assert!(bad.parse::<ExpectedDigest>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_folder_without_a_pack_is_told_in_one_line() {
        for folder in ["no/such/folder", env!("CARGO_MANIFEST_DIR")] {
            let error = load(&[folder]).unwrap_err().to_string();
            assert!(error.starts_with(&format!("--pack {folder}: ")) && !error.contains('\n'), "{error}");
        }
    }
}
