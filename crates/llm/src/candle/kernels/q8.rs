//! Products with weights of 8 bits: blocks of 32 signed bytes with one f16 scale (GGML's Q8_0).
//!
//! Weights are laid out in tiles of 16 outputs and 32 inputs: 8 groups of 64 bytes, each with 4 inputs of every output,
//! and 16 scales. Inputs are rounded to 8 bits too, in blocks of 32.

use super::simd::Simd;

/// Inputs in a block.
pub(crate) const BLOCK: usize = 32;
/// Outputs in a tile.
pub(crate) const TILE: usize = 16;
/// Bytes of one block of a tile.
pub(crate) const TILE_BYTES: usize = BLOCK * TILE;
/// Most rows of inputs that are multiplied in one go.
const ROWS: usize = 8;

/// Rows of inputs, rounded to 8 bits.
#[derive(Default)]
pub(crate) struct Inputs {
    /// `[row][input]`
    pub(crate) quants: Vec<i8>,
    /// `[row][block]`
    pub(crate) scales: Vec<f32>,
    /// `[row][block]`: what undoes the bias of the weights.
    pub(crate) corrections: Vec<i32>,
}

/// Rounds blocks of 32 inputs: scale is the largest magnitude / 127.
#[inline(always)]
pub(crate) fn round<S: Simd>(inputs: &[f32], quants: &mut [i8], scales: &mut [f32], corrections: &mut [i32]) {
    let blocks = inputs.chunks_exact(BLOCK).zip(quants.chunks_exact_mut(BLOCK));
    for ((inputs, quants), (scale, correction)) in blocks.zip(scales.iter_mut().zip(corrections)) {
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
    }
}

/// Multiplies all rows of the inputs with one tile of weights.
///
/// # Safety
/// `weights` has `blocks * 512` bytes, `scales` `blocks * 16` f16; `out` is valid for 16 elements at every multiple of
/// `stride` below the number of rows.
#[inline(always)]
pub(crate) unsafe fn tile<S: Simd>(
    (weights, scales): (*const u8, *const u16),
    inputs: &Inputs,
    blocks: usize,
    (out, stride): (*mut f32, usize),
) {
    let rows = inputs.scales.len() / blocks.max(1);
    let mut row = 0;
    while row < rows {
        let count = (rows - row).min(ROWS);
        // SAFETY: the caller's promise; rows stay below the number of rows.
        unsafe {
            let to = (out.add(row * stride), stride);
            let tile = (weights, scales);
            match count {
                1 => some_rows::<S, 1>(tile, inputs, (row, blocks), to),
                2 => some_rows::<S, 2>(tile, inputs, (row, blocks), to),
                3 => some_rows::<S, 3>(tile, inputs, (row, blocks), to),
                4 => some_rows::<S, 4>(tile, inputs, (row, blocks), to),
                5 => some_rows::<S, 5>(tile, inputs, (row, blocks), to),
                6 => some_rows::<S, 6>(tile, inputs, (row, blocks), to),
                7 => some_rows::<S, 7>(tile, inputs, (row, blocks), to),
                _ => some_rows::<S, ROWS>(tile, inputs, (row, blocks), to),
            }
        }
        row += count;
    }
}

#[inline(always)]
unsafe fn some_rows<S: Simd, const M: usize>(
    (weights, scales): (*const u8, *const u16),
    inputs: &Inputs,
    (row, blocks): (usize, usize),
    (out, stride): (*mut f32, usize),
) {
    // Weights are read once, in order: far enough ahead to hide the memory, not so far as to lose them again.
    const AHEAD: usize = 8 * TILE_BYTES;
    // SAFETY: the caller's promise, and `Inputs` holds `blocks` blocks for each of its rows. Prefetching past the end
    // of the weights touches nothing.
    unsafe {
        let quants = inputs.quants.as_ptr().add(row * blocks * BLOCK);
        let input_scales = inputs.scales.as_ptr().add(row * blocks);
        let corrections = inputs.corrections.as_ptr().add(row * blocks);
        let mut sums = [S::splat(0.0); M];
        for block in 0..blocks {
            let at = weights.add(block * TILE_BYTES);
            for line in 0..8 {
                S::prefetch(at.wrapping_add(AHEAD + line * 64));
            }
            let mut products = [S::splat_i(0); M];
            // One row alone would wait for each product: two chains run side by side.
            let mut second = S::splat_i(0);
            for (m, product) in products.iter_mut().enumerate() {
                *product = S::splat_i(*corrections.add(m * blocks + block));
            }
            for group in 0..8 {
                for (m, product) in products.iter_mut().enumerate() {
                    let four = quants.add((m * blocks + block) * BLOCK + group * 4).cast::<i32>().read_unaligned();
                    if M == 1 && group % 2 == 1 {
                        second = S::dot_bytes(second, at.add(group * 64), four);
                    } else {
                        *product = S::dot_bytes(*product, at.add(group * 64), four);
                    }
                }
            }
            if M == 1 {
                products[0] = S::add_i(products[0], second);
            }
            let weight_scales = S::load_f16(scales.add(block * TILE));
            for (m, sum) in sums.iter_mut().enumerate() {
                let scale = S::mul(weight_scales, S::splat(*input_scales.add(m * blocks + block)));
                *sum = S::fma(S::to_f32(products[m]), scale, *sum);
            }
        }
        for (m, sum) in sums.into_iter().enumerate() {
            S::store(out.add(m * stride), sum);
        }
    }
}
