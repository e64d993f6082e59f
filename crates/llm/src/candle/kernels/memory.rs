//! Memory for weights: aligned, in huge pages where the system has them, since reading all weights for every token
//! through pages of 4 KiB costs a third of the time.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::fs::File;
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::ptr::NonNull;

use memmap2::Mmap;

/// A huge page.
const HUGE: usize = 2 << 20;

/// Numbers in memory of their own, all 0 at first.
pub(crate) struct Buffer<T: Plain> {
    start: NonNull<T>,
    length: usize,
    layout: Layout,
}

/// Numbers of which every bit pattern is one.
///
/// # Safety
/// All bit patterns are valid, nothing is to be dropped.
pub(crate) unsafe trait Plain: Copy + Send + Sync {}
// SAFETY: plain numbers.
unsafe impl Plain for u8 {}
// SAFETY: plain numbers.
unsafe impl Plain for u16 {}
// SAFETY: plain numbers.
unsafe impl Plain for u64 {}
// SAFETY: plain numbers.
unsafe impl Plain for f32 {}
// SAFETY: transparent over a plain number.
unsafe impl Plain for super::F16 {}
// SAFETY: transparent over a plain number.
unsafe impl Plain for super::Bf16 {}

// SAFETY: it owns its memory, like a Vec.
unsafe impl<T: Plain> Send for Buffer<T> {}
// SAFETY: it gives references by its own borrow only.
unsafe impl<T: Plain> Sync for Buffer<T> {}

impl<T: Plain> Buffer<T> {
    /// So many zeros; none where the system refuses the memory.
    pub(crate) fn zeroed(length: usize) -> Option<Self> {
        let bytes = length.checked_mul(size_of::<T>())?.max(64);
        let large = bytes >= HUGE;
        let layout = Layout::from_size_align(bytes, if large { HUGE } else { 64 }).ok()?;
        // SAFETY: the layout is not empty.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        #[cfg(target_os = "linux")]
        if large {
            // SAFETY: the range is ours; the advice changes no content. A refusal costs speed only.
            let _ = unsafe { rustix::mm::madvise(start.as_ptr().cast(), bytes, rustix::mm::Advice::LinuxHugepage) };
        }
        Some(Self { start: start.cast(), length, layout })
    }

    /// A copy; none where the system refuses the memory.
    pub(crate) fn copied(from: impl ExactSizeIterator<Item = T>) -> Option<Self> {
        let mut buffer = Self::zeroed(from.len())?;
        for (to, from) in buffer.iter_mut().zip(from) {
            *to = from;
        }
        Some(buffer)
    }
}

impl<T: Plain> Deref for Buffer<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        // SAFETY: allocated for `length` elements, zeroed, aligned to at least 64.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }
}

impl<T: Plain> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }
}

impl<T: Plain> Drop for Buffer<T> {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout.
        unsafe { dealloc(self.start.as_ptr().cast(), self.layout) }
    }
}

/// A file in memory, read where it is touched.
pub(crate) fn map(path: &Path) -> std::io::Result<Mmap> {
    let file = File::open(path)?;
    // SAFETY: only read. Who truncates a model's file while it is loaded ends the process, as with every program that
    // maps its weights.
    unsafe { Mmap::map(&file) }
}
