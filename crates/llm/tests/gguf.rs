//! GGUF files compute what Hugging Face transformers computes, in the order of rows that each family's files have.
//!
//! The goldens in `tests/data` are made by `training/llm-goldens`; the files are written here, as llama.cpp's converter
//! lays them out.

#![cfg(feature = "candle")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{DType, Device, Tensor};
use wenzhen_llm::candle::{Decoder, Form, Room, Row};

fn folder(family: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(family)
}

/// What a weight is called in a GGUF file.
fn name(hugging_face: &str) -> String {
    let parts = [
        ("model.embed_tokens", "token_embd"),
        ("lm_head", "output"),
        ("model.norm", "output_norm"),
        ("model.layers.", "blk."),
        ("self_attn.q_norm", "attn_q_norm"),
        ("self_attn.k_norm", "attn_k_norm"),
        ("self_attn.q_proj", "attn_q"),
        ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"),
        ("self_attn.o_proj", "attn_output"),
        ("mlp.gate_proj", "ffn_gate"),
        ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"),
        ("input_layernorm", "attn_norm"),
        ("post_attention_layernorm", "ffn_norm"),
    ];
    parts.iter().fold(hugging_face.to_owned(), |name, (from, to)| name.replace(from, to))
}

/// Rows of every head with the two that are turned together side by side, instead of half a head apart.
fn neighbours(weight: &Tensor, dim: usize) -> Tensor {
    let (rows, width) = weight.dims2().unwrap();
    let halves = weight.reshape((rows / dim, 2, dim / 2, width)).unwrap();
    halves.transpose(1, 2).unwrap().reshape((rows, width)).unwrap()
}

/// The divisors of frequencies of Llama 3 (Meta's published rule), as its files carry them.
fn factors(dim: usize, config: &serde_json::Value) -> Vec<f32> {
    let rope = &config["rope_parameters"];
    let number = |name: &str| rope[name].as_f64().unwrap();
    let [base, factor, low, high, original] =
        ["rope_theta", "factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"].map(number);
    let divisor = |i: usize| {
        let turns = original * base.powf(-2.0 * i as f64 / dim as f64) / std::f64::consts::TAU;
        let kept = ((turns - low) / (high - low)).clamp(0.0, 1.0);
        (1.0 / ((1.0 - kept) / factor + kept)) as f32
    };
    (0..dim / 2).map(divisor).collect()
}

/// Writes the family's model as a GGUF file of f32.
fn write(family: &str, path: &Path) {
    let config: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder(family).join("config.json")).unwrap()).unwrap();
    let size = |name: &str| config[name].as_u64().unwrap() as u32;
    let heads = size("num_attention_heads");
    let dim = config["head_dim"].as_u64().unwrap_or(u64::from(size("hidden_size") / heads)) as usize;
    let numbers = candle_core::safetensors::load(folder(family).join("model.safetensors"), &Device::Cpu).unwrap();
    let wide: HashMap<String, Tensor> =
        numbers.into_iter().map(|(name, tensor)| (name, tensor.to_dtype(DType::F32).unwrap())).collect();
    let mut tensors = Vec::new();
    for (own, tensor) in &wide {
        let turned = family == "llama" && (own.contains("q_proj") || own.contains("k_proj"));
        let tensor = if turned { neighbours(tensor, dim) } else { tensor.clone() };
        tensors.push((name(own), QTensor::quantize(&tensor, GgmlDType::F32).unwrap()));
    }
    if family == "llama" {
        let factors = Tensor::new(factors(dim, &config), &Device::Cpu).unwrap();
        tensors.push(("rope_freqs.weight".into(), QTensor::quantize(&factors, GgmlDType::F32).unwrap()));
    }
    let base = config["rope_parameters"]["rope_theta"].as_f64().or(config["rope_theta"].as_f64()).unwrap() as f32;
    let mut metadata = vec![("general.architecture".to_owned(), Value::String(family.into()))];
    let mut own = |name: &str, value: Value| metadata.push((format!("{family}.{name}"), value));
    own("context_length", Value::U32(size("max_position_embeddings")));
    own("embedding_length", Value::U32(size("hidden_size")));
    own("block_count", Value::U32(size("num_hidden_layers")));
    own("feed_forward_length", Value::U32(size("intermediate_size")));
    own("attention.head_count", Value::U32(heads));
    own("attention.head_count_kv", Value::U32(size("num_key_value_heads")));
    own("attention.key_length", Value::U32(dim as u32));
    own("attention.layer_norm_rms_epsilon", Value::F32(config["rms_norm_eps"].as_f64().unwrap() as f32));
    own("rope.freq_base", Value::F32(base));
    let metadata: Vec<(&str, &Value)> = metadata.iter().map(|(name, value)| (name.as_str(), value)).collect();
    let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    gguf_file::write(&mut std::fs::File::create(path).unwrap(), &metadata, &tensors).unwrap();
}

