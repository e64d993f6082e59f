//! Products with weights in blocks of few bits: what their kinds share.
//!
//! Weights are laid out in tiles of 16 outputs, one block of 32 inputs after the other, each with its scales beside it:
//! a product reads one stream from memory, in order. Inputs are rounded to 8 bits, in blocks of 32.

use super::simd::Simd;
use super::{q4, q8};

/// Inputs in a block.
pub(crate) const BLOCK: usize = 32;
/// Outputs in a tile.
pub(crate) const TILE: usize = 16;
/// Most rows of inputs that are multiplied in one go.
const ROWS: usize = 8;

/// Rows of inputs, rounded to 8 bits.
#[derive(Default)]
pub(crate) struct Inputs {
    /// `[row][input]`
    pub(crate) quants: Vec<i8>,
    /// `[row][block]`
    pub(crate) scales: Vec<f32>,
    /// `[row][block]`: what undoes the bias of weights of 8 bits.
    pub(crate) corrections: Vec<i32>,
    /// `[row][block]`: what the minimum of a block of weights of 4 bits counts, minus the sum of the inputs.
    pub(crate) offsets: Vec<f32>,
}

impl Inputs {
    /// Room for so many inputs.
    pub(crate) fn zeroed(count: usize) -> Self {
        let blocks = count / BLOCK;
        Self {
            quants: vec![0; count],
            scales: vec![0.0; blocks],
            corrections: vec![0; blocks],
            offsets: vec![0.0; blocks],
        }
    }
}

/// How many bits a weight has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// See [`q8`].
    Q8,
    /// See [`q4`].
    Q4,
}

impl Kind {
    /// Bytes of one block of a tile.
    pub(crate) const fn bytes(self) -> usize {
        match self {
            Self::Q8 => q8::Q8::BYTES,
            Self::Q4 => q4::Q4::BYTES,
        }
    }
}

/// The arithmetic of one kind.
pub(super) trait Product {
    /// Bytes of one block of a tile.
    const BYTES: usize;

    /// Adds a block's products with `M` rows of inputs to their sums.
    ///
    /// # Safety
    /// `block` has [`Self::BYTES`] bytes, and `rows` has `M` rows with a block of this number; the CPU has the tier's
    /// features.
    unsafe fn add<S: Simd, const M: usize>(block: *const u8, rows: Rows, number: usize, sums: &mut [S::F; M]);
}

/// Where some rows of [`Inputs`] begin.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    quants: *const i8,
    scales: *const f32,
    corrections: *const i32,
    offsets: *const f32,
    blocks: usize,
}

impl Rows {
    /// Four inputs of a row, beginning with the `group`th four of a block.
    ///
    /// # Safety
    /// There are that row, block and group.
    #[inline(always)]
    pub(super) unsafe fn four(self, row: usize, block: usize, group: usize) -> i32 {
        // SAFETY: the caller's promise.
        unsafe { self.quants.add((row * self.blocks + block) * BLOCK + group * 4).cast::<i32>().read_unaligned() }
    }

    /// See [`Inputs::scales`].
    ///
    /// # Safety
    /// There are that row and block.
    #[inline(always)]
    pub(super) unsafe fn scale(self, row: usize, block: usize) -> f32 {
        // SAFETY: the caller's promise.
        unsafe { *self.scales.add(row * self.blocks + block) }
    }

    /// See [`Inputs::corrections`].
    ///
    /// # Safety
    /// There are that row and block.
    #[inline(always)]
    pub(super) unsafe fn correction(self, row: usize, block: usize) -> i32 {
        // SAFETY: the caller's promise.
        unsafe { *self.corrections.add(row * self.blocks + block) }
    }

    /// See [`Inputs::offsets`].
    ///
    /// # Safety
    /// There are that row and block.
    #[inline(always)]
    pub(super) unsafe fn offset(self, row: usize, block: usize) -> f32 {
        // SAFETY: the caller's promise.
        unsafe { *self.offsets.add(row * self.blocks + block) }
    }
}

/// What rounding writes: quants, scales, corrections and offsets of [`Inputs`].
pub(crate) type Rounded<'a> = (&'a mut [i8], &'a mut [f32], &'a mut [i32], &'a mut [f32]);

