//! Products with weights of f32, f16 or bf16. Every output is one sum in the same order, however many rows or outputs
//! are computed together: a batch gives the bits of single runs.

use super::simd::Simd;

/// A type of weight.
pub(crate) trait Element: Copy + Send + Sync {
    /// Sixteen of them.
    ///
    /// # Safety
    /// As the methods of [`Simd`].
    unsafe fn load<S: Simd>(from: *const Self) -> S::F;
}

/// An f16 or bf16 by its bits.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct F16(pub(crate) u16);
/// See [`F16`].
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Bf16(pub(crate) u16);

impl Element for f32 {
    #[inline(always)]
    unsafe fn load<S: Simd>(from: *const Self) -> S::F {
        // SAFETY: the caller's promise.
        unsafe { S::load(from) }
    }
}
impl Element for F16 {
    #[inline(always)]
    unsafe fn load<S: Simd>(from: *const Self) -> S::F {
        // SAFETY: the caller's promise; the type is transparent.
        unsafe { S::load_f16(from.cast()) }
    }
}
impl Element for Bf16 {
    #[inline(always)]
    unsafe fn load<S: Simd>(from: *const Self) -> S::F {
        // SAFETY: the caller's promise; the type is transparent.
        unsafe { S::load_bf16(from.cast()) }
    }
}

/// Outputs that are computed together.
pub(crate) const GROUP: usize = 4;

/// Multiplies rows of inputs (`[row][width]`) with up to [`GROUP`] rows of weights; `width` is a multiple of 16.
///
/// # Safety
/// `out` is valid for as many elements as there are weight rows, at every multiple of `stride` below the rows.
#[inline(always)]
pub(crate) unsafe fn group<S: Simd, E: Element>(
    weights: &[E],
    inputs: &[f32],
    width: usize,
    (out, stride): (*mut f32, usize),
) {
    let (rows, outputs) = (inputs.len() / width, weights.len() / width);
    let mut row = 0;
    while row < rows {
        let count = (rows - row).min(4);
        let x = &inputs[row * width..(row + count) * width];
        // SAFETY: the caller's promise; `x` and `weights` hold whole rows.
        unsafe {
            let to = (out.add(row * stride), stride);
            match (count, outputs) {
                (1, GROUP) => block::<S, E, 1, GROUP>(weights, x, width, to),
                (2, GROUP) => block::<S, E, 2, GROUP>(weights, x, width, to),
                (3, GROUP) => block::<S, E, 3, GROUP>(weights, x, width, to),
                (4, GROUP) => block::<S, E, 4, GROUP>(weights, x, width, to),
                _ => {
                    for (m, x) in x.chunks_exact(width).enumerate() {
                        for (n, weights) in weights.chunks_exact(width).enumerate() {
                            block::<S, E, 1, 1>(weights, x, width, (to.0.add(m * stride + n), stride));
                        }
                    }
                }
            }
        }
        row += count;
    }
}

#[inline(always)]
unsafe fn block<S: Simd, E: Element, const M: usize, const N: usize>(
    weights: &[E],
    inputs: &[f32],
    width: usize,
    (out, stride): (*mut f32, usize),
) {
    // SAFETY: weights hold N rows and inputs M rows of `width`, and `at` stays 16 below it.
    unsafe {
        let mut sums = [[S::splat(0.0); N]; M];
        for at in (0..width).step_by(16) {
            let mut w = [S::splat(0.0); N];
            for (n, w) in w.iter_mut().enumerate() {
                *w = E::load::<S>(weights.as_ptr().add(n * width + at));
            }
            for (m, sums) in sums.iter_mut().enumerate() {
                let x = S::load(inputs.as_ptr().add(m * width + at));
                for (sum, w) in sums.iter_mut().zip(w) {
                    *sum = S::fma(x, w, *sum);
                }
            }
        }
        for (m, sums) in sums.into_iter().enumerate() {
            for (n, sum) in sums.into_iter().enumerate() {
                out.add(m * stride + n).write(S::sum(sum));
            }
        }
    }
}