#[test]
fn logits_are_those_of_transformers() {
    let scratch = tempfile::tempdir().unwrap();
    for family in ["qwen2", "qwen3", "llama"] {
        let path = scratch.path().join(format!("{family}.gguf"));
        write(family, &path);
        let mut decoder = Decoder::open(&path, Room { slots: 1, context: 2048, form: Form::Stored }).unwrap();
        let goldens = candle_core::safetensors::load(folder(family).join("goldens.safetensors"), &Device::Cpu).unwrap();
        for length in [30, 300, 1900] {
            let ids: Vec<i64> = goldens[&format!("ids.{length}")].to_dtype(DType::I64).unwrap().to_vec1().unwrap();
            let row = |(position, id): (usize, &i64)| Row {
                slot: 0,
                position,
                token: *id as u32,
                logits: position + 1 == length,
            };
            let rows: Vec<Row> = ids.iter().enumerate().map(row).collect();
            let found = decoder.forward(&rows).unwrap().next().unwrap().to_vec();
            let logits: Vec<f32> = goldens[&format!("logits.{length}")].to_vec1().unwrap();
            assert_eq!(found.len(), logits.len());
            let furthest = found.iter().zip(&logits).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            println!("{family} {length}: {furthest:.1e}");
            assert!(furthest < 1e-3, "{family} {length}: {furthest}");
        }
    }
}

/// Numbers between -1 and 1, made up.
fn numbers(seed: u32, shape: &[usize]) -> Tensor {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 8) as f32 / 8_388_608.0 - 1.0
    };
    let count = shape.iter().product();
    Tensor::from_vec(std::iter::repeat_with(next).take(count).collect::<Vec<f32>>(), shape, &Device::Cpu).unwrap()
}

/// One layer of Qwen3's parts, wide enough for units of 256, of all kinds of blocks that there are kernels for.
fn write_mixed(path: &Path) {
    use GgmlDType::{F32, Q4K, Q6K, Q8_0};
    let own = [
        ("token_embd.weight", vec![320, 256], Q6K),
        ("output_norm.weight", vec![256], F32),
        ("blk.0.attn_norm.weight", vec![256], F32),
        ("blk.0.ffn_norm.weight", vec![256], F32),
        ("blk.0.attn_q_norm.weight", vec![32], F32),
        ("blk.0.attn_k_norm.weight", vec![32], F32),
        ("blk.0.attn_q.weight", vec![256, 256], Q4K),
        ("blk.0.attn_k.weight", vec![64, 256], Q8_0),
        ("blk.0.attn_v.weight", vec![64, 256], Q6K),
        ("blk.0.attn_output.weight", vec![256, 256], Q4K),
        ("blk.0.ffn_gate.weight", vec![512, 256], Q4K),
        ("blk.0.ffn_up.weight", vec![512, 256], Q4K),
        ("blk.0.ffn_down.weight", vec![256, 512], Q6K),
    ];
    let tensors: Vec<(&str, QTensor)> = (1u32..)
        .zip(&own)
        .map(|(seed, (name, shape, kind))| {
            let spread = if shape.len() == 1 { 1.0 } else { 0.1 };
            let plain = (numbers(seed, shape) * spread).unwrap();
            (*name, QTensor::quantize(&if shape.len() == 1 { plain.abs().unwrap() } else { plain }, *kind).unwrap())
        })
        .collect();
    let number = |name: &str, value: u32| (format!("qwen3.{name}"), Value::U32(value));
    let metadata = [
        ("general.architecture".to_owned(), Value::String("qwen3".into())),
        number("context_length", 512),
        number("embedding_length", 256),
        number("block_count", 1),
        number("feed_forward_length", 512),
        number("attention.head_count", 8),
        number("attention.head_count_kv", 2),
        number("attention.key_length", 32),
        ("qwen3.attention.layer_norm_rms_epsilon".to_owned(), Value::F32(1e-6)),
        ("qwen3.rope.freq_base".to_owned(), Value::F32(1e6)),
    ];
    let metadata: Vec<(&str, &Value)> = metadata.iter().map(|(name, value)| (name.as_str(), value)).collect();
    let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(name, tensor)| (*name, tensor)).collect();
    gguf_file::write(&mut std::fs::File::create(path).unwrap(), &metadata, &tensors).unwrap();
}

/// A file of 4, 6 and 8 bits: its products are those of the numbers that the blocks stand for, and company changes no bit.
#[test]
fn mixed_blocks_stay_close_to_their_numbers() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("mixed.gguf");
    write_mixed(&path);
    let open = |form| Decoder::open(&path, Room { slots: 2, context: 512, form }).unwrap();
    let rows = |slot: usize| {
        (0..40).map(move |position| Row { slot, position, token: position as u32 * 7 % 320, logits: true })
    };
    let logits = |decoder: &mut Decoder, rows: &[Row]| -> Vec<f32> {
        decoder.forward(rows).unwrap().flatten().copied().collect()
    };
    let (mut stored, mut wide) = (open(Form::Stored), open(Form::F32));
    let whole: Vec<Row> = rows(0).collect();
    let (found, exact) = (logits(&mut stored, &whole), logits(&mut wide, &whole));
    let largest = exact.iter().fold(0f32, |most, x| most.max(x.abs()));
    let furthest = found.iter().zip(&exact).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    println!("{furthest:.1e} of {largest:.1}");
    assert!(furthest < 0.03 * largest, "{furthest} of {largest}");
    let single: Vec<f32> = rows(1).flat_map(|row| logits(&mut stored, &[row])).collect();
    assert_eq!(single, found);
}
