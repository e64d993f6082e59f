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
pub(crate) mod dense;
pub(crate) mod memory;
pub(crate) mod pool;
pub(crate) mod products;
pub(crate) mod q8;
mod rows;
mod scalar;
mod simd;
#[cfg(test)]
mod tests;

use attention::Attention;
use dense::{Bf16, Element, F16};
use q8::Inputs;
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
        pub(super) unsafe fn round(
            inputs: &[f32], quants: &mut [i8], scales: &mut [f32], corrections: &mut [i32],
        ) {
            super::q8::round::<$simd>(inputs, quants, scales, corrections);
        }

        $(#[$feature])?
        pub(super) unsafe fn q8_tile(
            weights: (*const u8, *const u16), inputs: &super::q8::Inputs, blocks: usize, out: (*mut f32, usize),
        ) {
            // SAFETY: the caller's promise.
            unsafe { super::q8::tile::<$simd>(weights, inputs, blocks, out) }
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

    /// What is added to every weight byte of this tier.
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
    pub(crate) fn round(self, x: &[f32], quants: &mut [i8], scales: &mut [f32], corrections: &mut [i32]) {
        call!(self, round(x, quants, scales, corrections));
    }

    /// Multiplies inputs with one tile of 8-bit weights that has `blocks` blocks; row `r` of the result goes to
    /// `r * stride` of `out`.
    ///
    /// # Safety
    /// `out` is valid for 16 elements at `r * stride` for each row of the inputs.
    pub(crate) unsafe fn q8_tile(self, tile: (&[u8], &[u16]), inputs: &Inputs, blocks: usize, out: (*mut f32, usize)) {
        let (weights, scales) = tile;
        assert!(weights.len() == blocks * q8::TILE_BYTES && scales.len() == blocks * q8::TILE);
        assert!(inputs.quants.len() == inputs.scales.len() * q8::BLOCK);
        assert!(inputs.corrections.len() == inputs.scales.len() && inputs.scales.len().is_multiple_of(blocks));
        call!(self, q8_tile((weights.as_ptr(), scales.as_ptr()), inputs, blocks, out));
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
}

/// Reads one row of f16 or bf16 bits.
pub(crate) fn widen<E: Element>(from: &[E], to: &mut [f32]) {
    for (from, to) in from.chunks_exact(16).zip(to.chunks_exact_mut(16)) {
        // SAFETY: both chunks have sixteen elements; the scalar tier runs everywhere.
        unsafe { scalar::Scalar::store(to.as_mut_ptr(), E::load::<scalar::Scalar>(from.as_ptr())) };
    }
}
