//! The decoder computes what Hugging Face transformers computes, in whatever pieces and company.
//!
//! The goldens in `tests/data` are made by `training/llm-goldens`.

#![cfg(feature = "candle")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::PathBuf;

use safetensors::SafeTensors;
use wenzhen_llm::candle::{Decoder, Form, Room, Row};

const FAMILIES: [&str; 3] = ["qwen2", "qwen3", "llama"];
const LENGTHS: [usize; 3] = [30, 300, 1900];

fn folder(family: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(family)
}

fn decoder(family: &str, form: Form) -> Decoder {
    Decoder::open(&folder(family), Room { slots: 4, context: 2048, form }).unwrap()
}

/// What transformers computed.
struct Golden {
    ids: Vec<u32>,
    logits: Vec<f32>,
    greedy: Vec<u32>,
}

fn golden(family: &str, length: usize) -> Golden {
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
fn rows(slot: usize, ids: &[u32], from: usize, to: usize) -> Vec<Row> {
    let row = |position: usize| Row { slot, position, token: ids[position], logits: position + 1 == ids.len() };
    (from..to).map(row).collect()
}

/// The logits after a whole sequence in one pass.
fn whole(decoder: &mut Decoder, slot: usize, ids: &[u32]) -> Vec<f32> {
    decoder.forward(&rows(slot, ids, 0, ids.len())).unwrap().next().unwrap().to_vec()
}

fn likeliest(logits: &[f32]) -> u32 {
    let best = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap();
    u32::try_from(best).unwrap()
}

fn furthest(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn logits_are_those_of_transformers() {
    for family in FAMILIES {
        let mut decoder = decoder(family, Form::F32);
        for length in LENGTHS {
            let golden = golden(family, length);
            let distance = furthest(&whole(&mut decoder, 0, &golden.ids), &golden.logits);
            println!("{family} {length}: {distance:.1e}");
            assert!(distance < 1e-3, "{family} {length}: {distance}");
        }
    }
}

#[test]
fn greedy_texts_are_those_of_transformers() {
    for family in FAMILIES {
        let mut decoder = decoder(family, Form::F32);
        for length in LENGTHS {
            let golden = golden(family, length);
            let mut token = likeliest(&whole(&mut decoder, 1, &golden.ids));
            let mut text = vec![token];
            while text.len() < golden.greedy.len() {
                let row = Row { slot: 1, position: length + text.len() - 1, token, logits: true };
                token = likeliest(decoder.forward(&[row]).unwrap().next().unwrap());
                text.push(token);
            }
            assert_eq!(text, golden.greedy, "{family} {length}");
        }
    }
}

#[test]
fn eight_bits_stay_close() {
    for family in FAMILIES {
        let mut decoder = decoder(family, Form::Q8);
        for length in LENGTHS {
            let golden = golden(family, length);
            let distance = furthest(&whole(&mut decoder, 0, &golden.ids), &golden.logits);
            println!("{family} {length}: {distance:.1e}");
            assert!(distance < 0.2, "{family} {length}: {distance}");
        }
    }
}

#[test]
fn stored_weights_are_the_same_numbers() {
    for family in FAMILIES {
        let ids = golden(family, 300).ids;
        let wide = whole(&mut decoder(family, Form::F32), 0, &ids);
        assert_eq!(whole(&mut decoder(family, Form::Stored), 0, &ids), wide, "{family}");
    }
}

/// A pass over a mix of sequences of different lengths, in chunks, gives the bits of single passes.
#[test]
fn company_and_chunks_change_no_bit() {
    for family in FAMILIES {
        for form in [Form::F32, Form::Q8] {
            let mut decoder = decoder(family, form);
            let sequences: Vec<Vec<u32>> = LENGTHS.iter().map(|length| golden(family, *length).ids).collect();
            let single: Vec<Vec<f32>> = sequences.iter().map(|ids| whole(&mut decoder, 3, ids)).collect();
            let mut at = [0usize; 3];
            let mut found = vec![Vec::new(); 3];
            // The short one goes token by token, the others in chunks of their own sizes.
            let sizes = [1, 37, 256];
            while (0..3).any(|slot| at[slot] < sequences[slot].len()) {
                let mut pass = Vec::new();
                for slot in 0..3 {
                    let to = sequences[slot].len().min(at[slot] + sizes[slot]);
                    pass.extend(rows(slot, &sequences[slot], at[slot], to));
                    at[slot] = to;
                }
                let wanting: Vec<usize> = pass.iter().filter(|row| row.logits).map(|row| row.slot).collect();
                for (slot, logits) in wanting.into_iter().zip(decoder.forward(&pass).unwrap()) {
                    found[slot] = logits.to_vec();
                }
            }
            for slot in 0..3 {
                assert!(found[slot] == single[slot], "{family} {form:?}, sequence {slot}");
            }
        }
    }
}

#[test]
fn a_row_out_of_bounds_is_refused() {
    let mut decoder = decoder("qwen2", Form::Stored);
    let row = Row { slot: 0, position: 0, token: 1, logits: true };
    for wrong in [Row { slot: 4, ..row }, Row { position: 2048, ..row }, Row { token: 320, ..row }] {
        assert!(decoder.forward(&[row, wrong]).is_err(), "{wrong:?}");
    }
    assert_eq!(decoder.forward(&[row]).unwrap().count(), 1);
    assert_eq!(decoder.forward(&[]).unwrap().count(), 0);
}
