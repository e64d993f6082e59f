//! Products of rows with whole matrices, on all threads.

use super::Tier;
use super::blocks::{BLOCK, Inputs, Kind, TILE};
use super::dense::{Element, GROUP};
use super::pool::{self, Shared};

/// Rows from which on rounding is worth sharing out.
const MANY: usize = 16;

/// Rounds rows of `width` inputs to 8 bits.
pub(crate) fn round(tier: Tier, x: &[f32], width: usize) -> Inputs {
    let mut inputs = Inputs::zeroed(x.len());
    let Inputs { quants, blocks } = &mut inputs;
    if x.len() < MANY * width {
        tier.round(x, quants, blocks);
    } else {
        pool::pieces_of_both((quants, width), (blocks, width / BLOCK), |row, quants, blocks| {
            tier.round(&x[row * width..][..width], quants, blocks);
        });
    }
    inputs
}

/// A matrix of tiles, of one kind.
pub(crate) struct Tiles<'a> {
    pub(crate) kind: Kind,
    /// One tile after the other.
    pub(crate) bytes: &'a [u8],
}

impl<'a> Tiles<'a> {
    /// Tiles of `width` blocks.
    fn count(&self, width: usize) -> usize {
        self.bytes.len() / self.kind.bytes(width)
    }

    /// One of some matrices' tiles, counted through.
    fn find(matrices: &[Self], width: usize, mut index: usize) -> Option<(Kind, &'a [u8])> {
        for matrix in matrices {
            let (count, size) = (matrix.count(width), matrix.kind.bytes(width));
            if index < count {
                return Some((matrix.kind, &matrix.bytes[index * size..][..size]));
            }
            index -= count;
        }
        None
    }
}

/// Multiplies rounded rows of `width` blocks with all tiles of some matrices, which lie one below the other; `out` is
/// `[row][output]`.
pub(crate) fn tiles(tier: Tier, matrices: &[Tiles<'_>], inputs: &Inputs, width: usize, out: &mut [f32]) {
    let count: usize = matrices.iter().map(|matrix| matrix.count(width)).sum();
    let outputs = count * TILE;
    assert!(out.len() * width == inputs.blocks.len() * outputs);
    if out.is_empty() {
        return;
    }
    let shared = Shared::new(out);
    pool::ranges(count, |range| {
        for (index, tile) in range.filter_map(|index| Some((index, Tiles::find(matrices, width, index)?))) {
            // SAFETY: `out` has `outputs` elements for each row, of which a tile writes its own 16; each tile comes
            // once.
            unsafe { tier.tile(tile, inputs, width, (shared.at(index * TILE), outputs)) };
        }
    });
}

/// Multiplies rows with all rows of dense weights; `out` is `[row][output]`.
pub(crate) fn dense<E: Element>(
    tier: Tier,
    weights: &[E],
    x: &[f32],
    (outputs, width): (usize, usize),
    out: &mut [f32],
) {
    assert!(weights.len() == outputs * width && out.len() * width == x.len() * outputs);
    if out.is_empty() {
        return;
    }
    let shared = Shared::new(out);
    pool::ranges(outputs.div_ceil(GROUP), |range| {
        for group in range {
            let from = group * GROUP;
            let weights = &weights[from * width..outputs.min(from + GROUP) * width];
            // SAFETY: `out` has `outputs` elements for each row, of which a group writes its own; each comes once.
            unsafe { tier.dense(weights, x, width, (shared.at(from), outputs)) };
        }
    });
}
