//! Every tier of this CPU against plain loops in f64.

use std::sync::atomic::{AtomicUsize, Ordering};

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use half::f16;
use proptest::prelude::*;

use super::attention::{Attention, LANES, POSITIONS};
use super::blocks::{BLOCK, Inputs, Kind, TILE};
use super::dense::{Bf16, Element, F16};
use super::{Tier, pool, widen};

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
    let mut inputs = Inputs::zeroed(x.len());
    tier.round(x, &mut inputs.quants, &mut inputs.blocks);
    inputs
}

/// Sixteen rows of weights in GGML's blocks, by candle; and what candle reads from them again.
fn stored(kind: Kind, width: usize, weights: Vec<f32>) -> (Vec<u8>, Vec<f32>) {
    let dtype = match kind {
        Kind::Q8 => GgmlDType::Q8_0,
        Kind::Q6 => GgmlDType::Q6K,
        Kind::Q4 => GgmlDType::Q4K,
    };
    let plain = Tensor::from_vec(weights, (TILE, width), &Device::Cpu).unwrap();
    let stored = QTensor::quantize(&plain, dtype).unwrap();
    let read = stored.dequantize(&Device::Cpu).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    (stored.data().unwrap().into_owned(), read)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn products_with_blocks(
        seed: u64,
        rows in 1usize..20,
        units in 1usize..4,
        kind in prop::sample::select(vec![Kind::Q8, Kind::Q6, Kind::Q4]),
    ) {
        let blocks = units * kind.unit();
        let width = blocks * BLOCK;
        let x = numbers(seed, rows * width);
        let (bytes, weights) = stored(kind, width, numbers(seed ^ 1, TILE * width));
        let mut reference = Vec::new();
        for tier in Tier::available().into_iter().rev() {
            let mut tile = vec![0u8; kind.bytes(blocks)];
            let mut read = vec![0f32; width];
            for (lane, row) in bytes.chunks_exact(bytes.len() / TILE).enumerate() {
                kind.pack(row, lane, tier.bias(), &mut tile);
                kind.unpack(&tile, lane, tier.bias(), &mut read);
                prop_assert_eq!(&read[..], &weights[lane * width..][..width], "{:?}", tier);
            }
            let inputs = rounded(tier, &x);
            let mut out = vec![0f32; rows * TILE];
            // SAFETY: `out` has 16 elements for each row.
            unsafe { tier.tile((kind, &tile), &inputs, blocks, (out.as_mut_ptr(), TILE)) };
            for (at, got) in out.iter().enumerate() {
                let (row, lane) = (at / TILE, at % TILE);
                let product = |(i, weight): (usize, &f32)| {
                    let scale = f64::from(inputs.blocks[(row * width + i) / BLOCK].scale);
                    f64::from(inputs.quants[row * width + i]) * scale * f64::from(*weight)
                };
                let exact: f64 = weights[lane * width..][..width].iter().enumerate().map(product).sum();
                prop_assert!((f64::from(*got) - exact).abs() < 1e-4 * (1.0 + exact.abs()), "{tier:?}: {got} for {exact}");
            }
            // The scalar tier comes first; a fused product rounds once less.
            reference = if reference.is_empty() { out.clone() } else { reference };
            for (got, reference) in out.iter().zip(&reference) {
                prop_assert!((got - reference).abs() < 1e-4, "{tier:?}: {got} for {reference}");
            }
            // One row alone has the bits that it has among others.
            let (alone, mut single) = (rounded(tier, &x[(rows - 1) * width..]), [0f32; TILE]);
            // SAFETY: `single` has 16 elements for the one row.
            unsafe { tier.tile((kind, &tile), &alone, blocks, (single.as_mut_ptr(), TILE)) };
            prop_assert_eq!(&single[..], &out[(rows - 1) * TILE..], "{:?}", tier);
        }
    }

    #[test]
    fn rounding_to_eight_bits(seed: u64, largest in prop::sample::select(vec![0.0f32, 1e-30, 1.0, 3e4])) {
        let x: Vec<f32> = numbers(seed, 96).iter().map(|x| x * largest).collect();
        for tier in Tier::available() {
            let inputs = rounded(tier, &x);
            for (i, x) in x.iter().enumerate() {
                let scale = inputs.blocks[i / BLOCK].scale;
                prop_assert!((f32::from(inputs.quants[i]) * scale - x).abs() <= scale * 0.501, "{tier:?}");
            }
            for (block, quants) in inputs.blocks.iter().zip(inputs.quants.chunks_exact(BLOCK)) {
                let sum = |quants: &[i8]| quants.iter().map(|quant| i32::from(*quant)).sum::<i32>();
                prop_assert_eq!(block.correction, -i32::from(tier.bias()) * sum(quants));
                prop_assert_eq!(block.offset, -block.scale * sum(quants) as f32);
                prop_assert_eq!(block.halves, [-32 * sum(&quants[..BLOCK / 2]), -32 * sum(&quants[BLOCK / 2..])]);
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
            let mut raised = vec![0f32; x.len()];
            let total = tier.exponentials(&x, spread, 0.7, &mut raised);
            let exact = x.iter().map(|x| (f64::from(x - spread) * f64::from(0.7f32)).exp());
            for (raised, exact) in raised.iter().zip(exact.clone()) {
                prop_assert!((f64::from(*raised) - exact).abs() < 1e-5 * (1e-30 + exact), "{tier:?}: {raised} for {exact}");
            }
            prop_assert!((f64::from(total) - exact.sum::<f64>()).abs() < 1e-5 * f64::from(total), "{tier:?}");
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
fn every_item_comes_once() {
    for items in [0, 1, 2, 3, 7, 100, 1001] {
        let seen: Vec<AtomicUsize> = (0..items).map(|_| AtomicUsize::new(0)).collect();
        pool::ranges(items, |range| {
            for item in range {
                seen[item].fetch_add(1, Ordering::Relaxed);
            }
        });
        assert!(seen.iter().all(|times| times.load(Ordering::Relaxed) == 1), "{items}");
    }
}

#[test]
fn what_is_no_number_stays_none() {
    for tier in Tier::available() {
        for bad in [f32::NAN, f32::INFINITY] {
            let mut x = vec![1.0; BLOCK];
            x[3] = bad;
            assert!(rounded(tier, &x).blocks[0].scale.is_nan(), "{tier:?}");
        }
    }
}
