//! Products with weights in blocks of few bits: what their kinds share.
//!
//! Weights are laid out in tiles of 16 outputs, one unit of blocks of 32 inputs after the other, each with its scales
//! beside it: a product reads one stream from memory, in order. Inputs are rounded to 8 bits, in blocks of 32. Every
//! output is one sum in the same order, however many rows are computed together: a batch gives the bits of single runs.

use super::simd::Simd;
use super::{q4, q6, q8};

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
    pub(crate) blocks: Vec<Rounded>,
}

impl Inputs {
    /// Room for so many inputs.
    pub(crate) fn zeroed(count: usize) -> Self {
        Self { quants: vec![0; count], blocks: vec![Rounded::default(); count / BLOCK] }
    }
}

/// What belongs to a block of rounded inputs.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Rounded {
    /// What an input of 1 stands for.
    pub(crate) scale: f32,
    /// Where sums of products with weights of 8 bits begin: it undoes their bias.
    pub(crate) correction: i32,
    /// What the minimum of a block of weights of 4 bits counts: minus the sum of the inputs.
    pub(crate) offset: f32,
    /// Where sums of products of either half with weights of 6 bits begin: it undoes their being 32 too large.
    pub(crate) halves: [i32; 2],
}

/// How weights are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// See [`q8`].
    Q8,
    /// See [`q6`].
    Q6,
    /// See [`q4`].
    Q4,
}

impl Kind {
    /// Blocks that share something, so that a row has a multiple of them.
    pub(crate) const fn unit(self) -> usize {
        match self {
            Self::Q8 => q8::Q8::UNIT,
            Self::Q6 => q6::Q6::UNIT,
            Self::Q4 => q4::Q4::UNIT,
        }
    }

    /// Bytes of so many blocks of a tile.
    pub(crate) const fn bytes(self, blocks: usize) -> usize {
        let unit = match self {
            Self::Q8 => q8::Q8::BYTES,
            Self::Q6 => q6::Q6::BYTES,
            Self::Q4 => q4::Q4::BYTES,
        };
        blocks / self.unit() * unit
    }

    /// Lays out one row of a tile, from its blocks in GGML's form. The tile is all 0 where no row was laid out yet.
    pub(crate) fn pack(self, row: &[u8], lane: usize, bias: u8, tile: &mut [u8]) {
        match self {
            Self::Q8 => q8::pack(row, lane, bias, tile),
            Self::Q6 => q6::pack(row, lane, tile),
            Self::Q4 => q4::pack(row, lane, tile),
        }
    }

    /// The numbers of one row of a tile.
    pub(crate) fn unpack(self, tile: &[u8], lane: usize, bias: u8, out: &mut [f32]) {
        match self {
            Self::Q8 => q8::unpack(tile, lane, bias, out),
            Self::Q6 => q6::unpack(tile, lane, out),
            Self::Q4 => q4::unpack(tile, lane, out),
        }
    }
}

/// The arithmetic of one kind.
pub(super) trait Product {
    /// Blocks that share something.
    const UNIT: usize;
    /// Bytes that they take in a tile.
    const BYTES: usize;

    /// Adds a unit's products with `M` rows of inputs to their sums.
    ///
    /// # Safety
    /// `unit` has [`Self::BYTES`] bytes; `rows` has `M` rows with [`Self::UNIT`] blocks from `first` on; the CPU has
    /// the tier's features.
    unsafe fn add<S: Simd, const M: usize>(unit: *const u8, rows: Rows, first: usize, sums: &mut [S::F; M]);
}

/// Fetches a block's share of the bytes that come some blocks later.
///
/// # Safety
/// The CPU has the tier's features.
#[inline(always)]
pub(super) unsafe fn fetch_ahead<S: Simd, P: Product>(unit: *const u8, block: usize) {
    // Far enough ahead to hide the memory, not so far as to lose the lines again.
    const AHEAD: usize = 4 << 10;
    let lines = P::BYTES.div_ceil(64 * P::UNIT);
    for line in block * lines..(block + 1) * lines {
        // SAFETY: the caller's promise; fetching past the end of the weights touches nothing.
        unsafe { S::prefetch(unit.wrapping_add(AHEAD + line * 64)) };
    }
}

/// Where some rows of [`Inputs`] begin.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    quants: *const i8,
    blocks: *const Rounded,
    /// Blocks in a row.
    width: usize,
}