/// Rounds blocks of 32 inputs: scale is the largest magnitude / 127.
#[inline(always)]
pub(crate) fn round<S: Simd>(inputs: &[f32], (quants, scales, corrections, offsets): Rounded<'_>) {
    let blocks = inputs.chunks_exact(BLOCK).zip(quants.chunks_exact_mut(BLOCK));
    let sums = scales.iter_mut().zip(corrections.iter_mut().zip(offsets));
    for ((inputs, quants), (scale, (correction, offset))) in blocks.zip(sums) {
        // The bits of magnitudes are in the order of magnitudes, with what is no number at the top.
        let mut bits = 0u32;
        for x in inputs {
            bits = bits.max(x.to_bits() & 0x7FFF_FFFF);
        }
        let largest = f32::from_bits(bits);
        // Rounding would hide infinities and NaN; the scale shows them.
        *scale = if largest.is_finite() { largest / 127.0 } else { f32::NAN };
        let inverse = if largest > 0.0 && largest.is_finite() { 127.0 / largest } else { 0.0 };
        let mut sum = 0i32;
        for (quant, x) in quants.iter_mut().zip(inputs) {
            let rounded = (x * inverse).round_ties_even() as i32;
            *quant = rounded as i8;
            sum += rounded;
        }
        *correction = -i32::from(S::BIAS) * sum;
        *offset = -*scale * sum as f32;
    }
}

/// Multiplies all rows of the inputs with one tile of weights.
///
/// # Safety
/// `tile` has `blocks` blocks of the kind; `out` is valid for 16 elements at every multiple of `stride` below the
/// number of rows; the CPU has the tier's features.
#[inline(always)]
pub(crate) unsafe fn tile<S: Simd>(
    (kind, tile): (Kind, *const u8),
    inputs: &Inputs,
    blocks: usize,
    out: (*mut f32, usize),
) {
    // SAFETY: the caller's promise.
    unsafe {
        match kind {
            Kind::Q8 => all_rows::<S, q8::Q8>(tile, inputs, blocks, out),
            Kind::Q4 => all_rows::<S, q4::Q4>(tile, inputs, blocks, out),
        }
    }
}

#[inline(always)]
unsafe fn all_rows<S: Simd, P: Product>(
    tile: *const u8,
    inputs: &Inputs,
    blocks: usize,
    (out, stride): (*mut f32, usize),
) {
    let count = inputs.scales.len() / blocks.max(1);
    let mut row = 0;
    while row < count {
        let together = (count - row).min(ROWS);
        // SAFETY: the caller's promise; rows stay below their number.
        unsafe {
            let rows = Rows {
                quants: inputs.quants.as_ptr().add(row * blocks * BLOCK),
                scales: inputs.scales.as_ptr().add(row * blocks),
                corrections: inputs.corrections.as_ptr().add(row * blocks),
                offsets: inputs.offsets.as_ptr().add(row * blocks),
                blocks,
            };
            let to = (out.add(row * stride), stride);
            match together {
                1 => some_rows::<S, P, 1>(tile, rows, to),
                2 => some_rows::<S, P, 2>(tile, rows, to),
                3 => some_rows::<S, P, 3>(tile, rows, to),
                4 => some_rows::<S, P, 4>(tile, rows, to),
                5 => some_rows::<S, P, 5>(tile, rows, to),
                6 => some_rows::<S, P, 6>(tile, rows, to),
                7 => some_rows::<S, P, 7>(tile, rows, to),
                _ => some_rows::<S, P, ROWS>(tile, rows, to),
            }
        }
        row += together;
    }
}

#[inline(always)]
unsafe fn some_rows<S: Simd, P: Product, const M: usize>(
    tile: *const u8,
    rows: Rows,
    (out, stride): (*mut f32, usize),
) {
    // Far enough ahead to hide the memory, not so far as to lose the lines again.
    const AHEAD: usize = 4 << 10;
    // SAFETY: the caller's promise. Prefetching past the end of the weights touches nothing.
    unsafe {
        let mut sums = [S::splat(0.0); M];
        for block in 0..rows.blocks {
            let at = tile.add(block * P::BYTES);
            for line in 0..P::BYTES.div_ceil(64) {
                S::prefetch(at.wrapping_add(AHEAD + line * 64));
            }
            P::add::<S, M>(at, rows, block, &mut sums);
        }
        for (m, sum) in sums.into_iter().enumerate() {
            S::store(out.add(m * stride), sum);
        }
    }
}
