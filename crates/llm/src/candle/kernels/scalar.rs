//! The tier for every CPU, and the reference that the others are tested against.

use half::{bf16, f16};

use super::simd::Simd;

/// Plain loops over sixteen elements.
#[derive(Clone, Copy)]
pub(crate) struct Scalar;

type Lanes = [f32; 16];

fn zip(a: Lanes, b: Lanes, f: impl Fn(f32, f32) -> f32) -> Lanes {
    std::array::from_fn(|lane| f(a[lane], b[lane]))
}

impl Simd for Scalar {
    type F = Lanes;
    type I = [i32; 16];
    const BIAS: u8 = 0;

    unsafe fn splat(x: f32) -> Lanes {
        [x; 16]
    }
    unsafe fn load(from: *const f32) -> Lanes {
        // SAFETY: the caller vouches for sixteen elements; an array has their alignment.
        unsafe { from.cast::<Lanes>().read_unaligned() }
    }
    unsafe fn load_f16(from: *const u16) -> Lanes {
        // SAFETY: the caller vouches for sixteen elements.
        unsafe { from.cast::<[u16; 16]>().read_unaligned() }.map(|bits| f16::from_bits(bits).to_f32())
    }
    unsafe fn load_bf16(from: *const u16) -> Lanes {
        // SAFETY: the caller vouches for sixteen elements.
        unsafe { from.cast::<[u16; 16]>().read_unaligned() }.map(|bits| bf16::from_bits(bits).to_f32())
    }
    unsafe fn load_i8(from: *const u8) -> Lanes {
        // SAFETY: the caller vouches for sixteen elements.
        unsafe { from.cast::<[i8; 16]>().read_unaligned() }.map(f32::from)
    }
    unsafe fn store(to: *mut f32, x: Lanes) {
        // SAFETY: the caller vouches for sixteen elements.
        unsafe { to.cast::<Lanes>().write_unaligned(x) }
    }
    unsafe fn store_i8(to: *mut i8, x: Lanes) {
        // SAFETY: the caller vouches for sixteen elements.
        unsafe { to.cast::<[i8; 16]>().write_unaligned(x.map(|x| x as i8)) }
    }
    unsafe fn add(a: Lanes, b: Lanes) -> Lanes {
        zip(a, b, |a, b| a + b)
    }
    unsafe fn mul(a: Lanes, b: Lanes) -> Lanes {
        zip(a, b, |a, b| a * b)
    }
    unsafe fn div(a: Lanes, b: Lanes) -> Lanes {
        zip(a, b, |a, b| a / b)
    }
    unsafe fn max(a: Lanes, b: Lanes) -> Lanes {
        zip(a, b, f32::max)
    }
    unsafe fn min(a: Lanes, b: Lanes) -> Lanes {
        zip(a, b, f32::min)
    }
    // A fused product would be a call into a library on CPUs without one.
    unsafe fn fma(a: Lanes, b: Lanes, c: Lanes) -> Lanes {
        std::array::from_fn(|lane| a[lane] * b[lane] + c[lane])
    }
    unsafe fn round(x: Lanes) -> Lanes {
        x.map(f32::round_ties_even)
    }
    unsafe fn scale(x: Lanes, n: Lanes) -> Lanes {
        zip(x, n, |x, n| x * f32::from_bits(((n as i32 + 127) as u32) << 23))
    }
    unsafe fn sum(x: Lanes) -> f32 {
        x.iter().sum()
    }
    unsafe fn largest(x: Lanes) -> f32 {
        x.iter().copied().fold(f32::NEG_INFINITY, f32::max)
    }
    unsafe fn splat_i(x: i32) -> [i32; 16] {
        [x; 16]
    }
    unsafe fn load_i(from: *const u8) -> [i32; 16] {
        // SAFETY: the caller vouches for 64 bytes.
        unsafe { from.cast::<[[u8; 4]; 16]>().read_unaligned() }.map(i32::from_le_bytes)
    }
    unsafe fn low_halves(x: [i32; 16]) -> [i32; 16] {
        x.map(|x| x & 0x0F0F_0F0F)
    }
    unsafe fn high_halves(x: [i32; 16]) -> [i32; 16] {
        x.map(|x| x >> 4 & 0x0F0F_0F0F)
    }
    unsafe fn upper_bits(x: [i32; 16], which: usize) -> [i32; 16] {
        x.map(|x| (x >> (2 * which) & 0x0303_0303) << 4)
    }
    unsafe fn or_i(a: [i32; 16], b: [i32; 16]) -> [i32; 16] {
        std::array::from_fn(|lane| a[lane] | b[lane])
    }
    unsafe fn dot_bytes(sum: [i32; 16], weights: [i32; 16], four: i32) -> [i32; 16] {
        let four = four.to_le_bytes();
        let product = |lane: usize| {
            let terms = weights[lane].to_le_bytes().into_iter().zip(four);
            terms.map(|(weight, x)| i32::from(weight as i8) * i32::from(x as i8)).sum::<i32>()
        };
        std::array::from_fn(|lane| sum[lane] + product(lane))
    }
    unsafe fn add_i(a: [i32; 16], b: [i32; 16]) -> [i32; 16] {
        std::array::from_fn(|lane| a[lane] + b[lane])
    }
    unsafe fn to_f32(x: [i32; 16]) -> Lanes {
        x.map(|x| x as f32)
    }
    unsafe fn prefetch(_: *const u8) {}
}

super::tier!(Scalar);
