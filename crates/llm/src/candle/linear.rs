//! Matrices in the forms in which they are multiplied.

use std::sync::Arc;

use candle_core::quantized::QTensor;
use candle_core::{CpuStorage, Device, Storage, Tensor};

use super::error::LoadError;
use super::kernels::blocks::{BLOCK, Kind, TILE};
use super::kernels::dense::{Bf16, Element, F16};
use super::kernels::memory::{Buffer, Plain};
use super::kernels::products::Tiles;
use super::kernels::{Tier, pool, products, widen};

/// A matrix of weights, `outputs × width`. It maps rows of `width` numbers to rows of `outputs`.
pub(crate) enum Linear {
    /// Blocks of 8, 6 or 4 bits with this crate's kernels.
    Blocks(Blocks),
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

/// Matrices of one width, one below the other, in tiles of 16 outputs; see `kernels/blocks.rs`.
pub(crate) struct Blocks {
    tier: Tier,
    width: usize,
    parts: Vec<Part>,
}

/// One of them.
pub(crate) struct Part {
    kind: Kind,
    outputs: usize,
    bytes: Buffer<u8>,
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
            Self::Blocks(blocks) => blocks.parts.iter().map(|part| part.bytes.len()).sum(),
            Self::F32(dense) => 4 * dense.weights.len(),
            Self::F16(dense) => 2 * dense.weights.len(),
            Self::Bf16(dense) => 2 * dense.weights.len(),
            Self::Candle { parts, .. } => parts.iter().map(|part| part.storage_size_in_bytes()).sum(),
        }
    }

    /// Multiplies rows `x` into `out`.
    pub(crate) fn apply(&self, x: &[f32], out: &mut [f32]) -> candle_core::Result<()> {
        match self {
            Self::Blocks(blocks) => blocks.apply(x, out),
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
            Self::Blocks(blocks) => blocks.row(index, out),
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

impl Part {
    /// From rows in GGML's blocks of the kind.
    pub(crate) fn pack(kind: Kind, rows: &[u8], (outputs, width): (usize, usize)) -> Result<Self, LoadError> {
        let (size, row) = (kind.bytes(width / BLOCK), rows.len() / outputs.max(1));
        let mut bytes = Buffer::zeroed(outputs / TILE * size).ok_or_else(no_memory)?;
        let bias = Tier::best().bias();
        pool::pieces(&mut bytes, size, |tile, to| {
            for lane in 0..TILE {
                kind.pack(&rows[(tile * TILE + lane) * row..][..row], lane, bias, to);
            }
        });
        Ok(Self { kind, outputs, bytes })
    }

    /// Whether a matrix of this shape can be laid out in tiles.
    pub(crate) fn fits(kind: Kind, outputs: usize, width: usize) -> bool {
        outputs.is_multiple_of(TILE) && width.is_multiple_of(BLOCK * kind.unit())
    }
}

impl Blocks {
    pub(crate) fn new(parts: Vec<Part>, width: usize) -> Self {
        Self { tier: Tier::best(), width, parts }
    }

    fn apply(&self, x: &[f32], out: &mut [f32]) {
        let inputs = products::round(self.tier, x, self.width);
        let parts = self.parts.iter();
        let matrices: Vec<_> = parts.map(|part| Tiles { kind: part.kind, bytes: &part.bytes }).collect();
        products::tiles(self.tier, &matrices, &inputs, self.width / BLOCK, out);
    }

    fn row(&self, mut index: usize, out: &mut [f32]) {
        for part in &self.parts {
            if index < part.outputs {
                let size = part.kind.bytes(self.width / BLOCK);
                let tile = &part.bytes[index / TILE * size..][..size];
                return part.kind.unpack(tile, index % TILE, self.tier.bias(), out);
            }
            index -= part.outputs;
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
