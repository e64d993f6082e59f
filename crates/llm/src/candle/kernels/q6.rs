//! Blocks of 32 weights of 6 bits (GGML's Q6_K): eight of them share an f16 number, of which the scale of each half of a
//! block is a multiple of 8 bits. A weight is `(number − 32) × scale`.
//!
//! A unit of a tile: 16 scales, in f32, which keeps units aligned; for each block 2 × 16 multiples of scales; for each
//! block 4 groups of 64 bytes, of which the low halves hold the lower four bits of 4 inputs of every output, the high
//! halves those of the next 4, and 2 groups of 64 bytes with the upper two bits of 4 times 4 inputs of every output.
//! That is 6.625 bits a weight, where the file has 6.5625.

use super::blocks::{BLOCK, Product, Rows, TILE, fetch_ahead};
use super::simd::Simd;

/// Bytes of the lower bits in a block of a tile.
const LOWER: usize = BLOCK * TILE / 2;
/// Bytes of all bits in a block of a tile.
const GROUPS: usize = LOWER + BLOCK * TILE / 4;
/// Where in a unit multiples of scales begin; scales come first.
const OF_SCALES: usize = 4 * TILE;
/// Where weights begin.
const WEIGHTS: usize = OF_SCALES + Q6::UNIT * 2 * TILE;
/// Bytes of a unit of one row in GGML's form: lower bits, upper bits, multiples, an f16.
const STORED: usize = Q6::UNIT * (BLOCK / 2 + BLOCK / 4 + 2) + 2;
/// By how much a number is larger than what it stands for.
pub(super) const EXCESS: i32 = 32;

/// See the module.
pub(crate) struct Q6;

impl Product for Q6 {
    const UNIT: usize = 8;
    const BYTES: usize = WEIGHTS + Self::UNIT * GROUPS;

    #[inline(always)]
    unsafe fn add<S: Simd, const M: usize>(unit: *const u8, rows: Rows, first: usize, sums: &mut [S::F; M]) {
        // SAFETY: the caller's promise: the unit has all groups and scales, the rows have its blocks.
        unsafe {
            let shared = S::load(unit.cast());
            for block in 0..Self::UNIT {
                fetch_ahead::<S, Self>(unit, block);
                let mut terms = [S::splat(0.0); M];
                for half in 0..2 {
                    let groups = unit.add(WEIGHTS + block * GROUPS);
                    let products = multiply::<S, M>(groups, rows, first + block, half);
                    let scales = S::mul(S::load_i8(unit.add(OF_SCALES + (2 * block + half) * TILE)), shared);
                    for (term, product) in terms.iter_mut().zip(products) {
                        *term = S::fma(S::to_f32(product), scales, *term);
                    }
                }
                for (m, sum) in sums.iter_mut().enumerate() {
                    *sum = S::fma(terms[m], S::splat(rows.block(m, first + block).scale), *sum);
                }
            }
        }
    }
}

/// The sums of products of half a block with `M` rows of inputs.
///
/// # Safety
/// As [`Product::add`], for half a block.
#[inline(always)]
unsafe fn multiply<S: Simd, const M: usize>(groups: *const u8, rows: Rows, block: usize, half: usize) -> [S::I; M] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut products = [S::splat_i(0); M];
        // One row alone would wait for each product: two chains run side by side.
        let mut second = S::splat_i(0);
        for (m, product) in products.iter_mut().enumerate() {
            *product = S::splat_i(rows.block(m, block).halves[half]);
        }
        let upper = S::load_i(groups.add(LOWER + half * 64));
        for pair in 0..2 {
            let lower = S::load_i(groups.add((2 * half + pair) * 64));
            let even = S::or_i(S::low_halves(lower), S::upper_bits(upper, 2 * pair));
            let odd = S::or_i(S::high_halves(lower), S::upper_bits(upper, 2 * pair + 1));
            for (m, product) in products.iter_mut().enumerate() {
                let group = 4 * half + 2 * pair;
                *product = S::dot_bytes(*product, even, rows.four(m, block, group));
                let four = rows.four(m, block, group + 1);
                if M == 1 {
                    second = S::dot_bytes(second, odd, four);
                } else {
                    *product = S::dot_bytes(*product, odd, four);
                }
            }
        }
        if M == 1 {
            products[0] = S::add_i(products[0], second);
        }
        products
    }
}

/// Where the lower four and the upper two bits of an input's weight are in a unit: the byte, and from which bit on.
fn place(block: usize, lane: usize, input: usize) -> [(usize, usize); 2] {
    let (group, at) = (input / 4, WEIGHTS + block * GROUPS + lane * 4 + input % 4);
    let lower = at + group / 2 * 64;
    let upper = at + LOWER + group / 4 * 64;
    [(lower, 4 * (group % 2)), (upper, 2 * (group % 4))]
}

/// Lays out one row of a tile, from its units in GGML's form. The tile is all 0 where no row was laid out yet.
pub(crate) fn pack(row: &[u8], lane: usize, tile: &mut [u8]) {
    for (from, to) in row.chunks_exact(STORED).zip(tile.chunks_exact_mut(Q6::BYTES)) {
        let (lower, rest) = from.split_at(Q6::UNIT * BLOCK / 2);
        let (upper, rest) = rest.split_at(Q6::UNIT * BLOCK / 4);
        let (scales, shared) = rest.split_at(Q6::UNIT * 2);
        to[4 * lane..][..4].copy_from_slice(&super::f16_at(shared, 0).to_le_bytes());
        for (at, scale) in scales.iter().enumerate() {
            to[OF_SCALES + at * TILE + lane] = *scale;
        }
        for block in 0..Q6::UNIT {
            // Four blocks share 64 bytes of lower and 32 of upper bits.
            let (four, own) = (block / 4, block % 4);
            for i in 0..BLOCK {
                let bits = [
                    lower[four * 64 + own % 2 * 32 + i] >> (4 * (own / 2)) & 0xF,
                    upper[four * 32 + i] >> (2 * own) & 3,
                ];
                for ((at, shift), bits) in place(block, lane, i).into_iter().zip(bits) {
                    to[at] |= bits << shift;
                }
            }
        }
    }
}

/// The numbers of one row of a tile.
pub(crate) fn unpack(tile: &[u8], lane: usize, out: &mut [f32]) {
    for (from, out) in tile.chunks_exact(Q6::BYTES).zip(out.chunks_exact_mut(Q6::UNIT * BLOCK)) {
        let at = 4 * lane;
        let shared = f32::from_le_bytes([from[at], from[at + 1], from[at + 2], from[at + 3]]);
        for (block, out) in out.chunks_exact_mut(BLOCK).enumerate() {
            for (i, out) in out.iter_mut().enumerate() {
                let scale = from[OF_SCALES + (2 * block + 2 * i / BLOCK) * TILE + lane].cast_signed();
                let [(lower, low), (upper, up)] = place(block, lane, i);
                let number = (from[lower] >> low & 0xF) | (from[upper] >> up & 3) << 4;
                *out = shared * f32::from(scale) * (i32::from(number) - EXCESS) as f32;
            }
        }
    }
}
