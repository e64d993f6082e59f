//! Blocks of 32 signed bytes with one f16 scale (GGML's Q8_0).
//!
//! A block of a tile: 8 groups of 64 bytes, each with 4 inputs of every output, biased as the tier wants it; then 16
//! scales.

use super::blocks::{BLOCK, Product, Rows, TILE, fetch_ahead};
use super::simd::Simd;

/// Bytes of the weights in a block of a tile.
const WEIGHTS: usize = BLOCK * TILE;

/// See the module.
pub(crate) struct Q8;

impl Product for Q8 {
    const UNIT: usize = 1;
    const BYTES: usize = WEIGHTS + 2 * TILE;

    #[inline(always)]
    unsafe fn add<S: Simd, const M: usize>(block: *const u8, rows: Rows, first: usize, sums: &mut [S::F; M]) {
        // SAFETY: the caller's promise: the block has all groups and the scales, the rows have this block.
        unsafe {
            fetch_ahead::<S, Self>(block, 0);
            let mut products = [S::splat_i(0); M];
            // One row alone would wait for each product: two chains run side by side.
            let mut second = S::splat_i(0);
            for (m, product) in products.iter_mut().enumerate() {
                *product = S::splat_i(rows.block(m, first).correction);
            }
            for group in 0..8 {
                let weights = S::load_i(block.add(group * 64));
                for (m, product) in products.iter_mut().enumerate() {
                    let four = rows.four(m, first, group);
                    if M == 1 && group % 2 == 1 {
                        second = S::dot_bytes(second, weights, four);
                    } else {
                        *product = S::dot_bytes(*product, weights, four);
                    }
                }
            }
            if M == 1 {
                products[0] = S::add_i(products[0], second);
            }
            let scales = S::load_f16(block.add(WEIGHTS).cast());
            for (m, sum) in sums.iter_mut().enumerate() {
                let scale = S::mul(scales, S::splat(rows.block(m, first).scale));
                *sum = S::fma(S::to_f32(products[m]), scale, *sum);
            }
        }
    }
}

/// Lays out one row of a tile, from its blocks in GGML's form (f16 scale, 32 signed bytes).
pub(crate) fn pack(row: &[u8], lane: usize, bias: u8, tile: &mut [u8]) {
    for (from, to) in row.chunks_exact(BLOCK + 2).zip(tile.chunks_exact_mut(Q8::BYTES)) {
        let (scale, weights) = from.split_at(2);
        to[WEIGHTS + 2 * lane..][..2].copy_from_slice(scale);
        for (group, four) in weights.chunks_exact(4).enumerate() {
            for (to, from) in to[group * 64 + lane * 4..][..4].iter_mut().zip(four) {
                *to = from.wrapping_add(bias);
            }
        }
    }
}

/// The numbers of one row of a tile.
pub(crate) fn unpack(tile: &[u8], lane: usize, bias: u8, out: &mut [f32]) {
    for (from, out) in tile.chunks_exact(Q8::BYTES).zip(out.chunks_exact_mut(BLOCK)) {
        let scale = super::f16_at(from, WEIGHTS + 2 * lane);
        for (i, out) in out.iter_mut().enumerate() {
            let byte = from[i / 4 * 64 + lane * 4 + i % 4];
            *out = f32::from(byte.wrapping_sub(bias).cast_signed()) * scale;
        }
    }
}
