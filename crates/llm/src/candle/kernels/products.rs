//! Products of rows with whole matrices, on all threads.

use super::Tier;
use super::dense::{Element, GROUP};
use super::pool::{self, Shared};
use super::q8::{BLOCK, Inputs, TILE, TILE_BYTES};

/// Rows from which on rounding is worth sharing out.
const MANY: usize = 16;

/// Rounds rows of `width` inputs to 8 bits.
pub(crate) fn round(tier: Tier, x: &[f32], width: usize) -> Inputs {
    let count = x.len() / BLOCK;
    let mut inputs = Inputs { quants: vec![0; x.len()], scales: vec![0.0; count], corrections: vec![0; count] };
    let Inputs { quants, scales, corrections } = &mut inputs;
    if x.len() < MANY * width {
        tier.round(x, quants, scales, corrections);
    } else {
        let blocks = width / BLOCK;
        pool::pieces3((quants, width), (scales, blocks), (corrections, blocks), |row, quants, scales, corrections| {
            tier.round(&x[row * width..][..width], quants, scales, corrections);
        });
    }
    inputs
}

/// Multiplies rounded rows with all tiles of 8-bit weights; `out` is `[row][output]`.
pub(crate) fn q8(
    tier: Tier,
    (weights, scales): (&[u8], &[u16]),
    inputs: &Inputs,
    (outputs, blocks): (usize, usize),
    out: &mut [f32],
) {
    assert!(outputs.is_multiple_of(TILE) && out.len() * blocks == inputs.scales.len() * outputs);
    if out.is_empty() {
        return;
    }
    let shared = Shared::new(out);
    pool::ranges(outputs / TILE, |range| {
        for tile in range {
            let weights = &weights[tile * blocks * TILE_BYTES..][..blocks * TILE_BYTES];
            let scales = &scales[tile * blocks * TILE..][..blocks * TILE];
            // SAFETY: `out` has `outputs` elements for each row, of which a tile writes its own 16; each tile comes
            // once.
            unsafe { tier.q8_tile((weights, scales), inputs, blocks, (shared.at(tile * TILE), outputs)) };
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
