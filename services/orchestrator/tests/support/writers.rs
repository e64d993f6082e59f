//! A writer that keeps its own books and compares them with the store's.

use std::sync::Arc;

use wenzhen_orchestrator::store::{ConsultationId, Store, StoreError};

use super::{append, text};

/// Writes one consultation: the numbers from 0 on, one an append.
pub struct Writer {
    store: Arc<dyn Store>,
    pub id: ConsultationId,
    /// What the store must hold, in order.
    books: Vec<u64>,
    next: u64,
    /// Records that were acknowledged and then found missing.
    pub lost: u64,
}

impl Writer {
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, id: ConsultationId::random(), books: Vec::new(), next: 0, lost: 0 }
    }

    /// Appends the next number, until the store says that it has it.
    pub async fn write(&mut self) {
        let number = self.next;
        self.next += 1;
        loop {
            let expected = self.books.len() as u64;
            match self.store.append(append(self.id, expected, &[&number.to_string()])).await {
                Ok(()) => return self.books.push(number),
                Err(StoreError::Unavailable(_)) => {}
                Err(StoreError::Conflict { actual }) if actual == expected + 1 => {
                    // Only this writer writes here: it is an append that seemed to have failed.
                    let found = self.store.read(self.id, expected, 10).await;
                    if found.is_ok_and(|events| events.len() == 1 && text(&events[0]) == number.to_string()) {
                        return self.books.push(number);
                    }
                }
                Err(StoreError::Conflict { actual }) if actual < expected => {
                    self.lost += expected - actual;
                    self.books.truncate(usize::try_from(actual).unwrap());
                }
                Err(other) => panic!("after {expected} events: {other}"),
            }
        }
    }

    /// Compares the books with what is stored: in order, nothing lost, nothing doubled.
    pub async fn check(&self) {
        let events = self.store.read(self.id, 0, 100_000).await.unwrap();
        let stored: Vec<u64> = events.iter().map(|event| text(event).parse().unwrap()).collect();
        assert_eq!(stored, self.books);
        let versions: Vec<u64> = events.iter().map(|event| event.version).collect();
        assert_eq!(versions, (1..=events.len() as u64).collect::<Vec<_>>());
    }
}
