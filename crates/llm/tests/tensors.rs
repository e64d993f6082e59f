//! What runs on a GPU, run on the processor: the same code with the same tensors, on candle's other device. It computes
//! what Hugging Face transformers computes, in whatever pieces and company, and serves as the engine must.

#![cfg(feature = "candle")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use safetensors::SafeTensors;
use wenzhen_llm::candle::random::{self, Shape, Store};
use wenzhen_llm::candle::{Candle, Decoder, Form, Options, Room, Row, Target};
use wenzhen_llm::conformance::{Subject, check};
use wenzhen_llm::{Engine, Message, Request};

const FAMILIES: [&str; 3] = ["qwen2", "qwen3", "llama"];
const LENGTHS: [usize; 3] = [30, 300, 1900];

fn folder(family: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(family)
}

fn on(target: Target, path: &Path, form: Form) -> Decoder {
    Decoder::open_on(target, path, Room { slots: 4, context: 2048, form }).unwrap()
}

fn decoder(family: &str, form: Form) -> Decoder {
    on(Target::CpuTensors, &folder(family), form)
}

/// A text, and the logits after it as transformers computed them.
fn golden(family: &str, length: usize) -> (Vec<u32>, Vec<f32>) {
    let bytes = std::fs::read(folder(family).join("goldens.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let words = |name: &str| {
        let tensor = tensors.tensor(&format!("{name}.{length}")).unwrap();
        tensor.data().chunks_exact(4).map(|b| u32::from_le_bytes(b.try_into().unwrap())).collect::<Vec<u32>>()
    };
    (words("ids"), words("logits").into_iter().map(f32::from_bits).collect())
}

/// Rows of a sequence from one position to another; the last wants its logits.
fn rows(slot: usize, ids: &[u32], from: usize, to: usize) -> Vec<Row> {
    let row = |position: usize| Row { slot, position, token: ids[position], logits: position + 1 == ids.len() };
    (from..to).map(row).collect()
}

fn whole(decoder: &mut Decoder, slot: usize, ids: &[u32]) -> Vec<f32> {
    decoder.forward(&rows(slot, ids, 0, ids.len())).unwrap().next().unwrap().to_vec()
}

fn furthest(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let furthest = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    // A NaN is no distance that a maximum would show.
    if a.iter().chain(b).all(|x| x.is_finite()) { furthest } else { f32::INFINITY }
}

#[test]
fn logits_are_those_of_transformers() {
    for family in FAMILIES {
        let mut decoder = decoder(family, Form::F32);
        for length in LENGTHS {
            let (ids, logits) = golden(family, length);
            let distance = furthest(&whole(&mut decoder, 0, &ids), &logits);
            println!("{family} {length}: {distance:.1e}");
            assert!(distance < 1e-3, "{family} {length}: {distance}");
        }
    }
}

/// Weights as a GPU keeps them, bf16 or 8 bits, with keys and values in f16.
#[test]
fn what_is_kept_in_fewer_bits_stays_close() {
    for family in FAMILIES {
        for form in [Form::Stored, Form::Q8] {
            let mut decoder = decoder(family, form);
            for length in [30, 300] {
                let (ids, logits) = golden(family, length);
                let distance = furthest(&whole(&mut decoder, 0, &ids), &logits);
                println!("{family} {form:?} {length}: {distance:.1e}");
                assert!(distance < 0.2, "{family} {form:?} {length}: {distance}");
            }
        }
    }
}

/// Eight-bit blocks of a GGUF file through candle's products, beside this crate's kernels.
#[test]
fn a_gguf_file_computes_what_the_kernels_compute() {
    let scratch = tempfile::tempdir().unwrap();
    let path = random::write(Shape::TinyQwen3, Store::GgufQ8, 5, scratch.path()).unwrap();
    let ids: Vec<u32> = (0..200).map(|i| i * 37 % 256).collect();
    let kernels = whole(&mut on(Target::Cpu, &path, Form::Stored), 0, &ids);
    let mut tensors = on(Target::CpuTensors, &path, Form::Stored);
    let distance = furthest(&whole(&mut tensors, 0, &ids), &kernels);
    let spread = kernels.iter().fold(0.0, |most: f32, x| most.max(x.abs()));
    println!("{distance:.1e} of {spread:.1e}");
    assert!(distance < 0.05 * spread, "{distance} of {spread}");
    assert_eq!(tensors.bytes_per_pass(), on(Target::Cpu, &path, Form::Stored).bytes_per_pass());
}

/// A pass over a mix of sequences of different lengths, in chunks, agrees with single passes.
#[test]
fn company_and_chunks_change_little() {
    for family in FAMILIES {
        let mut decoder = decoder(family, Form::F32);
        let sequences: Vec<Vec<u32>> = LENGTHS.iter().map(|length| golden(family, *length).0).collect();
        let single: Vec<Vec<f32>> = sequences.iter().map(|ids| whole(&mut decoder, 3, ids)).collect();
        let mut at = [0usize; 3];
        let mut found = vec![Vec::new(); 3];
        // The short one goes token by token, the others in chunks of their own sizes and last in single tokens.
        let sizes = [1, 37, 256];
        while (0..3).any(|slot| at[slot] < sequences[slot].len()) {
            let mut pass = Vec::new();
            for slot in 0..3 {
                let left = sequences[slot].len() - at[slot];
                let to = at[slot] + if left > 8 { sizes[slot].min(left - 8) } else { left.min(1) };
                pass.extend(rows(slot, &sequences[slot], at[slot], to));
                at[slot] = to;
            }
            let wanting: Vec<usize> = pass.iter().filter(|row| row.logits).map(|row| row.slot).collect();
            for (slot, logits) in wanting.into_iter().zip(decoder.forward(&pass).unwrap()) {
                found[slot] = logits.to_vec();
            }
        }
        for slot in 0..3 {
            let distance = furthest(&found[slot], &single[slot]);
            assert!(distance < 1e-4, "{family}, sequence {slot}: {distance}");
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
    assert_eq!(decoder.forward(&[Row { logits: false, ..row }]).unwrap().count(), 0);
}

/// With weights in f32: what company changes by rounding is then far below what would turn one token into another.
fn engine(path: &Path, reuse: bool) -> Candle {
    let (form, target) = (Form::F32, Target::CpuTensors);
    let options = Options { slots: 3, waiting: 2, context: 2048, reuse, form, target, ..Options::default() };
    Candle::open(path, &options).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_keeps_the_contract() {
    let scratch = tempfile::tempdir().unwrap();
    let path = random::write(Shape::TinyQwen3, Store::Folder, 5, scratch.path()).unwrap();
    check(|| async { Subject { engine: Arc::new(engine(&path, true)), running: 3, waiting: 2 } }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_computed_is_used_again_and_changes_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let path = random::write(Shape::TinyQwen2, Store::Folder, 5, scratch.path()).unwrap();
    let (reusing, fresh) = (engine(&path, true), engine(&path, false));
    let long = "a rule to keep to. ".repeat(30);
    for text in ["first", "second", "first and more"] {
        let request = || Request::new(vec![Message::system(long.clone()), Message::user(text)], 12);
        let (reused, end) = reusing.submit(request()).unwrap().whole().await;
        let (computed, _) = fresh.submit(request()).unwrap().whole().await;
        assert_eq!(reused, computed, "{text}");
        assert_eq!(end.usage.reused_tokens > 300, text != "first", "{text}: {} reused", end.usage.reused_tokens);
    }
}

#[cfg(not(feature = "cuda"))]
#[test]
fn a_gpu_is_refused_where_there_is_no_cuda() {
    let scratch = tempfile::tempdir().unwrap();
    let path = random::write(Shape::TinyQwen2, Store::Folder, 5, scratch.path()).unwrap();
    let error = Candle::open(&path, &Options { target: Target::Cuda(0), ..Options::default() }).err().unwrap();
    assert!(error.to_string().contains("built without CUDA"), "{error}");
}

/// Needs a GPU: the only test that does, and only a build with CUDA has it.
#[cfg(feature = "cuda")]
#[test]
fn a_gpu_computes_what_transformers_compute() {
    for family in FAMILIES {
        for (form, most) in [(Form::F32, 1e-2), (Form::Stored, 0.2), (Form::Q8, 0.2)] {
            let mut decoder = on(Target::Cuda(0), &folder(family), form);
            for length in LENGTHS {
                let (ids, logits) = golden(family, length);
                let distance = furthest(&whole(&mut decoder, 0, &ids), &logits);
                println!("{family} {form:?} {length}: {distance:.1e}");
                assert!(distance < most, "{family} {form:?} {length}: {distance}");
            }
        }
    }
}
