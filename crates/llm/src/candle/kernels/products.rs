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
    let Inputs { quants, scales, corrections, offsets } = &mut inputs;
    if x.len() < MANY * width {
        tier.round(x, (quants, scales, corrections, offsets));
    } else {
        let blocks = width / BLOCK;
        let (quants, scales) = (Shared::new(quants), Shared::new(scales));
        let (corrections, offsets) = (Shared::new(corrections), Shared::new(offsets));
        pool::ranges(x.len() / width, |rows| {
            let (inputs, own) = (rows.start * width..rows.end * width, rows.start * blocks..rows.end * blocks);
            // SAFETY: each row comes once, and parts of different rows do not overlap.
            let rounded = unsafe {
                (
                    quants.slice(inputs.clone()),
                    scales.slice(own.clone()),
                    corrections.slice(own.clone()),
                    offsets.slice(own),
                )
            };
            tier.round(&x[inputs], rounded);
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

/// Multiplies rounded rows of `width` with all tiles of some matrices, which lie one below the other; `out` is
/// `[row][output]`.
pub(crate) fn tiles(tier: Tier, matrices: &[Tiles<'_>], inputs: &Inputs, width: usize, out: &mut [f32]) {
    let size = |matrix: &Tiles<'_>| width / BLOCK * matrix.kind.bytes();
    let count = |matrix: &Tiles<'_>| matrix.bytes.len() / size(matrix).max(1);
    let all: usize = matrices.iter().map(count).sum();
    let outputs = all * TILE;
    assert!(out.len() * width == inputs.quants.len() * outputs);
    if out.is_empty() {
        return;
    }
    let shared = Shared::new(out);
    pool::ranges(all, |range| {
        for tile in range {
            let mut own = tile;
            for matrix in matrices {
                if own < count(matrix) {
                    let bytes = &matrix.bytes[own * size(matrix)..][..size(matrix)];
                    // SAFETY: `out` has `outputs` elements for each row, of which a tile writes its own 16; each tile
                    // comes once.
                    unsafe { tier.tile((matrix.kind, bytes), inputs, (shared.at(tile * TILE), outputs)) };
                    break;
                }
                own -= count(matrix);
            }
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
