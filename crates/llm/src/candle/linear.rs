//! Matrices in the forms in which they are multiplied.

use std::sync::Arc;

use candle_core::quantized::QTensor;
use candle_core::{CpuStorage, Device, Storage, Tensor};

use super::error::LoadError;
use super::kernels::dense::{Bf16, Element, F16};
use super::kernels::memory::{Buffer, Plain};
use super::kernels::q8::{BLOCK, TILE, TILE_BYTES};
use super::kernels::{Tier, pool, products, widen};

/// A matrix of weights, `outputs × width`. It maps rows of `width` numbers to rows of `outputs`.
pub(crate) enum Linear {
    /// 8-bit blocks with this crate's kernels.
    Q8(Q8),
    /// Full rows with this crate's kernels.
    F32(Dense<f32>),
    F16(Dense<F16>),
    Bf16(Dense<Bf16>),
    /// Whatever else GGUF holds, with candle's kernels: parts beside each other.
    Candle {
        parts: Vec<Arc<QTensor>>,
        outputs: usize,
        width: usize,
    },
}

/// Tiles of 16 outputs and 32 inputs; see `kernels/q8.rs`.
pub(crate) struct Q8 {
    tier: Tier,
    outputs: usize,
    width: usize,
    weights: Buffer<u8>,
    scales: Buffer<u16>,
}

/// `[output][input]`
pub(crate) struct Dense<E: Plain> {
    tier: Tier,
    outputs: usize,
    width: usize,
    weights: Buffer<E>,
}

/// What the system refused.
pub(crate) fn no_memory() -> LoadError {
    LoadError::Candle(candle_core::Error::msg("the system has no memory left"))
}

impl Linear {
    /// Bytes that a pass over it reads.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Q8(q8) => q8.weights.len() + 2 * q8.scales.len(),
            Self::F32(dense) => 4 * dense.weights.len(),
            Self::F16(dense) => 2 * dense.weights.len(),
            Self::Bf16(dense) => 2 * dense.weights.len(),
            Self::Candle { parts, .. } => parts.iter().map(|part| part.storage_size_in_bytes()).sum(),
        }
    }

    /// Multiplies rows `x` into `out`.
    pub(crate) fn apply(&self, x: &[f32], out: &mut [f32]) -> candle_core::Result<()> {
        match self {
            Self::Q8(q8) => q8.apply(x, out),
            Self::F32(dense) => dense.apply(x, out),
            Self::F16(dense) => dense.apply(x, out),
            Self::Bf16(dense) => dense.apply(x, out),
            Self::Candle { parts, outputs, width } => return apply_candle(parts, (*outputs, *width), x, out),
        }
        Ok(())
    }

    /// One row of the matrix: the embedding of a token.
    pub(crate) fn row(&self, index: usize, out: &mut [f32]) -> candle_core::Result<()> {
        match self {
            Self::Q8(q8) => q8.row(index, out),
            Self::F32(dense) => dense.row(index, out),
            Self::F16(dense) => dense.row(index, out),
            Self::Bf16(dense) => dense.row(index, out),
            Self::Candle { parts, .. } => {
                let id = u32::try_from(index).map_err(candle_core::Error::wrap)?;
                let part = parts.first().ok_or_else(|| candle_core::Error::msg("a matrix without parts"))?;
                copy(&part.embedding(&Tensor::new(&[id], &Device::Cpu)?)?, out)?;
            }
        }
        Ok(())
    }
}

