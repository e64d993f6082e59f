//! The index behind the log: whatever the moment at which the process ends, nothing is missing when the file is opened
//! again.

use std::path::{Path, PathBuf};

use rand::{Rng as _, SeedableRng as _};
use tempfile::TempDir;
use wenzhen_proto::clinical::v1::Urgency;
use wenzhen_proto::orchestrator::v1::{Event, PendingReason};

use super::super::{Append, ConsultationId, MemoryStore, PendingSummary, Query, Store, Summary};
use super::{Pace, RedbStore};

/// The files as they stand, as a crash would leave them.
fn crashed(path: &Path, folder: &TempDir, number: usize) -> PathBuf {
    let copy = folder.path().join(format!("{number}.redb"));
    std::fs::copy(path, &copy).unwrap();
    std::fs::copy(path.with_extension("redb.keys"), copy.with_extension("redb.keys")).unwrap();
    copy
}

async fn assert_same(store: &dyn Store, model: &dyn Store, ids: &[ConsultationId]) {
    for id in ids {
        assert_eq!(store.read(*id, 0, 1_000).await, model.read(*id, 0, 1_000).await);
    }
    for query in [Query::Pending, Query::ReviewDue, Query::ExpiredBy(15)] {
        let (mut found, mut wanted) =
            (store.list(query, 1_000).await.unwrap(), model.list(query, 1_000).await.unwrap());
        if matches!(query, Query::ExpiredBy(_)) {
            // In no particular order.
            found.sort_by_key(|(id, _)| *id);
            wanted.sort_by_key(|(id, _)| *id);
        }
        assert_eq!(found, wanted, "{query:?}");
    }
}

fn summary(dice: &mut impl rand::Rng) -> Summary {
    // Every time differs, so that lists have one order.
    let pending = PendingSummary { reason: PendingReason::Plan, urgency: Urgency::Today, since_ms: dice.random() };
    Summary {
        expires_day: dice.random_range(10..20),
        pending: dice.random_bool(0.3).then_some(pending),
        review_since_ms: dice.random_bool(0.3).then(|| dice.random_range(1..u64::MAX)),
    }
}

#[tokio::test]
async fn a_file_that_was_left_at_any_moment_holds_what_was_acknowledged() {
    for seed in 0..4 {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("c.redb");
        let pace = Pace { behind: 4, slice: 1 + seed as usize };
        let (store, model) = (RedbStore::paced(&path, pace).unwrap(), MemoryStore::default());
        let mut dice = rand::rngs::StdRng::seed_from_u64(seed);
        let ids: Vec<_> = (0..12).map(|_| ConsultationId(dice.random())).collect();
        for step in 0..120 {
            let id = ids[dice.random_range(0..ids.len())];
            if dice.random_bool(0.1) {
                assert_eq!(store.delete(id).await, model.delete(id).await);
            } else {
                let version = model.read(id, 0, 1_000).await.map_or(0, |events| events.len() as u64);
                let events = (1..=dice.random_range(1..4)).map(|n| Event { version: version + n, ..Event::default() });
                let append = Append { id, expected: version, events: events.collect(), summary: summary(&mut dice) };
                store.append(append.clone()).await.unwrap();
                model.append(append).await.unwrap();
            }
            if step % 10 == 7 {
                let copy = RedbStore::paced(&crashed(&path, &folder, step), pace).unwrap();
                assert_same(&copy, &model, &ids).await;
            }
        }
        assert_same(&store, &model, &ids).await;
        store.close().await;
        assert_same(&RedbStore::open(&path).unwrap(), &model, &ids).await;
    }
}

#[tokio::test]
async fn the_index_follows_by_slices_and_altogether_when_lists_are_wanted() {
    let folder = TempDir::new().unwrap();
    let store = RedbStore::paced(&folder.path().join("c.redb"), Pace { behind: 6, slice: 2 }).unwrap();
    let lacking = || {
        let recent = store.recent.read();
        recent.all().len()
    };
    let mut behind = Vec::new();
    for number in 0..12 {
        let events = vec![Event { version: 1, ..Event::default() }];
        let id = ConsultationId([number; 16]);
        store.append(Append { id, expected: 0, events, summary: Summary::default() }).await.unwrap();
        behind.push(lacking());
    }
    assert_eq!(behind, [1, 2, 3, 4, 5, 6, 5, 4, 3, 4, 5, 6], "one more with each append, two fewer with each slice");
    assert_eq!(store.list(Query::ExpiredBy(1), 100).await.unwrap().len(), 12);
    assert_eq!(lacking(), 0);
}
