//! The tier for CPUs with AVX2, FMA and F16C (2013 and newer): two registers hold sixteen lanes.

use std::arch::x86_64::*;

use super::simd::Simd;

/// Pairs of 256-bit registers.
#[derive(Clone, Copy)]
pub(crate) struct Avx2;

/// Whether this CPU has it.
pub(crate) fn available() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c")
}

type Pair = [__m256; 2];
type PairI = [__m256i; 2];

// What callers of every method vouch for is in the trait: a CPU with the features, and valid pointers.
impl Simd for Avx2 {
    type F = Pair;
    type I = PairI;
    const BIAS: u8 = 0;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Pair {
        // SAFETY: the caller vouches for the CPU.
        unsafe { [_mm256_set1_ps(x); 2] }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Pair {
        // SAFETY: the caller vouches for the CPU and for sixteen elements; the loads need no alignment.
        unsafe { [_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))] }
    }
    #[inline(always)]
    unsafe fn load_f16(from: *const u16) -> Pair {
        // SAFETY: the caller vouches for the CPU and for sixteen elements; the loads need no alignment.
        unsafe { [_mm256_cvtph_ps(_mm_loadu_si128(from.cast())), _mm256_cvtph_ps(_mm_loadu_si128(from.add(8).cast()))] }
    }
    #[inline(always)]
    unsafe fn load_bf16(from: *const u16) -> Pair {
        // SAFETY: the caller vouches for the CPU and for sixteen elements; the loads need no alignment.
        unsafe {
            let wide = [
                _mm256_cvtepu16_epi32(_mm_loadu_si128(from.cast())),
                _mm256_cvtepu16_epi32(_mm_loadu_si128(from.add(8).cast())),
            ];
            [
                _mm256_castsi256_ps(_mm256_slli_epi32::<16>(wide[0])),
                _mm256_castsi256_ps(_mm256_slli_epi32::<16>(wide[1])),
            ]
        }
    }
    #[inline(always)]
    unsafe fn load_i8(from: *const u8) -> Pair {
        // SAFETY: the caller vouches for the CPU and for sixteen elements; the loads need no alignment.
        unsafe {
            let eight = |from: *const u8| _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(from.cast())));
            [eight(from), eight(from.add(8))]
        }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, x: Pair) {
        // SAFETY: the caller vouches for the CPU and for sixteen elements; the stores need no alignment.
        unsafe {
            _mm256_storeu_ps(to, x[0]);
            _mm256_storeu_ps(to.add(8), x[1]);
        }
    }
    #[inline(always)]
    unsafe fn store_i8(to: *mut i8, x: Pair) {
        // SAFETY: the caller vouches for the CPU and for sixteen elements; the stores need no alignment.
        unsafe {
            // Packing works on halves of a register each.
            let words = _mm256_packs_epi32(_mm256_cvtps_epi32(x[0]), _mm256_cvtps_epi32(x[1]));
            let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(words);
            let bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
            _mm_storeu_si128(to.cast(), bytes);
        }
    }
    #[inline(always)]
    unsafe fn add(a: Pair, b: Pair) -> Pair {
        // SAFETY: the caller vouches for the CPU.
        unsafe { [_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1])] }
    }
    #[inline(always)]
    unsafe fn mul(a: Pair, b: Pair) -> Pair {
        // SAFETY: the caller vouches for the CPU.
        unsafe { [_mm256_mul_ps(a[0], b[0]), _mm256_mul_ps(a[1], b[1])] }
    }
    #[inline(always)]
    unsafe fn div(a: Pair, b: Pair) -> Pair {
        // SAFETY: the caller vouches for the CPU.
        unsafe { [_mm256_div_ps(a[0], b[0]), _mm256_div_ps(a[1], b[1])] }
    }
    #[inline(always)]
    unsafe fn max(a: Pair, b: Pair) -> Pair {
        // SAFETY: the caller vouches for the CPU.
        unsafe { [_mm256_max_ps(a[0], b[0]), _mm256_max_ps(a[1], b[1])] }
    }
    #[inline(always)]
    unsafe fn min(a: Pair, b: Pair) -> Pair {
        // SAFETY: the caller vouches for the CPU.
        unsafe { [_mm256_min_ps(a[0], b[0]), _mm256_min_ps(a[1], b[1])] }
    }
    #[inline(always)]
    unsafe fn fma(a: Pair, b: Pair, c: Pair) -> Pair {
        // SAFETY: the caller vouches for the CPU.
        unsafe { [_mm256_fmadd_ps(a[0], b[0], c[0]), _mm256_fmadd_ps(a[1], b[1], c[1])] }
    }
    #[inline(always)]
    unsafe fn round(x: Pair) -> Pair {
        const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
        // SAFETY: the caller vouches for the CPU.
        unsafe { [_mm256_round_ps::<NEAREST>(x[0]), _mm256_round_ps::<NEAREST>(x[1])] }
    }
    #[inline(always)]
    unsafe fn scale(x: Pair, n: Pair) -> Pair {
        // SAFETY: the caller vouches for the CPU.
        unsafe {
            let power = |n| {
                let biased = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
                _mm256_castsi256_ps(_mm256_slli_epi32::<23>(biased))
            };
            [_mm256_mul_ps(x[0], power(n[0])), _mm256_mul_ps(x[1], power(n[1]))]
        }
    }
    #[inline(always)]
    unsafe fn sum(x: Pair) -> f32 {
        let mut lanes = [0f32; 8];
        // SAFETY: the caller vouches for the CPU; eight elements go to an array of eight.
        unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), _mm256_add_ps(x[0], x[1])) };
        lanes.iter().sum()
    }
    #[inline(always)]
    unsafe fn largest(x: Pair) -> f32 {
        let mut lanes = [0f32; 8];
        // SAFETY: the caller vouches for the CPU; eight elements go to an array of eight.
        unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), _mm256_max_ps(x[0], x[1])) };
        lanes.iter().copied().fold(f32::NEG_INFINITY, f32::max)
    }
    #[inline(always)]
    unsafe fn splat_i(x: i32) -> PairI {
        // SAFETY: the caller vouches for the CPU.
        unsafe { [_mm256_set1_epi32(x); 2] }
    }
    #[inline(always)]
    unsafe fn load_i(from: *const u8) -> PairI {
        // SAFETY: the caller vouches for the CPU and for 64 bytes; the loads need no alignment.
        unsafe { [_mm256_loadu_si256(from.cast()), _mm256_loadu_si256(from.add(32).cast())] }
    }
    #[inline(always)]
    unsafe fn low_halves(x: PairI) -> PairI {
        // SAFETY: the caller vouches for the CPU.
        unsafe { x.map(|x| _mm256_and_si256(x, _mm256_set1_epi8(0xF))) }
    }
    #[inline(always)]
    unsafe fn high_halves(x: PairI) -> PairI {
        // SAFETY: the caller vouches for the CPU.
        unsafe { x.map(|x| _mm256_and_si256(_mm256_srli_epi16::<4>(x), _mm256_set1_epi8(0xF))) }
    }
    #[inline(always)]
    unsafe fn upper_bits(x: PairI, which: usize) -> PairI {
        // SAFETY: the caller vouches for the CPU.
        unsafe {
            let moved = match which {
                0 => x.map(|x| _mm256_slli_epi16::<4>(x)),
                1 => x.map(|x| _mm256_slli_epi16::<2>(x)),
                2 => x,
                _ => x.map(|x| _mm256_srli_epi16::<2>(x)),
            };
            moved.map(|x| _mm256_and_si256(x, _mm256_set1_epi8(0x30)))
        }
    }
    #[inline(always)]
    unsafe fn or_i(a: PairI, b: PairI) -> PairI {
        // SAFETY: the caller vouches for the CPU.
        unsafe { [_mm256_or_si256(a[0], b[0]), _mm256_or_si256(a[1], b[1])] }
    }
    // The byte product takes one unsigned side: |weight| times x with the weight's sign. Two such products fit into
    // i16, since |weight| <= 128 and |x| <= 127.
    #[inline(always)]
    unsafe fn dot_bytes(sum: PairI, weights: PairI, four: i32) -> PairI {
        // SAFETY: the caller vouches for the CPU.
        unsafe {
            let x = _mm256_set1_epi32(four);
            let product = |weight: __m256i| {
                let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(weight), _mm256_sign_epi8(x, weight));
                _mm256_madd_epi16(pairs, _mm256_set1_epi16(1))
            };
            [_mm256_add_epi32(sum[0], product(weights[0])), _mm256_add_epi32(sum[1], product(weights[1]))]
        }
    }
    #[inline(always)]
    unsafe fn add_i(a: PairI, b: PairI) -> PairI {
        // SAFETY: the caller vouches for the CPU.
        unsafe { [_mm256_add_epi32(a[0], b[0]), _mm256_add_epi32(a[1], b[1])] }
    }
    #[inline(always)]
    unsafe fn to_f32(x: PairI) -> Pair {
        // SAFETY: the caller vouches for the CPU.
        unsafe { [_mm256_cvtepi32_ps(x[0]), _mm256_cvtepi32_ps(x[1])] }
    }
    #[inline(always)]
    unsafe fn prefetch(at: *const u8) {
        // SAFETY: the caller vouches for the CPU; a prefetch of any address touches nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }
}

super::tier!(Avx2, #[target_feature(enable = "avx2,fma,f16c")]);
