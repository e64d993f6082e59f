//! Blocks of 32 weights of 4 bits (GGML's Q4_K): eight of them share two f16 numbers, of which each block's scale and
//! minimum are multiples of 6 bits. A weight is `number × scale − minimum`.
//!
//! A unit of a tile: 16 scales; 16 minima; for each block 16 multiples of scales, a byte each; as many of minima; for
//! each block 4 groups of 64 bytes, of which the low halves hold 4 inputs of every output, the high halves the next 4.
//! That is 4.625 bits a weight, where the file, with its multiples packed, has 4.5.

use super::blocks::{BLOCK, Product, Rows, TILE, fetch_ahead};
use super::simd::Simd;

/// Bytes of the weights in a block of a tile.
const GROUPS: usize = BLOCK * TILE / 2;
/// Where in a unit the minima are; scales come first.
const MINIMA: usize = 2 * TILE;
/// Where multiples of scales begin.
const OF_SCALES: usize = MINIMA + 2 * TILE;
/// Where multiples of minima begin.
const OF_MINIMA: usize = OF_SCALES + Q4::UNIT * TILE;
/// Where weights begin.
const WEIGHTS: usize = OF_MINIMA + Q4::UNIT * TILE;
/// Bytes of a unit of one row in GGML's form: two f16, 12 of multiples, the weights.
const STORED: usize = 4 + 12 + Q4::UNIT * BLOCK / 2;

/// See the module.
pub(crate) struct Q4;

impl Product for Q4 {
    const UNIT: usize = 8;
    const BYTES: usize = WEIGHTS + Self::UNIT * GROUPS;

    #[inline(always)]
    unsafe fn add<S: Simd, const M: usize>(unit: *const u8, rows: Rows, first: usize, sums: &mut [S::F; M]) {
        // SAFETY: the caller's promise: the unit has all groups, scales and minima, the rows have its blocks.
        unsafe {
            let shared = S::load_f16(unit.cast());
            let shared_minima = S::load_f16(unit.add(MINIMA).cast());
            for block in 0..Self::UNIT {
                fetch_ahead::<S, Self>(unit, block);
                let products = multiply::<S, M>(unit.add(WEIGHTS + block * GROUPS), rows, first + block);
                let scales = S::mul(S::load_i8(unit.add(OF_SCALES + block * TILE)), shared);
                let minima = S::mul(S::load_i8(unit.add(OF_MINIMA + block * TILE)), shared_minima);
                for (m, sum) in sums.iter_mut().enumerate() {
                    let inputs = rows.block(m, first + block);
                    let scale = S::mul(scales, S::splat(inputs.scale));
                    *sum = S::fma(S::to_f32(products[m]), scale, *sum);
                    *sum = S::fma(minima, S::splat(inputs.offset), *sum);
                }
            }
        }
    }
}

/// The sums of products of a block's numbers with `M` rows of inputs.
///
/// # Safety
/// As [`Product::add`], for one block.
#[inline(always)]
unsafe fn multiply<S: Simd, const M: usize>(weights: *const u8, rows: Rows, block: usize) -> [S::I; M] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut products = [S::splat_i(0); M];
        // One row alone would wait for each product: two chains run side by side.
        let mut second = S::splat_i(0);
        for pair in 0..4 {
            let both = S::load_i(weights.add(pair * 64));
            let (low, high) = (S::low_halves(both), S::high_halves(both));
            for (m, product) in products.iter_mut().enumerate() {
                *product = S::dot_bytes(*product, low, rows.four(m, block, 2 * pair));
                let four = rows.four(m, block, 2 * pair + 1);
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
        products
    }
}

/// Lays out one row of a tile, from its units in GGML's form. The tile is all 0 where no row was laid out yet.
pub(crate) fn pack(row: &[u8], lane: usize, tile: &mut [u8]) {
    for (from, to) in row.chunks_exact(STORED).zip(tile.chunks_exact_mut(Q4::BYTES)) {
        let (multiples, weights) = (&from[4..16], &from[16..]);
        for (at, shared) in [0, MINIMA].into_iter().zip(from.chunks_exact(2)) {
            to[at + 2 * lane..][..2].copy_from_slice(shared);
        }
        for block in 0..Q4::UNIT {
            let (scale, minimum) = multiple(multiples, block);
            to[OF_SCALES + block * TILE + lane] = scale;
            to[OF_MINIMA + block * TILE + lane] = minimum;
            // Two blocks share 32 bytes: the even one has the low halves.
            for (i, byte) in weights[block / 2 * BLOCK..][..BLOCK].iter().enumerate() {
                let (at, shift) = place(block, lane, i);
                to[at] |= (byte >> (4 * (block % 2)) & 0xF) << shift;
            }
        }
    }
}

/// In which byte of a unit, and from which of its bits on, an input's weight is.
fn place(block: usize, lane: usize, input: usize) -> (usize, usize) {
    let (group, four) = (input / 4, input % 4);
    (WEIGHTS + block * GROUPS + group / 2 * 64 + lane * 4 + four, 4 * (group % 2))
}

/// The multiples of scale and minimum of one of eight blocks, 6 bits each, as GGML packs them.
fn multiple(packed: &[u8], block: usize) -> (u8, u8) {
    if block < 4 {
        return (packed[block] & 63, packed[block + 4] & 63);
    }
    let (low, high) = (packed[block + 4], (packed[block - 4] >> 6, packed[block] >> 6));
    (low & 0xF | high.0 << 4, low >> 4 | high.1 << 4)
}

/// The numbers of one row of a tile.
pub(crate) fn unpack(tile: &[u8], lane: usize, out: &mut [f32]) {
    for (from, out) in tile.chunks_exact(Q4::BYTES).zip(out.chunks_exact_mut(Q4::UNIT * BLOCK)) {
        let shared = super::f16_at(from, 2 * lane);
        let shared_minimum = super::f16_at(from, MINIMA + 2 * lane);
        for (block, out) in out.chunks_exact_mut(BLOCK).enumerate() {
            let scale = shared * f32::from(from[OF_SCALES + block * TILE + lane]);
            let minimum = shared_minimum * f32::from(from[OF_MINIMA + block * TILE + lane]);
            for (i, out) in out.iter_mut().enumerate() {
                let (at, shift) = place(block, lane, i);
                *out = scale * f32::from(from[at] >> shift & 0xF) - minimum;
            }
        }
    }
}
