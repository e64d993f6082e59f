//! What is done to single rows between the products. Widths are multiples of 16.

use super::simd::Simd;

/// Root-mean-square norm (Zhang and Sennrich, 2019): `out = x / sqrt(mean(x²) + ε) · weight`.
#[inline(always)]
pub(crate) fn normalise<S: Simd>(x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]) {
    assert!(x.len() == weight.len() && out.len() == x.len() && x.len().is_multiple_of(16));
    // SAFETY: the lengths were checked; the caller has the tier's features.
    unsafe {
        let mut squares = S::splat(0.0);
        for chunk in x.chunks_exact(16) {
            let x = S::load(chunk.as_ptr());
            squares = S::fma(x, x, squares);
        }
        let scale = S::splat(1.0 / (S::sum(squares) / x.len() as f32 + epsilon).sqrt());
        for at in (0..x.len()).step_by(16) {
            let scaled = S::mul(S::load(x.as_ptr().add(at)), scale);
            S::store(out.as_mut_ptr().add(at), S::mul(scaled, S::load(weight.as_ptr().add(at))));
        }
    }
}

/// The gated unit of the feed-forward part (Shazeer, 2020): `out = gate · sigmoid(gate) · up`.
#[inline(always)]
pub(crate) fn gate<S: Simd>(gate: &[f32], up: &[f32], out: &mut [f32]) {
    assert!(gate.len() == up.len() && out.len() == gate.len() && gate.len().is_multiple_of(16));
    // SAFETY: the lengths were checked; the caller has the tier's features.
    unsafe {
        for at in (0..gate.len()).step_by(16) {
            let g = S::load(gate.as_ptr().add(at));
            let divisor = S::add(S::splat(1.0), S::exp(S::mul(g, S::splat(-1.0))));
            let open = S::mul(S::div(g, divisor), S::load(up.as_ptr().add(at)));
            S::store(out.as_mut_ptr().add(at), open);
        }
    }
}

/// `out = e^((x − most) · scale)`, which is never quite 0; gives the sum.
#[inline(always)]
pub(crate) fn exponentials<S: Simd>(x: &[f32], most: f32, scale: f32, out: &mut [f32]) -> f32 {
    assert!(out.len() == x.len() && x.len().is_multiple_of(16));
    // SAFETY: the lengths were checked; the caller has the tier's features.
    unsafe {
        let (shift, scale) = (S::splat(-most), S::splat(scale));
        let mut total = S::splat(0.0);
        for (x, out) in x.chunks_exact(16).zip(out.chunks_exact_mut(16)) {
            let e = S::exp(S::mul(S::add(S::load(x.as_ptr()), shift), scale));
            S::store(out.as_mut_ptr(), e);
            total = S::add(total, e);
        }
        S::sum(total)
    }
}
