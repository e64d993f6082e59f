//! The arithmetic of the decoder on a CPU: written once over [`simd::Simd`], compiled for each tier, chosen at run
//! time. The only module of this crate with `unsafe` in it.

#![allow(unsafe_code)]
// Indices and lane numbers are small, and what is rounded was bounded before.
#![allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss)]

pub(crate) mod attention;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub(crate) mod blocks;
pub(crate) mod dense;
pub(crate) mod memory;
pub(crate) mod pool;
pub(crate) mod products;
mod q4;
mod q6;
mod q8;
mod rows;
mod scalar;
mod simd;
#[cfg(test)]
mod tests;

use attention::Attention;
use blocks::{BLOCK, Inputs, Kind, Rounded};
use dense::{Bf16, Element, F16};
use simd::Simd;

/// Which instructions the kernels use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tier {
    /// Every CPU.
    Scalar,
    /// AVX2, FMA, F16C.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 with VNNI.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// The kernels of one tier, as functions that have its CPU features.
macro_rules! tier {
    ($simd:ty $(, #[$feature:meta])?) => {
        // SAFETY of all functions: only `Tier` calls them, on a CPU that has the features.
        $(#[$feature])?
        pub(super) unsafe fn round(inputs: &[f32], quants: &mut [i8], blocks: &mut [super::blocks::Rounded]) {
            super::blocks::round::<$simd>(inputs, quants, blocks);
        }

        $(#[$feature])?
        pub(super) unsafe fn tile(
            tile: (super::blocks::Kind, *const u8), inputs: &super::blocks::Inputs, width: usize,
            out: (*mut f32, usize),
        ) {
            // SAFETY: the caller's promise.
            unsafe { super::blocks::tile::<$simd>(tile, inputs, width, out) }
        }

        $(#[$feature])?
        pub(super) unsafe fn dense<E: super::dense::Element>(
            weights: &[E], inputs: &[f32], width: usize, out: (*mut f32, usize),
        ) {
            // SAFETY: the caller's promise.
            unsafe { super::dense::group::<$simd, E>(weights, inputs, width, out) }
        }

        $(#[$feature])?
        pub(super) unsafe fn attend(
            attention: &super::attention::Attention<'_>, scores: &mut Vec<f32>, out: &mut [f32],
        ) {
            super::attention::attend::<$simd>(attention, scores, out);
        }

        $(#[$feature])?
        pub(super) unsafe fn normalise(x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]) {
            super::rows::normalise::<$simd>(x, weight, epsilon, out);
        }

        $(#[$feature])?
        pub(super) unsafe fn gate(gate: &[f32], up: &[f32], out: &mut [f32]) {
            super::rows::gate::<$simd>(gate, up, out);
        }

        $(#[$feature])?
        pub(super) unsafe fn exponentials(x: &[f32], most: f32, scale: f32, out: &mut [f32]) -> f32 {
            super::rows::exponentials::<$simd>(x, most, scale, out)
        }
    };
}
use tier;

/// Calls a kernel of the tier.
macro_rules! call {
    ($tier:expr, $kernel:ident($($argument:expr),*)) => {
        // SAFETY: a tier other than the scalar one is only made where `available` saw its features.
        unsafe {
            match $tier {
                Tier::Scalar => scalar::$kernel($($argument),*),
                #[cfg(target_arch = "x86_64")]
                Tier::Avx2 => avx2::$kernel($($argument),*),
                #[cfg(target_arch = "x86_64")]
                Tier::Avx512 => avx512::$kernel($($argument),*),
            }
        }
    };
}

impl Tier {
    /// Those that this CPU has, best first.
    pub(crate) fn available() -> Vec<Self> {
        let mut tiers = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if avx512::available() {
                tiers.push(Self::Avx512);
            }
            if avx2::available() {
                tiers.push(Self::Avx2);
            }
        }
        tiers.push(Self::Scalar);
        tiers
    }

    /// The best that this CPU has.
    pub(crate) fn best() -> Self {
        Self::available().first().copied().unwrap_or(Self::Scalar)
    }

    /// What is added to every weight byte of 8 bits of this tier.
    pub(crate) fn bias(self) -> u8 {
        match self {
            Self::Scalar => scalar::Scalar::BIAS,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => avx2::Avx2::BIAS,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => avx512::Avx512::BIAS,
        }
    }

    /// Rounds inputs to 8 bits, in blocks of 32.
    pub(crate) fn round(self, x: &[f32], quants: &mut [i8], blocks: &mut [Rounded]) {
        call!(self, round(x, quants, blocks));
    }

    /// Multiplies rows of `width` blocks of inputs with one tile of weights; row `r` of the result goes to `r * stride`
    /// of `out`.
    ///
    /// # Safety
    /// `out` is valid for 16 elements at `r * stride` for each row of the inputs.
    pub(crate) unsafe fn tile(self, tile: (Kind, &[u8]), inputs: &Inputs, width: usize, out: (*mut f32, usize)) {
        let (kind, bytes) = tile;
        assert!(width > 0 && width.is_multiple_of(kind.unit()) && bytes.len() == kind.bytes(width));
        assert!(inputs.blocks.len().is_multiple_of(width) && inputs.quants.len() == inputs.blocks.len() * BLOCK);
        call!(self, tile((kind, bytes.as_ptr()), inputs, width, out));
    }

    /// Multiplies rows of inputs with up to [`dense::GROUP`] rows of weights.
    ///
    /// # Safety
    /// `out` is valid for as many elements as there are weight rows, at `r * stride` for each row of the inputs.
    pub(crate) unsafe fn dense<E: Element>(self, weights: &[E], x: &[f32], width: usize, out: (*mut f32, usize)) {
        assert!(width.is_multiple_of(16) && weights.len().is_multiple_of(width) && x.len().is_multiple_of(width));
        call!(self, dense(weights, x, width, out));
    }

    /// Attends with a few queries; see [`Attention`].
    pub(crate) fn attend(self, attention: &Attention<'_>, scores: &mut Vec<f32>, out: &mut [f32]) {
        call!(self, attend(attention, scores, out));
    }

    /// Root-mean-square norm of one row.
    pub(crate) fn normalise(self, x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]) {
        call!(self, normalise(x, weight, epsilon, out));
    }

    /// The gated unit on one row.
    pub(crate) fn gate(self, gate: &[f32], up: &[f32], out: &mut [f32]) {
        call!(self, gate(gate, up, out));
    }

    /// `out = e^((x − most) · scale)` for a multiple of 16 numbers, which is never quite 0; gives the sum.
    pub(crate) fn exponentials(self, x: &[f32], most: f32, scale: f32, out: &mut [f32]) -> f32 {
        call!(self, exponentials(x, most, scale, out))
    }
}

/// An f16 among bytes.
fn f16_at(bytes: &[u8], at: usize) -> f32 {
    half::f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32()
}

/// Reads one row of f16 or bf16 bits.
pub(crate) fn widen<E: Element>(from: &[E], to: &mut [f32]) {
    for (from, to) in from.chunks_exact(16).zip(to.chunks_exact_mut(16)) {
        // SAFETY: both chunks have sixteen elements; the scalar tier runs everywhere.
        unsafe { scalar::Scalar::store(to.as_mut_ptr(), E::load::<scalar::Scalar>(from.as_ptr())) };
    }
}
