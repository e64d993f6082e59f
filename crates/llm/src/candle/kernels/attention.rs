//! Attention of a few queries that share keys and values: the query heads of one key head, for one row or a few
//! consecutive rows of one sequence.
//!
//! Keys lie in tiles of 16 positions (`[position / 16][dimension][position % 16]`), so that 16 scores are computed
//! without adding across lanes; values lie in rows (`[position][dimension]`). Both are f16.

use super::simd::Simd;

/// Most queries in one go.
pub(crate) const LANES: usize = 8;
/// Positions in a tile of keys.
pub(crate) const POSITIONS: usize = 16;

/// Queries and what they look at.
pub(crate) struct Attention<'a> {
    /// `[lane][dimension]`, scaled already; [`LANES`] of them, what is not used is 0.
    pub(crate) queries: &'a [f32],
    /// Positions that each lane sees; 0 for a lane that is not used.
    pub(crate) seen: [usize; LANES],
    /// Keys of one head.
    pub(crate) keys: &'a [u16],
    /// Values of one head.
    pub(crate) values: &'a [u16],
    /// A multiple of 16.
    pub(crate) dimensions: usize,
}

/// Attends; `out` is `[lane][dimension]`, `scores` is scratch.
#[inline(always)]
pub(crate) fn attend<S: Simd>(attention: &Attention<'_>, scores: &mut Vec<f32>, out: &mut [f32]) {
    let used = attention.seen.iter().rposition(|seen| *seen > 0).map_or(0, |last| last + 1);
    let wide = attention.dimensions.is_multiple_of(64);
    match (used, wide) {
        (0, _) => {}
        (1, true) => lanes::<S, 1, 4>(attention, scores, out),
        (2, true) => lanes::<S, 2, 4>(attention, scores, out),
        (3 | 4, true) => lanes::<S, 4, 4>(attention, scores, out),
        (_, true) => lanes::<S, LANES, 2>(attention, scores, out),
        (..=4, false) => lanes::<S, 4, 1>(attention, scores, out),
        (_, false) => lanes::<S, LANES, 1>(attention, scores, out),
    }
}

/// `L` lanes, `C` times 16 dimensions of the values together.
#[inline(always)]
fn lanes<S: Simd, const L: usize, const C: usize>(attention: &Attention<'_>, scores: &mut Vec<f32>, out: &mut [f32]) {
    let Attention { queries, seen, keys, values, dimensions } = *attention;
    let longest = seen.iter().copied().max().unwrap_or(0);
    let tiles = longest.div_ceil(POSITIONS);
    let stride = tiles * POSITIONS;
    scores.clear();
    scores.resize(L * stride, 0.0);
    assert!(keys.len() >= stride * dimensions && values.len() >= longest * dimensions);
    assert!(queries.len() >= L * dimensions && out.len() >= L * dimensions);
    // SAFETY: the tier's caller has its features; the lengths were checked above.
    unsafe {
        for tile in 0..tiles {
            let keys = keys.as_ptr().add(tile * POSITIONS * dimensions);
            let mut sums = [S::splat(0.0); L];
            for dimension in 0..dimensions {
                let key = S::load_f16(keys.add(dimension * POSITIONS));
                for (lane, sum) in sums.iter_mut().enumerate() {
                    *sum = S::fma(S::splat(*queries.as_ptr().add(lane * dimensions + dimension)), key, *sum);
                }
            }
            for (lane, sum) in sums.into_iter().enumerate() {
                S::store(scores.as_mut_ptr().add(lane * stride + tile * POSITIONS), sum);
            }
        }
        for (lane, scores) in scores.chunks_exact_mut(stride).enumerate() {
            softmax::<S>(scores, seen[lane]);
        }
        for from in (0..dimensions).step_by(16 * C) {
            let mut sums = [[S::splat(0.0); C]; L];
            for position in 0..longest {
                let values = values.as_ptr().add(position * dimensions + from);
                let mut chunk = [S::splat(0.0); C];
                for (c, value) in chunk.iter_mut().enumerate() {
                    *value = S::load_f16(values.add(c * 16));
                }
                for (lane, sums) in sums.iter_mut().enumerate() {
                    let weight = S::splat(*scores.as_ptr().add(lane * stride + position));
                    for (sum, value) in sums.iter_mut().zip(chunk) {
                        *sum = S::fma(weight, value, *sum);
                    }
                }
            }
            for (lane, sums) in sums.into_iter().enumerate() {
                for (c, sum) in sums.into_iter().enumerate() {
                    S::store(out.as_mut_ptr().add(lane * dimensions + from + c * 16), sum);
                }
            }
        }
    }
}

/// Softmax of the first `seen` scores; the rest becomes 0. Whole sixteens, so that what stands beyond `seen` does not
/// change the order of the sum.
#[inline(always)]
unsafe fn softmax<S: Simd>(scores: &mut [f32], seen: usize) {
    let (scores, beyond) = scores.split_at_mut(seen.div_ceil(POSITIONS) * POSITIONS);
    beyond.fill(0.0);
    scores[seen..].fill(f32::NEG_INFINITY);
    // SAFETY: chunks have sixteen elements; the caller has the tier's features.
    unsafe {
        let mut most = S::splat(f32::NEG_INFINITY);
        for chunk in scores.chunks_exact(16) {
            most = S::max(most, S::load(chunk.as_ptr()));
        }
        let shift = S::splat(-S::largest(most));
        let mut total = S::splat(0.0);
        for chunk in scores.chunks_exact_mut(16) {
            let e = S::exp(S::add(S::load(chunk.as_ptr()), shift));
            S::store(chunk.as_mut_ptr(), e);
        }
        // 2^-126 would be left of what stands beyond.
        scores[seen..].fill(0.0);
        for chunk in scores.chunks_exact(16) {
            total = S::add(total, S::load(chunk.as_ptr()));
        }
        let inverse = S::splat(1.0 / S::sum(total));
        for chunk in scores.chunks_exact_mut(16) {
            S::store(chunk.as_mut_ptr(), S::mul(S::load(chunk.as_ptr()), inverse));
        }
    }
}
