//! Sixteen lanes of arithmetic, once for each tier of CPU. Kernels are written once over this trait; a tier wraps them
//! in functions that have its CPU features, into which everything here is inlined.

/// Sixteen f32 and sixteen i32 lanes.
///
/// # Safety
/// Every method may only run on a CPU that has the tier's features; pointers must be valid for the sixteen elements
/// (or 64 bytes) that are read or written. None needs alignment.
pub(crate) trait Simd: Copy {
    /// Sixteen f32.
    type F: Copy;
    /// Sixteen i32.
    type I: Copy;
    /// What is added to every signed weight byte in memory, so that it suits this tier's byte product. Bytes up to 127
    /// suit every tier as they are.
    const BIAS: u8;

    unsafe fn splat(x: f32) -> Self::F;
    unsafe fn load(from: *const f32) -> Self::F;
    unsafe fn load_f16(from: *const u16) -> Self::F;
    unsafe fn load_bf16(from: *const u16) -> Self::F;
    /// Sixteen signed bytes.
    unsafe fn load_i8(from: *const u8) -> Self::F;
    unsafe fn store(to: *mut f32, x: Self::F);
    /// Sixteen whole numbers from -127 to 127, as bytes.
    unsafe fn store_i8(to: *mut i8, x: Self::F);
    unsafe fn add(a: Self::F, b: Self::F) -> Self::F;
    unsafe fn mul(a: Self::F, b: Self::F) -> Self::F;
    unsafe fn div(a: Self::F, b: Self::F) -> Self::F;
    unsafe fn max(a: Self::F, b: Self::F) -> Self::F;
    unsafe fn min(a: Self::F, b: Self::F) -> Self::F;
    /// `a * b + c`.
    unsafe fn fma(a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// To the nearest integer, ties to even.
    unsafe fn round(x: Self::F) -> Self::F;
    /// `x * 2^n`, for whole `n` from -126 to 127.
    unsafe fn scale(x: Self::F, n: Self::F) -> Self::F;
    unsafe fn sum(x: Self::F) -> f32;
    unsafe fn largest(x: Self::F) -> f32;

    unsafe fn splat_i(x: i32) -> Self::I;
    /// 64 bytes.
    unsafe fn load_i(from: *const u8) -> Self::I;
    /// The lower four bits of every byte.
    unsafe fn low_halves(x: Self::I) -> Self::I;
    /// The upper four bits of every byte, moved down.
    unsafe fn high_halves(x: Self::I) -> Self::I;
    /// The `which`th two bits of every byte, from the lowest on, moved to its bits 4 and 5.
    unsafe fn upper_bits(x: Self::I, which: usize) -> Self::I;
    unsafe fn or_i(a: Self::I, b: Self::I) -> Self::I;
    /// Adds to each lane the product of its four bytes of `weights` (biased) with the four signed bytes of `four`.
    unsafe fn dot_bytes(sum: Self::I, weights: Self::I, four: i32) -> Self::I;
    unsafe fn add_i(a: Self::I, b: Self::I) -> Self::I;
    unsafe fn to_f32(x: Self::I) -> Self::F;
    unsafe fn prefetch(at: *const u8);

    #[inline(always)]
    unsafe fn magnitude(x: Self::F) -> Self::F {
        // SAFETY: the caller has the tier's features.
        unsafe { Self::max(x, Self::mul(x, Self::splat(-1.0))) }
    }

    /// e^x to about 2e-7 relative, by a polynomial for 2^f on [-1/2, 1/2] (Taylor terms of 2^f up to the sixth).
    #[inline(always)]
    unsafe fn exp(x: Self::F) -> Self::F {
        // SAFETY: the caller has the tier's features.
        unsafe {
            let t = Self::mul(x, Self::splat(std::f32::consts::LOG2_E));
            let t = Self::min(Self::max(t, Self::splat(-126.0)), Self::splat(126.0));
            let n = Self::round(t);
            let f = Self::fma(n, Self::splat(-1.0), t);
            let terms = [1.540_353e-4, 1.333_355_8e-3, 9.618_129e-3, 5.550_411e-2, 0.240_226_5, std::f32::consts::LN_2];
            let mut p = Self::splat(terms[0]);
            let mut index = 1;
            while index < terms.len() {
                p = Self::fma(p, f, Self::splat(terms[index]));
                index += 1;
            }
            Self::scale(Self::fma(p, f, Self::splat(1.0)), n)
        }
    }
}
