//! Blocks of 32 weights of 4 bits, each with a scale and a minimum (GGML's Q4_K).
//!
//! In the file, eight blocks share two f16 numbers, of which each block has two multiples of 6 bits. Here each block of
//! a tile has its 16 scales and 16 minima multiplied out, in f16: 5 bits a weight instead of 4.5, and nothing to
//! decode. Before them lie 4 groups of 64 bytes: low halves hold 4 inputs of every output, high halves the next 4.

use half::f16;

use super::blocks::{BLOCK, Product, Rows, TILE};
use super::simd::Simd;

/// Bytes of the weights in a block of a tile.
const WEIGHTS: usize = BLOCK * TILE / 2;
/// Weights that share two numbers in the file.
pub(crate) const SUPER: usize = 256;
/// Bytes that they take there: two f16, 12 of multiples, 128 of weights.
const SUPER_BYTES: usize = 4 + 12 + SUPER / 2;

/// See the module.
pub(crate) struct Q4;

impl Product for Q4 {
    const BYTES: usize = WEIGHTS + 4 * TILE;

    #[inline(always)]
    unsafe fn add<S: Simd, const M: usize>(block: *const u8, rows: Rows, number: usize, sums: &mut [S::F; M]) {
        // SAFETY: the caller's promise: the block has all groups, scales and minima, the rows have this block.
        unsafe {
            let mut products = [S::splat_i(0); M];
            // One row alone would wait for each product: two chains run side by side.
            let mut second = S::splat_i(0);
            for pair in 0..4 {
                let both = S::load_i(block.add(pair * 64));
                let (low, high) = (S::low_halves(both), S::high_halves(both));
                for (m, product) in products.iter_mut().enumerate() {
                    *product = S::dot_bytes(*product, low, rows.four(m, number, 2 * pair));
                    let four = rows.four(m, number, 2 * pair + 1);
                    if M == 1 {
                        second = S::dot_bytes(second, high, four);
                    } else {
                        *product = S::dot_bytes(*product, high, four);
                    }
                }
            }
            if M == 1 {
                products[0] = S::add_i(products[0], second);
            }
            let scales = S::load_f16(block.add(WEIGHTS).cast());
            let minima = S::load_f16(block.add(WEIGHTS + 2 * TILE).cast());
            for (m, sum) in sums.iter_mut().enumerate() {
                let scale = S::mul(scales, S::splat(rows.scale(m, number)));
                *sum = S::fma(S::to_f32(products[m]), scale, *sum);
                *sum = S::fma(minima, S::splat(rows.offset(m, number)), *sum);
            }
        }
    }
}

/// Lays out one row of a tile, from its blocks in GGML's form.
pub(crate) fn pack(row: &[u8], lane: usize, tile: &mut [u8]) {
    let supers = row.chunks_exact(SUPER_BYTES).zip(tile.chunks_exact_mut(SUPER / BLOCK * Q4::BYTES));
    for (from, to) in supers {
        let (scale, minimum) = (super::f16_at(from, 0), super::f16_at(from, 2));
        let (multiples, weights) = (&from[4..16], &from[16..]);
        for (number, to) in to.chunks_exact_mut(Q4::BYTES).enumerate() {
            let (of_scale, of_minimum) = multiple(multiples, number);
            let own = [scale * f32::from(of_scale), minimum * f32::from(of_minimum)];
            for (at, own) in [WEIGHTS, WEIGHTS + 2 * TILE].into_iter().zip(own) {
                to[at + 2 * lane..][..2].copy_from_slice(&f16::from_f32(own).to_le_bytes());
            }
            // Two blocks share 32 bytes: the even one has the low halves.
            for (i, byte) in weights[number / 2 * BLOCK..][..BLOCK].iter().enumerate() {
                let weight = byte >> (4 * (number % 2)) & 0xF;
                let (group, four) = (i / 4, i % 4);
                to[group / 2 * 64 + lane * 4 + four] |= weight << (4 * (group % 2));
            }
        }
    }
}

/// The multiples of scale and minimum of one of eight blocks, 6 bits each, as GGML packs them.
fn multiple(packed: &[u8], number: usize) -> (u8, u8) {
    if number < 4 {
        return (packed[number] & 63, packed[number + 4] & 63);
    }
    let (low, high) = (packed[number + 4], (packed[number - 4] >> 6, packed[number] >> 6));
    (low & 0xF | high.0 << 4, low >> 4 | high.1 << 4)
}

/// The numbers of one row of a tile.
pub(crate) fn unpack(tile: &[u8], lane: usize, out: &mut [f32]) {
    for (from, out) in tile.chunks_exact(Q4::BYTES).zip(out.chunks_exact_mut(BLOCK)) {
        let scale = super::f16_at(from, WEIGHTS + 2 * lane);
        let minimum = super::f16_at(from, WEIGHTS + 2 * TILE + 2 * lane);
        for (i, out) in out.iter_mut().enumerate() {
            let (group, four) = (i / 4, i % 4);
            let weight = from[group / 2 * 64 + lane * 4 + four] >> (4 * (group % 2)) & 0xF;
            *out = f32::from(weight) * scale - minimum;
        }
    }
}