impl Rows {
    /// Four inputs of a row, beginning with the `group`th four of a block.
    ///
    /// # Safety
    /// There are that row, block and group.
    #[inline(always)]
    pub(super) unsafe fn four(self, row: usize, block: usize, group: usize) -> i32 {
        // SAFETY: the caller's promise.
        unsafe { self.quants.add((row * self.width + block) * BLOCK + group * 4).cast::<i32>().read_unaligned() }
    }

    /// What belongs to a block of a row.
    ///
    /// # Safety
    /// There are that row and block.
    #[inline(always)]
    pub(super) unsafe fn block<'a>(self, row: usize, block: usize) -> &'a Rounded {
        // SAFETY: the caller's promise.
        unsafe { &*self.blocks.add(row * self.width + block) }
    }
}

/// Rounds blocks of 32 inputs: scale is the largest magnitude / 127.
#[inline(always)]
pub(crate) fn round<S: Simd>(inputs: &[f32], quants: &mut [i8], blocks: &mut [Rounded]) {
    const HALF: usize = BLOCK / 2;
    for ((inputs, quants), block) in inputs.chunks_exact(BLOCK).zip(quants.chunks_exact_mut(BLOCK)).zip(blocks) {
        let mut sums = [0f32; 2];
        // SAFETY: inputs and quants have two halves of sixteen elements; the caller has the tier's features.
        let largest = unsafe {
            let halves = [S::load(inputs.as_ptr()), S::load(inputs.as_ptr().add(HALF))];
            let largest = S::largest(S::max(S::magnitude(halves[0]), S::magnitude(halves[1])));
            let inverse = 127.0 / largest;
            let inverse = S::splat(if inverse.is_finite() { inverse } else { 0.0 });
            for (half, x) in halves.into_iter().enumerate() {
                let rounded = S::round(S::mul(x, inverse));
                S::store_i8(quants.as_mut_ptr().add(half * HALF), rounded);
                sums[half] = S::sum(rounded);
            }
            largest
        };
        // Rounding would hide infinities and NaN, which the sums are not free of; the scale shows them.
        let scale = if sums[0].is_nan() || sums[1].is_nan() { f32::NAN } else { largest / 127.0 };
        let (halves, sum) = (sums.map(|sum| sum as i32), sums[0] + sums[1]);
        *block = Rounded {
            scale,
            correction: -i32::from(S::BIAS) * (halves[0] + halves[1]),
            offset: -scale * sum,
            halves: halves.map(|sum| -q6::EXCESS * sum),
        };
    }
}

/// Multiplies all rows of the inputs with one tile of weights.
///
/// # Safety
/// `tile` has the bytes of `width` blocks of the kind; `out` is valid for 16 elements at every multiple of `stride`
/// below the number of rows; the CPU has the tier's features.
#[inline(always)]
pub(crate) unsafe fn tile<S: Simd>(
    (kind, tile): (Kind, *const u8),
    inputs: &Inputs,
    width: usize,
    out: (*mut f32, usize),
) {
    // SAFETY: the caller's promise.
    unsafe {
        match kind {
            Kind::Q8 => all_rows::<S, q8::Q8>(tile, inputs, width, out),
            Kind::Q6 => all_rows::<S, q6::Q6>(tile, inputs, width, out),
            Kind::Q4 => all_rows::<S, q4::Q4>(tile, inputs, width, out),
        }
    }
}

#[inline(always)]
unsafe fn all_rows<S: Simd, P: Product>(
    tile: *const u8,
    inputs: &Inputs,
    width: usize,
    (out, stride): (*mut f32, usize),
) {
    let count = inputs.blocks.len() / width.max(1);
    let mut row = 0;
    while row < count {
        let together = (count - row).min(ROWS);
        // SAFETY: the caller's promise; rows stay below their number.
        unsafe {
            let (quants, blocks) = (inputs.quants.as_ptr(), inputs.blocks.as_ptr());
            let rows = Rows { quants: quants.add(row * width * BLOCK), blocks: blocks.add(row * width), width };
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
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = [S::splat(0.0); M];
        for unit in 0..rows.width / P::UNIT {
            P::add::<S, M>(tile.add(unit * P::BYTES), rows, unit * P::UNIT, &mut sums);
        }
        for (m, sum) in sums.into_iter().enumerate() {
            S::store(out.add(m * stride), sum);
        }
    }
}
