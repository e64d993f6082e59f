//! The decoder computes what Hugging Face transformers computes, in whatever pieces and company.

#![cfg(feature = "candle")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod goldens;

use goldens::{FAMILIES, LENGTHS, folder, golden, refuses_rows_out_of_bounds, stays_within, together, whole};
use wenzhen_llm::candle::{Decoder, Form, Room, Row};

fn decoder(family: &str, form: Form) -> Decoder {
    Decoder::open(&folder(family), Room { slots: 4, context: 2048, form }).unwrap()
}

fn likeliest(logits: &[f32]) -> u32 {
    let best = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap();
    u32::try_from(best).unwrap()
}

#[test]
fn logits_are_those_of_transformers() {
    stays_within(1e-3, &LENGTHS, |family| decoder(family, Form::F32));
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
    stays_within(0.2, &LENGTHS, |family| decoder(family, Form::Q8));
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
            // The short one goes token by token, the others in chunks of their own sizes.
            let found = together(&mut decoder, &sequences, &[1, 37, 256]);
            for slot in 0..3 {
                assert!(found[slot] == single[slot], "{family} {form:?}, sequence {slot}");
            }
        }
    }
}

#[test]
fn a_row_out_of_bounds_is_refused() {
    refuses_rows_out_of_bounds(&mut decoder("qwen2", Form::Stored));
}
