//! One pool of threads for everything: candle's, which its own products run on too. Two pools would fight for the cores.

use std::marker::PhantomData;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use candle_core::utils::barrier_pool;

/// Threads that work together.
pub(crate) fn threads() -> usize {
    barrier_pool().n_workers() + 1
}

/// Pieces in which a thread takes its share.
const PIECES: usize = 8;

/// How much of a share is taken; in a cache line of its own, since each thread mostly counts its own.
#[derive(Default)]
#[repr(align(64))]
struct Taken(AtomicUsize);

/// Runs the work over all items, in ranges, on all threads. Not to be called from within the work.
///
/// Each thread has a share of its own, one after the other, so that weights come from memory in one long stream; who is
/// done takes pieces of what others have left.
pub(crate) fn ranges(items: usize, work: impl Fn(Range<usize>) + Sync) {
    let threads = threads();
    let share = items.div_ceil(threads);
    let piece = share.div_ceil(PIECES).max(1);
    let taken: Vec<Taken> = (0..threads).map(|_| Taken::default()).collect();
    let take = |of: usize| {
        let at = taken[of].0.fetch_add(piece, Ordering::Relaxed);
        let (from, end) = (of * share + at, items.min((of + 1) * share));
        (at < share && from < end).then(|| from..end.min(from + piece))
    };
    if items > 0 {
        barrier_pool().execute(|thread| {
            for of in (thread..threads).chain(0..thread) {
                while let Some(range) = take(of) {
                    work(range);
                }
            }
        });
    }
}

/// Runs the work over pieces of a slice, each `size` long, on all threads.
pub(crate) fn pieces<T: Send>(slice: &mut [T], size: usize, work: impl Fn(usize, &mut [T]) + Sync) {
    let count = slice.len() / size.max(1);
    let shared = Shared::new(slice);
    ranges(count, |range| {
        for index in range {
            // SAFETY: each index comes once, and pieces of different indices do not overlap.
            work(index, unsafe { shared.slice(index * size..(index + 1) * size) });
        }
    });
}

/// Runs the work over pieces of two slices side by side, each with its own size of pieces, on all threads.
pub(crate) fn pieces_of_both<T: Send, U: Send>(
    (first, first_size): (&mut [T], usize),
    (second, second_size): (&mut [U], usize),
    work: impl Fn(usize, &mut [T], &mut [U]) + Sync,
) {
    let shared = Shared::new(second);
    pieces(first, first_size, |index, piece| {
        // SAFETY: each index comes once, and pieces of different indices do not overlap.
        work(index, piece, unsafe { shared.slice(index * second_size..(index + 1) * second_size) });
    });
}

/// A slice that threads write to side by side.
pub(super) struct Shared<'a, T> {
    start: *mut T,
    length: usize,
    borrowed: PhantomData<&'a mut [T]>,
}

// SAFETY: it stands for a `&mut [T]`, which may be sent where T may; whoever takes parts of it keeps them apart.
unsafe impl<T: Send> Send for Shared<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    pub(super) fn new(slice: &'a mut [T]) -> Self {
        Self { start: slice.as_mut_ptr(), length: slice.len(), borrowed: PhantomData }
    }

    /// A part of it.
    ///
    /// # Safety
    /// No element may be in two parts that are alive at the same time.
    #[allow(clippy::mut_from_ref, reason = "the caller keeps the parts apart")]
    unsafe fn slice(&self, range: Range<usize>) -> &'a mut [T] {
        assert!(range.start <= range.end && range.end <= self.length);
        // SAFETY: within the slice, and the caller keeps parts apart.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.end - range.start) }
    }

    /// Where an element is.
    pub(super) fn at(&self, index: usize) -> *mut T {
        assert!(index < self.length);
        // SAFETY: within the slice.
        unsafe { self.start.add(index) }
    }
}