impl Q8 {
    /// From rows in GGML's Q8_0: blocks of an f16 scale and 32 signed bytes.
    pub(crate) fn pack(rows: &[u8], (outputs, width): (usize, usize)) -> Result<Self, LoadError> {
        let tier = Tier::best();
        let blocks = width / BLOCK;
        let mut weights = Buffer::zeroed(outputs * width).ok_or_else(no_memory)?;
        let mut scales = Buffer::zeroed(outputs * blocks).ok_or_else(no_memory)?;
        let rows_of = |tile: usize, lane: usize| {
            let bytes = blocks * (BLOCK + 2);
            &rows[(tile * TILE + lane) * bytes..][..bytes]
        };
        let (all, tile_scales) = ((&mut weights[..], blocks * TILE_BYTES), (&mut scales[..], blocks * TILE));
        pool::pieces3(all, tile_scales, (&mut [(); 0], 0), |tile, weights, scales, _| {
            for lane in 0..TILE {
                for (index, block) in rows_of(tile, lane).chunks_exact(BLOCK + 2).enumerate() {
                    scales[index * TILE + lane] = u16::from_le_bytes([block[0], block[1]]);
                    for (group, four) in block[2..].chunks_exact(4).enumerate() {
                        let to = &mut weights[index * TILE_BYTES + group * 64 + lane * 4..][..4];
                        for (to, from) in to.iter_mut().zip(four) {
                            *to = from.wrapping_add(tier.bias());
                        }
                    }
                }
            }
        });
        Ok(Self { tier, outputs, width, weights, scales })
    }

    /// Whether a matrix of this shape can be laid out in tiles.
    pub(crate) fn fits(outputs: usize, width: usize) -> bool {
        outputs.is_multiple_of(TILE) && width.is_multiple_of(BLOCK)
    }

    fn apply(&self, x: &[f32], out: &mut [f32]) {
        let inputs = products::round(self.tier, x, self.width);
        let shape = (self.outputs, self.width / BLOCK);
        products::q8(self.tier, (&self.weights, &self.scales), &inputs, shape, out);
    }

    fn row(&self, index: usize, out: &mut [f32]) {
        let (tile, lane, blocks) = (index / TILE, index % TILE, self.width / BLOCK);
        for (block, out) in out.chunks_exact_mut(BLOCK).enumerate() {
            let at = tile * blocks + block;
            let scale = half::f16::from_bits(self.scales[at * TILE + lane]).to_f32();
            for (i, out) in out.iter_mut().enumerate() {
                let byte = self.weights[at * TILE_BYTES + i / 4 * 64 + lane * 4 + i % 4];
                *out = f32::from(byte.wrapping_sub(self.tier.bias()).cast_signed()) * scale;
            }
        }
    }
}

impl<E: Element + Plain> Dense<E> {
    pub(crate) fn new(weights: Buffer<E>, (outputs, width): (usize, usize)) -> Self {
        Self { tier: Tier::best(), outputs, width, weights }
    }

    fn apply(&self, x: &[f32], out: &mut [f32]) {
        products::dense(self.tier, &self.weights, x, (self.outputs, self.width), out);
    }

    fn row(&self, index: usize, out: &mut [f32]) {
        widen(&self.weights[index * self.width..][..self.width], out);
    }
}

fn apply_candle(
    parts: &[Arc<QTensor>],
    (outputs, width): (usize, usize),
    x: &[f32],
    out: &mut [f32],
) -> candle_core::Result<()> {
    let rows = x.len() / width;
    let x = Tensor::from_slice(x, (rows, width), &Device::Cpu)?;
    let mut from = 0;
    for part in parts {
        let y = x.apply_op1_no_bwd(part.as_ref())?;
        let own = y.dim(1)?;
        let mut flat = vec![0f32; rows * own];
        copy(&y, &mut flat)?;
        for (to, y) in out.chunks_exact_mut(outputs).zip(flat.chunks_exact(own)) {
            to[from..from + own].copy_from_slice(y);
        }
        from += own;
    }
    Ok(())
}

/// The numbers of a tensor.
fn copy(tensor: &Tensor, out: &mut [f32]) -> candle_core::Result<()> {
    let (storage, layout) = tensor.storage_and_layout();
    match (&*storage, layout.contiguous_offsets()) {
        (Storage::Cpu(CpuStorage::F32(numbers)), Some((from, to))) if to - from == out.len() => {
            out.copy_from_slice(&numbers[from..to]);
            Ok(())
        }
        _ => Err(candle_core::Error::msg("a product has an unexpected form")),
    }
}
