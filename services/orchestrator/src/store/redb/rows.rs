//! The rows of the tables: what a consultation's row holds, and how the events of an append stand in theirs.

use wenzhen_proto::clinical::v1::Urgency;
use wenzhen_proto::orchestrator::v1::PendingReason;

use super::super::{PendingSummary, Summary};

/// Version, day of expiry, pending reason (0: none), urgency, since (ms), slot of the key, review due since (ms, 0:
/// not), places of the appends.
pub(super) type IndexRow = (u64, u32, u8, u8, u64, u32, u64, &'static [u8]);
pub(super) type IndexRead<'r> = (u64, u32, u8, u8, u64, u32, u64, &'r [u8]);

/// What the store keeps of a consultation beside its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meta {
    pub version: u64,
    pub expires_day: u32,
    /// 0: none.
    pub pending_reason: u8,
    pub urgency: u8,
    pub since_ms: u64,
    pub slot: u32,
    /// 0: not due.
    pub review_since_ms: u64,
}

impl Meta {
    pub(super) fn new(version: u64, summary: Summary, slot: u32) -> Self {
        let pending = summary.pending.map(|p| (p.reason as u8, p.urgency as u8, p.since_ms));
        let (pending_reason, urgency, since_ms) = pending.unwrap_or_default();
        let review_since_ms = summary.review_since_ms.unwrap_or(0);
        Self { version, expires_day: summary.expires_day, pending_reason, urgency, since_ms, slot, review_since_ms }
    }

    pub(super) fn summary(self) -> Summary {
        let reason = PendingReason::try_from(i32::from(self.pending_reason)).ok();
        let urgency = Urgency::try_from(i32::from(self.urgency)).unwrap_or(Urgency::Routine);
        Summary {
            expires_day: self.expires_day,
            pending: reason.filter(|r| *r != PendingReason::Unspecified).map(|reason| PendingSummary {
                reason,
                urgency,
                since_ms: self.since_ms,
            }),
            review_since_ms: Some(self.review_since_ms).filter(|since| *since > 0),
        }
    }
}

/// Bytes of one place: first version (4) and number in the log (8).
const PLACE: usize = 12;

/// Where the appends of a consultation are, in the order of their versions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Places<B = Vec<u8>>(B);

impl<B: AsRef<[u8]>> Places<B> {
    pub(super) fn to_owned(&self) -> Places {
        Places(self.0.as_ref().to_vec())
    }

    /// First version and place of every append that may hold a version after this one.
    pub(super) fn after(&self, after: u64) -> impl Iterator<Item = (u64, u64)> {
        let (places, _) = self.0.as_ref().as_chunks::<PLACE>();
        let wanted = places.partition_point(|place| split(place).0 <= after.saturating_add(1)).saturating_sub(1);
        places.iter().skip(wanted).map(split)
    }
}

impl Places {
    /// Adds the append that begins at a version.
    pub(super) fn push(&mut self, first: u64, place: u64) {
        // A consultation of four thousand million events is not to be expected; it could still be read from its start.
        self.0.extend(u32::try_from(first).unwrap_or(u32::MAX).to_be_bytes());
        self.0.extend(place.to_be_bytes());
    }
}

fn split(place: &[u8; PLACE]) -> (u64, u64) {
    let [a, b, c, d, place @ ..] = *place;
    (u64::from(u32::from_be_bytes([a, b, c, d])), u64::from_be_bytes(place))
}

/// Takes a row apart.
pub(super) fn read(row: IndexRead<'_>) -> (Meta, Places<&[u8]>) {
    let (version, expires_day, pending_reason, urgency, since_ms, slot, review_since_ms, places) = row;
    (Meta { version, expires_day, pending_reason, urgency, since_ms, slot, review_since_ms }, Places(places))
}

/// Puts a row together.
pub(super) fn write(meta: Meta, places: &Places) -> IndexRead<'_> {
    let Meta { version, expires_day, pending_reason, urgency, since_ms, slot, review_since_ms } = meta;
    (version, expires_day, pending_reason, urgency, since_ms, slot, review_since_ms, &places.0)
}

