//! How a consultation's summary is written: as members of an index, and as the card that names them.
//!
//! A member is `kind, order, id, summary`. All members of an index have the same score, so Redis keeps them in the
//! order of their bytes, which is the order of a list; and a list needs nothing but the index.

use wenzhen_proto::clinical::v1::Urgency;
use wenzhen_proto::orchestrator::v1::PendingReason;

use crate::store::{ConsultationId, PendingSummary, Query, Summary};

/// First byte of a card: how it is written.
const FORMAT: u8 = 1;
/// Bytes of a summary.
pub(super) const SUMMARY: usize = 23;
const ID: usize = 16;

/// First bytes of members.
const PENDING: u8 = b'p';
const REVIEW: u8 = b'r';
const EXPIRY: u8 = b'x';

/// The members of a consultation, each after its length, behind the format.
pub(super) fn card(id: ConsultationId, summary: &Summary) -> Vec<u8> {
    let tail: Vec<u8> = id.0.iter().copied().chain(write(summary)).collect();
    let mut card = vec![FORMAT];
    let mut add = |kind: u8, order: &[u8]| {
        let member = [&[kind], order, &tail].concat();
        // A member is 64 bytes at most.
        card.push(u8::try_from(member.len()).unwrap_or(0));
        card.extend(member);
    };
    if let Some(pending) = &summary.pending {
        let [a, b, c, d, e, f, g, h] = pending.since_ms.to_be_bytes();
        add(PENDING, &[u8::MAX - urgency(pending), a, b, c, d, e, f, g, h]);
    }
    if let Some(since) = summary.review_since_ms {
        add(REVIEW, &since.to_be_bytes());
    }
    add(EXPIRY, &summary.expires_day.to_be_bytes());
    card
}

/// The bounds of a query, as ZRANGEBYLEX takes them.
pub(super) fn bounds(query: Query) -> (Vec<u8>, Vec<u8>) {
    let kind = match query {
        Query::Pending => PENDING,
        Query::ReviewDue => REVIEW,
        Query::ExpiredBy(_) => EXPIRY,
    };
    let end = match query {
        Query::ExpiredBy(day) if day < u32::MAX => [&[b'(', kind], (day + 1).to_be_bytes().as_slice()].concat(),
        _ => vec![b'(', kind + 1],
    };
    (vec![b'[', kind], end)
}

/// Reads a member; `None` when it is not one.
pub(super) fn read(member: &[u8]) -> Option<(ConsultationId, Summary)> {
    let (rest, summary) = member.split_last_chunk::<SUMMARY>()?;
    let (_, id) = rest.split_last_chunk::<ID>()?;
    let (day, rest) = summary.split_first_chunk::<4>()?;
    let ([reason, urgency], rest) = rest.split_first_chunk::<2>()?;
    let (since, rest) = rest.split_first_chunk::<8>()?;
    let ([due], rest) = rest.split_first_chunk::<1>()?;
    let review = rest.first_chunk::<8>()?;
    let pending = match reason {
        0 => None,
        reason => Some(PendingSummary {
            reason: PendingReason::try_from(i32::from(*reason)).ok()?,
            urgency: Urgency::try_from(i32::from(*urgency)).ok()?,
            since_ms: u64::from_be_bytes(*since),
        }),
    };
    let review_since_ms = (*due != 0).then(|| u64::from_be_bytes(*review));
    Some((ConsultationId(*id), Summary { expires_day: u32::from_be_bytes(*day), pending, review_since_ms }))
}

fn write(summary: &Summary) -> Vec<u8> {
    let pending = summary.pending.as_ref();
    let reason = pending.map_or(0, |p| u8::try_from(i32::from(p.reason)).unwrap_or(0));
    let mut bytes = summary.expires_day.to_be_bytes().to_vec();
    bytes.extend([reason, pending.map_or(0, urgency)]);
    bytes.extend(pending.map_or(0, |p| p.since_ms).to_be_bytes());
    bytes.push(u8::from(summary.review_since_ms.is_some()));
    bytes.extend(summary.review_since_ms.unwrap_or(0).to_be_bytes());
    bytes
}

fn urgency(pending: &PendingSummary) -> u8 {
    u8::try_from(i32::from(pending.urgency)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn members(card: &[u8]) -> Vec<Vec<u8>> {
        let mut rest = &card[1..];
        let mut members = Vec::new();
        while let Some((size, tail)) = rest.split_first() {
            let (member, tail) = tail.split_at(usize::from(*size));
            members.push(member.to_vec());
            rest = tail;
        }
        members
    }

    prop_compose! {
        fn summaries()(
            expires_day: u32,
            pending in proptest::option::of((1..=3i32, 1..=5i32, any::<u64>())),
            review_since_ms: Option<u64>,
        ) -> Summary {
            let pending = pending.and_then(|(reason, urgency, since_ms)| Some(PendingSummary {
                reason: PendingReason::try_from(reason).ok()?,
                urgency: Urgency::try_from(urgency).ok()?,
                since_ms,
            }));
            Summary { expires_day, pending, review_since_ms }
        }
    }

    proptest! {
        #[test]
        fn every_member_holds_the_whole_summary(id: [u8; 16], summary in summaries()) {
            let members = members(&card(ConsultationId(id), &summary));
            let wanted = 1 + usize::from(summary.pending.is_some()) + usize::from(summary.review_since_ms.is_some());
            prop_assert_eq!(members.len(), wanted);
            for member in members {
                prop_assert_eq!(read(&member), Some((ConsultationId(id), summary)));
            }
        }

        #[test]
        fn members_lie_in_the_order_of_a_list(id: [u8; 16], a in summaries(), b in summaries()) {
            let of = |summary: &Summary, kind| {
                members(&card(ConsultationId(id), summary)).into_iter().find(|member| member[0] == kind)
            };
            if let (Some(x), Some(y)) = (&a.pending, &b.pending) {
                let order = (urgency(y), x.since_ms).cmp(&(urgency(x), y.since_ms));
                prop_assert!(order.is_eq() || of(&a, PENDING).cmp(&of(&b, PENDING)) == order);
            }
            let order = a.expires_day.cmp(&b.expires_day);
            prop_assert!(order.is_eq() || of(&a, EXPIRY).cmp(&of(&b, EXPIRY)) == order);
        }

        #[test]
        fn bounds_hold_what_they_should(id: [u8; 16], summary in summaries(), day: u32) {
            let (from, to) = bounds(Query::ExpiredBy(day));
            for member in members(&card(ConsultationId(id), &summary)) {
                let within = member.as_slice() >= &from[1..] && member.as_slice() < &to[1..];
                prop_assert_eq!(within, member[0] == EXPIRY && summary.expires_day <= day);
            }
        }
    }

    #[test]
    fn what_is_no_member_is_not_read() {
        assert_eq!(read(b"x"), None);
        assert_eq!(read(&[0xff; 60]), None);
    }
}
