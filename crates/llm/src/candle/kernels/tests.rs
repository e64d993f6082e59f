//! Every tier of this CPU against plain loops in f64.

use half::f16;
use proptest::prelude::*;

use super::attention::{Attention, LANES, POSITIONS};
use super::dense::{Bf16, Element, F16};
use super::q8::{BLOCK, Inputs, TILE, TILE_BYTES};
use super::{Tier, widen};

/// Numbers between -1 and 1 from a seed.
fn numbers(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2) + 1;
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

fn rounded(tier: Tier, x: &[f32]) -> Inputs {
    let blocks = x.len() / BLOCK;
    let mut inputs = Inputs { quants: vec![0; x.len()], scales: vec![0.0; blocks], corrections: vec![0; blocks] };
    tier.round(x, &mut inputs.quants, &mut inputs.scales, &mut inputs.corrections);
    inputs
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn eight_bit_products(seed: u64, rows in 1usize..20, blocks in 1usize..6) {
        let width = blocks * BLOCK;
        let x = numbers(seed, rows * width);
        let weights: Vec<i8> = numbers(seed ^ 1, TILE * width).iter().map(|w| (w * 128.9) as i8).collect();
        let scales: Vec<f16> = numbers(seed ^ 2, TILE * blocks).iter().map(|s| f16::from_f32(s.abs() + 0.1)).collect();
        for tier in Tier::available() {
            let inputs = rounded(tier, &x);
            let mut tile = vec![0u8; blocks * TILE_BYTES];
            for (at, byte) in tile.iter_mut().enumerate() {
                let (block, group, output, four) = (at / TILE_BYTES, at / 64 % 8, at / 4 % TILE, at % 4);
                let weight = weights[output * width + block * BLOCK + group * 4 + four];
                *byte = (weight as u8).wrapping_add(tier.bias());
            }
            let by_block: Vec<u16> =
                (0..blocks * TILE).map(|at| scales[at % TILE * blocks + at / TILE].to_bits()).collect();
            let mut out = vec![0f32; rows * TILE];
            // SAFETY: `out` has 16 elements for each row.
            unsafe { tier.q8_tile((&tile, &by_block), &inputs, blocks, (out.as_mut_ptr(), TILE)) };
            for (at, got) in out.iter().enumerate() {
                let (row, output) = (at / TILE, at % TILE);
                let mut exact = 0f64;
                for i in 0..width {
                    let x = f64::from(inputs.quants[row * width + i]) * f64::from(inputs.scales[row * blocks + i / BLOCK]);
                    exact += x * f64::from(weights[output * width + i]) * scales[output * blocks + i / BLOCK].to_f64();
                }
                prop_assert!((f64::from(*got) - exact).abs() < 1e-3 * (1.0 + exact.abs()), "{tier:?}: {got} for {exact}");
            }
        }
    }

    #[test]
    fn rounding_to_eight_bits(seed: u64, largest in prop::sample::select(vec![0.0f32, 1e-30, 1.0, 3e4])) {
        let x: Vec<f32> = numbers(seed, 96).iter().map(|x| x * largest).collect();
        for tier in Tier::available() {
            let inputs = rounded(tier, &x);
            for (i, x) in x.iter().enumerate() {
                let scale = inputs.scales[i / BLOCK];
                prop_assert!((f32::from(inputs.quants[i]) * scale - x).abs() <= scale * 0.501, "{tier:?}");
            }
            for (block, correction) in inputs.corrections.iter().enumerate() {
                let sum: i32 = inputs.quants[block * BLOCK..][..BLOCK].iter().map(|q| i32::from(*q)).sum();
                prop_assert_eq!(*correction, -i32::from(tier.bias()) * sum);
            }
        }
    }

    #[test]
    fn dense_products(seed: u64, rows in 1usize..7, outputs in 1usize..5, sixteens in 1usize..5) {
        let width = sixteens * 16;
        let (x, w) = (numbers(seed, rows * width), numbers(seed ^ 1, outputs * width));
        let f16s: Vec<F16> = w.iter().map(|w| F16(f16::from_f32(*w).to_bits())).collect();
        let bf16s: Vec<Bf16> = w.iter().map(|w| Bf16(half::bf16::from_f32(*w).to_bits())).collect();
        dense(&w, &x, width)?;
        dense(&f16s, &x, width)?;
        dense(&bf16s, &x, width)?;
    }

    #[test]
    fn attention(seed: u64, sixteens in prop::sample::select(vec![1usize, 2, 4, 8]), seen in prop::array::uniform8(0usize..40)) {
        let dimensions = sixteens * 16;
        let bits = |seed, count| numbers(seed, count).iter().map(|x| f16::from_f32(*x).to_bits()).collect::<Vec<u16>>();
        let (keys, values) = (bits(seed, 48 * dimensions), bits(seed ^ 1, 48 * dimensions));
        let queries = numbers(seed ^ 2, LANES * dimensions);
        let attention = Attention { queries: &queries, seen, keys: &keys, values: &values, dimensions };
        for tier in Tier::available() {
            let mut out = vec![0f32; LANES * dimensions];
            tier.attend(&attention, &mut Vec::new(), &mut out);
            for (lane, seen) in seen.into_iter().enumerate().filter(|(_, seen)| *seen > 0) {
                let exact = attended(&attention, lane, seen);
                for (got, exact) in out[lane * dimensions..].iter().zip(&exact) {
                    prop_assert!((f64::from(*got) - exact).abs() < 1e-4, "{tier:?}: {got} for {exact}");
                }
            }
        }
    }

    #[test]
    fn rows(seed: u64, sixteens in 1usize..5, spread in prop::sample::select(vec![0.1f32, 1.0, 40.0])) {
        let x: Vec<f32> = numbers(seed, sixteens * 16).iter().map(|x| x * spread).collect();
        let weight = numbers(seed ^ 1, x.len());
        let mean = x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / x.len() as f64;
        for tier in Tier::available() {
            let (mut normal, mut gated) = (vec![0f32; x.len()], vec![0f32; x.len()]);
            tier.normalise(&x, &weight, 1e-6, &mut normal);
            tier.gate(&x, &weight, &mut gated);
            for i in 0..x.len() {
                let (x, w) = (f64::from(x[i]), f64::from(weight[i]));
                prop_assert!((f64::from(normal[i]) - x / (mean + 1e-6).sqrt() * w).abs() < 1e-5, "{tier:?}");
                let exact = x / (1.0 + (-x).exp()) * w;
                prop_assert!((f64::from(gated[i]) - exact).abs() < 1e-5 * (1.0 + exact.abs()), "{tier:?}");
            }
        }
    }
}

