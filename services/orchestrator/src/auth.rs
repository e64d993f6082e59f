//! Who calls: a patient with the token of one consultation, or a clinician with a key.

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tonic::metadata::MetadataMap;

use crate::Error;

/// Who makes a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// The holder of the consultation's token.
    Patient,
    /// A clinician, by the name of the key.
    Clinician(String),
}

impl Caller {
    /// Whether clinicians' parts may be shown.
    pub fn is_clinician(&self) -> bool {
        matches!(self, Self::Clinician(_))
    }
}

/// Clinician keys by name, as SHA-256: the keys themselves are not kept.
#[derive(Debug, Clone, Default)]
pub struct ClinicianKeys(Vec<(String, [u8; 32])>);

impl ClinicianKeys {
    /// Adds a key under a name.
    pub fn insert(&mut self, name: impl Into<String>, key: &str) {
        self.0.push((name.into(), sha256(key.as_bytes())));
    }

    /// The clinician whose key this is. Every key is compared, in constant time.
    fn name_of(&self, token: &str) -> Option<&str> {
        let hash = sha256(token.as_bytes());
        let mut found = None;
        for (name, key) in &self.0 {
            if bool::from(key.ct_eq(&hash)) {
                found = Some(name.as_str());
            }
        }
        found
    }

    /// The clinician who calls.
    ///
    /// # Errors
    /// [`Error::NoToken`] without a token, [`Error::ClinicianOnly`] with any other than a clinician's.
    pub fn clinician(&self, metadata: &MetadataMap) -> Result<Caller, Error> {
        let token = bearer(metadata).ok_or(Error::NoToken)?;
        self.name_of(token).map(|name| Caller::Clinician(name.to_owned())).ok_or(Error::ClinicianOnly)
    }

    /// Who calls about the consultation whose token has this hash.
    ///
    /// # Errors
    /// [`Error::NoToken`] without a token, [`Error::WrongToken`] with one that opens something else.
    pub fn caller(&self, metadata: &MetadataMap, token_sha256: &[u8]) -> Result<Caller, Error> {
        let token = bearer(metadata).ok_or(Error::NoToken)?;
        if bool::from(sha256(token.as_bytes()).as_slice().ct_eq(token_sha256)) {
            return Ok(Caller::Patient);
        }
        self.name_of(token).map(|name| Caller::Clinician(name.to_owned())).ok_or(Error::WrongToken)
    }
}

/// A fresh token, 256 random bits as hexadecimal digits.
pub fn new_token() -> String {
    hex::encode(rand::random::<[u8; 32]>())
}

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn bearer(metadata: &MetadataMap) -> Option<&str> {
    metadata.get("authorization")?.to_str().ok()?.strip_prefix("Bearer ").filter(|token| !token.is_empty())
}
