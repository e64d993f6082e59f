//! What Hugging Face transformers computed, and how a decoder is held to it. The files in `tests/data` are made by
//! `training/llm-goldens`.
#![allow(dead_code, clippy::unwrap_used, reason = "each test uses a part; a failed setup fails the test")]
#![allow(clippy::print_stdout, reason = "distances are figures of docs/benchmarks.md, with --nocapture")]

use std::path::PathBuf;

use safetensors::SafeTensors;
use wenzhen_llm::candle::{Decoder, Row};

pub const FAMILIES: [&str; 3] = ["qwen2", "qwen3", "llama"];
pub const LENGTHS: [usize; 3] = [30, 300, 1900];

pub fn folder(family: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(family)
}

/// A text, the logits after it, and what follows it where the likeliest token is taken.
pub struct Golden {
    pub ids: Vec<u32>,
    pub logits: Vec<f32>,
    pub greedy: Vec<u32>,
}

pub fn golden(family: &str, length: usize) -> Golden {
    let bytes = std::fs::read(folder(family).join("goldens.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let words = |name: &str| {
        let tensor = tensors.tensor(&format!("{name}.{length}")).unwrap();
        tensor.data().chunks_exact(4).map(|b| u32::from_le_bytes(b.try_into().unwrap())).collect::<Vec<u32>>()
    };
    let logits = words("logits").into_iter().map(f32::from_bits).collect();
    Golden { ids: words("ids"), logits, greedy: words("greedy") }
}

/// Rows of a sequence from one position to another; the last wants its logits.
pub fn rows(slot: usize, ids: &[u32], from: usize, to: usize) -> Vec<Row> {
    let row = |position: usize| Row { slot, position, token: ids[position], logits: position + 1 == ids.len() };
    (from..to).map(row).collect()
}

/// The logits after a whole sequence in one pass.
pub fn whole(decoder: &mut Decoder, slot: usize, ids: &[u32]) -> Vec<f32> {
    decoder.forward(&rows(slot, ids, 0, ids.len())).unwrap().next().unwrap().to_vec()
}

/// The largest difference; infinite where there is something that is no number.
pub fn furthest(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let furthest = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    // A NaN is no distance that a maximum would show.
    if a.iter().chain(b).all(|x| x.is_finite()) { furthest } else { f32::INFINITY }
}

/// Holds the decoders of all families to the logits of transformers, after texts of these lengths.
pub fn stays_within(most: f32, lengths: &[usize], decoder: impl Fn(&str) -> Decoder) {
    for family in FAMILIES {
        let mut decoder = decoder(family);
        for length in lengths {
            let golden = golden(family, *length);
            let distance = furthest(&whole(&mut decoder, 0, &golden.ids), &golden.logits);
            println!("{family} {length}: {distance:.1e}");
            assert!(distance < most, "{family} {length}: {distance}");
        }
    }
}

/// The logits after several texts, one in each slot, computed side by side in passes over their pieces: the longer ones
/// in pieces of `sizes`, the last eight tokens of each one by one.
pub fn together(decoder: &mut Decoder, texts: &[Vec<u32>], sizes: &[usize]) -> Vec<Vec<f32>> {
    let mut at = vec![0; texts.len()];
    let mut found = vec![Vec::new(); texts.len()];
    while (0..texts.len()).any(|slot| at[slot] < texts[slot].len()) {
        let mut pass = Vec::new();
        for slot in 0..texts.len() {
            let left = texts[slot].len() - at[slot];
            let to = at[slot] + if left > 8 { sizes[slot].min(left - 8) } else { left.min(1) };
            pass.extend(rows(slot, &texts[slot], at[slot], to));
            at[slot] = to;
        }
        let wanting: Vec<usize> = pass.iter().filter(|row| row.logits).map(|row| row.slot).collect();
        for (slot, logits) in wanting.into_iter().zip(decoder.forward(&pass).unwrap()) {
            found[slot] = logits.to_vec();
        }
    }
    found
}

/// Refuses rows outside the decoder's room, whatever computes.
pub fn refuses_rows_out_of_bounds(decoder: &mut Decoder) {
    let row = Row { slot: 0, position: 0, token: 1, logits: true };
    for wrong in [Row { slot: 4, ..row }, Row { position: 2048, ..row }, Row { token: 320, ..row }] {
        assert!(decoder.forward(&[row, wrong]).is_err(), "{wrong:?}");
    }
    assert_eq!(decoder.forward(&[row]).unwrap().count(), 1);
    assert_eq!(decoder.forward(&[]).unwrap().count(), 0);
    assert_eq!(decoder.forward(&[Row { logits: false, ..row }]).unwrap().count(), 0);
}