fn dense<E: Element>(weights: &[E], x: &[f32], width: usize) -> Result<(), TestCaseError> {
    let (rows, outputs) = (x.len() / width, weights.len() / width);
    let mut wide = vec![0f32; weights.len()];
    widen(weights, &mut wide);
    for tier in Tier::available() {
        let mut out = vec![0f32; rows * outputs];
        // SAFETY: `out` has `outputs` elements for each row.
        unsafe { tier.dense(weights, x, width, (out.as_mut_ptr(), outputs)) };
        for (at, got) in out.iter().enumerate() {
            let (x, w) = (&x[at / outputs * width..][..width], &wide[at % outputs * width..][..width]);
            let exact: f64 = x.iter().zip(w).map(|(x, w)| f64::from(*x) * f64::from(*w)).sum();
            prop_assert!((f64::from(*got) - exact).abs() < 1e-4, "{tier:?}: {got} for {exact}");
        }
        // One row alone has the bits that it has among others.
        let mut alone = vec![0f32; outputs];
        // SAFETY: `alone` has `outputs` elements for the one row.
        unsafe { tier.dense(weights, &x[(rows - 1) * width..], width, (alone.as_mut_ptr(), outputs)) };
        prop_assert_eq!(&alone[..], &out[(rows - 1) * outputs..]);
    }
    Ok(())
}

fn attended(attention: &Attention<'_>, lane: usize, seen: usize) -> Vec<f64> {
    let d = attention.dimensions;
    let number = |bits: u16| f16::from_bits(bits).to_f64();
    let key = |position: usize, i: usize| {
        number(attention.keys[(position / POSITIONS * d + i) * POSITIONS + position % POSITIONS])
    };
    let query = &attention.queries[lane * d..][..d];
    let score = |position| (0..d).map(|i| f64::from(query[i]) * key(position, i)).sum::<f64>();
    let weights: Vec<f64> = (0..seen).map(|position| score(position).exp()).collect();
    let total: f64 = weights.iter().sum();
    (0..d).map(|i| (0..seen).map(|p| weights[p] / total * number(attention.values[p * d + i])).sum()).collect()
}

#[test]
fn what_is_no_number_stays_none() {
    for tier in Tier::available() {
        for bad in [f32::NAN, f32::INFINITY] {
            let mut x = vec![1.0; BLOCK];
            x[3] = bad;
            assert!(rounded(tier, &x).scales[0].is_nan(), "{tier:?}");
        }
    }
}
