//! The right to publish, where one process holds the store.

use std::collections::HashMap;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::{Claim, LEASE, StoreError};

/// Who may publish, by pack.
#[derive(Debug, Default)]
pub(super) struct Leases(Mutex<HashMap<String, (String, Instant)>>);

impl Leases {
    /// Takes the right; the token proves it.
    pub(super) fn take(&self, pack: &str) -> Result<String, StoreError> {
        let now = Instant::now();
        let mut leases = self.0.lock();
        if leases.get(pack).is_some_and(|(_, until)| *until > now) {
            return Err(StoreError::Busy);
        }
        let token = token();
        leases.insert(pack.to_owned(), (token.clone(), now + LEASE));
        Ok(token)
    }

    /// Whether a claim still holds.
    pub(super) fn check(&self, pack: &str, claim: &Claim) -> Result<(), StoreError> {
        let holds = |(token, until): &(String, Instant)| *token == claim.token && *until > Instant::now();
        if self.0.lock().get(pack).is_some_and(holds) { Ok(()) } else { Err(StoreError::LeaseOver) }
    }

    /// Gives the right back.
    pub(super) fn release(&self, pack: &str, token: &str) {
        let mut leases = self.0.lock();
        if leases.get(pack).is_some_and(|(held, _)| held == token) {
            leases.remove(pack);
        }
    }
}

/// A fresh token.
pub(super) fn token() -> String {
    hex::encode(rand::random::<[u8; 16]>())
}