/// Bytes of the head of an append's row.
const HEAD: usize = 58;

/// The head of an append's row: its consultation, its first version, and what the consultation's row became with it.
pub(super) fn head(id: [u8; 16], first: u64, meta: Meta) -> Vec<u8> {
    let mut row = Vec::with_capacity(HEAD);
    row.extend(id);
    row.extend(first.to_be_bytes());
    row.extend(meta.version.to_be_bytes());
    row.extend(meta.expires_day.to_be_bytes());
    row.extend([meta.pending_reason, meta.urgency]);
    row.extend(meta.since_ms.to_be_bytes());
    row.extend(meta.slot.to_be_bytes());
    row.extend(meta.review_since_ms.to_be_bytes());
    row
}

/// Reads the head of an append's row; `None` when it is cut short.
pub(super) fn headed(row: &[u8]) -> Option<([u8; 16], u64, Meta)> {
    let mut rest = row;
    let id = *take::<16>(&mut rest)?;
    let first = u64::from_be_bytes(*take(&mut rest)?);
    let version = u64::from_be_bytes(*take(&mut rest)?);
    let expires_day = u32::from_be_bytes(*take(&mut rest)?);
    let [pending_reason, urgency] = *take(&mut rest)?;
    let since_ms = u64::from_be_bytes(*take(&mut rest)?);
    let slot = u32::from_be_bytes(*take(&mut rest)?);
    let review_since_ms = u64::from_be_bytes(*take(&mut rest)?);
    Some((id, first, Meta { version, expires_day, pending_reason, urgency, since_ms, slot, review_since_ms }))
}

fn take<'r, const N: usize>(rest: &mut &'r [u8]) -> Option<&'r [u8; N]> {
    let (taken, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(taken)
}

/// Adds an encrypted event to the row of an append: its length (4 bytes) and itself.
pub(super) fn push(row: &mut Vec<u8>, sealed: &[u8]) {
    row.extend(u32::try_from(sealed.len()).unwrap_or(u32::MAX).to_be_bytes());
    row.extend(sealed);
}

/// The encrypted events of an append. A row that is cut short ends early; decrypting what is left then fails.
pub(super) fn sealed(row: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = row.get(HEAD..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (length, tail) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?.min(tail.len());
        let (sealed, tail) = tail.split_at(length);
        rest = tail;
        Some(sealed)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_append_is_found_by_any_of_its_versions() {
        let mut places = Places::default();
        for (first, place) in [(1, 40), (3, 41), (4, 70)] {
            places.push(first, place);
        }
        let after = |version| places.after(version).map(|(_, place)| place).collect::<Vec<_>>();
        assert_eq!(after(0), [40, 41, 70]);
        assert_eq!(after(1), [40, 41, 70], "version 2 is in the first append");
        assert_eq!(after(2), [41, 70]);
        assert_eq!(after(3), [70]);
        assert_eq!(after(u64::MAX), [70]);
        assert_eq!(<Places>::default().after(0).count(), 0);
    }

    #[test]
    fn events_are_taken_from_a_row_as_they_were_put_in() {
        let meta = Meta::new(7, Summary { expires_day: 3, ..Summary::default() }, 9);
        let mut row = head([5; 16], 6, meta);
        assert_eq!(headed(&row), Some(([5; 16], 6, meta)));
        assert_eq!((row.len(), headed(row.get(..HEAD - 1).unwrap())), (HEAD, None));
        for event in [&b"one"[..], b"", b"three"] {
            push(&mut row, event);
        }
        assert_eq!(sealed(&row).collect::<Vec<_>>(), [&b"one"[..], b"", b"three"]);
        assert_eq!(sealed(row.get(..row.len() - 1).unwrap()).last(), Some(&b"thre"[..]), "cut short: not lost unseen");
    }
}
