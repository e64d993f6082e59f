//! What runs on a GPU, run on the processor: the same code with the same tensors, on candle's other device. It computes
//! what Hugging Face transformers computes, in whatever pieces and company, and serves as the engine must.

#![cfg(feature = "candle")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod goldens;

use std::path::Path;
use std::sync::Arc;

use goldens::{FAMILIES, LENGTHS, folder, furthest, golden, refuses_rows_out_of_bounds, stays_within, together, whole};
use wenzhen_llm::candle::random::{self, Shape, Store};
use wenzhen_llm::candle::{Candle, Decoder, Form, Options, Room, Target};
use wenzhen_llm::conformance::{Subject, check};
use wenzhen_llm::{Engine, Message, Request};

fn on(target: Target, path: &Path, form: Form) -> Decoder {
    Decoder::open_on(target, path, Room { slots: 4, context: 2048, form }).unwrap()
}

fn decoder(family: &str, form: Form) -> Decoder {
    on(Target::CpuTensors, &folder(family), form)
}

#[test]
fn logits_are_those_of_transformers() {
    stays_within(1e-3, &LENGTHS, |family| decoder(family, Form::F32));
}

/// Weights as a GPU keeps them, bf16 or 8 bits, with keys and values in f16.
#[test]
fn what_is_kept_in_fewer_bits_stays_close() {
    for form in [Form::Stored, Form::Q8] {
        stays_within(0.2, &[30, 300], |family| decoder(family, form));
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
        let sequences: Vec<Vec<u32>> = LENGTHS.iter().map(|length| golden(family, *length).ids).collect();
        let single: Vec<Vec<f32>> = sequences.iter().map(|ids| whole(&mut decoder, 3, ids)).collect();
        // The short one goes token by token, the others in chunks of their own sizes and last in single tokens.
        let found = together(&mut decoder, &sequences, &[1, 37, 256]);
        for slot in 0..3 {
            let distance = furthest(&found[slot], &single[slot]);
            assert!(distance < 1e-4, "{family}, sequence {slot}: {distance}");
        }
    }
}

#[test]
fn a_row_out_of_bounds_is_refused() {
    refuses_rows_out_of_bounds(&mut decoder("qwen2", Form::Stored));
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
    for (form, most) in [(Form::F32, 1e-2), (Form::Stored, 0.2), (Form::Q8, 0.2)] {
        stays_within(most, &LENGTHS, |family| on(Target::Cuda(0), &folder(family), form));
    }
}
