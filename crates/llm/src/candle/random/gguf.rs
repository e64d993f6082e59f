//! A random model as a GGUF file that llama.cpp reads too.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{Device, Tensor};

use super::{MARKS, PAIRS, Plan, Store, TEMPLATE, Weight, numbers, offset, tokens};
use crate::candle::weights::gguf_name;

/// Numbers in the bank of weights.
const BANK: usize = 1 << 20;

pub(super) fn write(plan: &Plan, store: Store, seed: u64, folder: &Path) -> io::Result<PathBuf> {
    let path = folder.join("model.gguf");
    let metadata = metadata(plan, store);
    let tensors = tensors(plan, store, seed).map_err(io::Error::other)?;
    let metadata: Vec<(&str, &Value)> = metadata.iter().map(|(name, value)| (name.as_str(), value)).collect();
    let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    let mut file = BufWriter::new(File::create(&path)?);
    gguf_file::write(&mut file, &metadata, &tensors).map_err(io::Error::other)?;
    Ok(path)
}

fn metadata(plan: &Plan, store: Store) -> Vec<(String, Value)> {
    let number = |size: usize| Value::U32(u32::try_from(size).unwrap_or(u32::MAX));
    let text = |text: &str| Value::String(text.into());
    let own = |name: &str, value: Value| (format!("{}.{name}", plan.family), value);
    let general = |name: &str, value: Value| (name.to_owned(), value);
    let words = tokens();
    let mut list = words.clone();
    list.extend(MARKS.map(String::from));
    let known = list.len();
    list.extend((known..plan.vocabulary).map(|id| format!("[UNUSED{id}]")));
    // 1 is text, 3 a mark, 5 unused.
    let kind = |id: usize| {
        Value::I32(if id < words.len() {
            1
        } else if id < known {
            3
        } else {
            5
        })
    };
    let merges = PAIRS.map(|(a, b)| Value::String(format!("{a} {b}")));
    // What llama.cpp calls mostly Q8_0, and mostly Q4_K_M.
    let file_type = if store == Store::GgufQ4 { 15 } else { 7 };
    vec![
        general("general.architecture", text(plan.family)),
        general("general.name", text("random")),
        general("general.file_type", Value::U32(file_type)),
        general("general.quantization_version", Value::U32(2)),
        own("context_length", number(plan.context)),
        own("embedding_length", number(plan.hidden)),
        own("block_count", number(plan.layers)),
        own("feed_forward_length", number(plan.feed_forward)),
        own("attention.head_count", number(plan.heads)),
        own("attention.head_count_kv", number(plan.kv_heads)),
        own("attention.key_length", number(plan.head_dim)),
        own("attention.value_length", number(plan.head_dim)),
        own("attention.layer_norm_rms_epsilon", Value::F32(1e-6)),
        own("rope.freq_base", Value::F32(1e6)),
        own("rope.dimension_count", number(plan.head_dim)),
        own("vocab_size", number(plan.vocabulary)),
        general("tokenizer.ggml.model", text("gpt2")),
        general("tokenizer.ggml.pre", text(if plan.family == "llama" { "llama-bpe" } else { "qwen2" })),
        general("tokenizer.ggml.tokens", Value::Array(list.into_iter().map(Value::String).collect())),
        general("tokenizer.ggml.token_type", Value::Array((0..plan.vocabulary).map(kind).collect())),
        general("tokenizer.ggml.merges", Value::Array(merges.to_vec())),
        general("tokenizer.ggml.bos_token_id", number(words.len())),
        general("tokenizer.ggml.eos_token_id", number(words.len() + 2)),
        general("tokenizer.ggml.padding_token_id", number(words.len())),
        general("tokenizer.ggml.add_bos_token", Value::Bool(false)),
        general("tokenizer.chat_template", text(TEMPLATE)),
    ]
}

fn tensors(plan: &Plan, store: Store, seed: u64) -> candle_core::Result<Vec<(String, QTensor)>> {
    let bank = Tensor::from_vec(numbers(seed, BANK).map(|x| 0.05 * x).collect::<Vec<f32>>(), BANK, &Device::Cpu)?;
    let quantised = |kind: GgmlDType| -> candle_core::Result<(GgmlDType, Vec<u8>)> {
        Ok((kind, QTensor::quantize(&bank, kind)?.data()?.into_owned()))
    };
    let banks = [quantised(GgmlDType::Q8_0)?, quantised(GgmlDType::Q4K)?, quantised(GgmlDType::Q6K)?];
    let tensor = |(index, weight): (usize, Weight)| {
        let name = gguf_name(&weight.name).unwrap_or_else(|| weight.name.clone());
        if weight.shape.len() == 1 {
            let vector = Tensor::from_vec(weight.vector(seed + index as u64), weight.shape.as_slice(), &Device::Cpu)?;
            return Ok((name, QTensor::quantize(&vector, GgmlDType::F32)?));
        }
        let kind = kind(plan, store, &weight);
        let bytes = banks.iter().find(|(of, _)| *of == kind).map_or(&[][..], |(_, bytes)| bytes);
        let size = kind.type_size();
        let needed = weight.count() / kind.block_size() * size;
        let from = offset(index, seed) % (bytes.len() / size) * size;
        let data: Vec<u8> = bytes.iter().cycle().skip(from).take(needed).copied().collect();
        Ok((name, QTensor::new(QStorage::from_data(data.into(), &Device::Cpu, kind)?, weight.shape.as_slice())?))
    };
    plan.weights().into_iter().enumerate().map(tensor).collect()
}

/// Which blocks a matrix has, as llama.cpp mixes them: more bits for the embedding, and for values and the way down in
/// half of the layers.
fn kind(plan: &Plan, store: Store, weight: &Weight) -> GgmlDType {
    let width = weight.shape.last().copied().unwrap_or(0);
    if store != Store::GgufQ4 || !width.is_multiple_of(GgmlDType::Q4K.block_size()) {
        return GgmlDType::Q8_0;
    }
    let layer = weight.name.strip_prefix("model.layers.").and_then(|rest| rest.split_once('.'));
    let Some((layer, part)) = layer.and_then(|(layer, part)| Some((layer.parse::<usize>().ok()?, part))) else {
        return GgmlDType::Q6K;
    };
    let eighth = plan.layers / 8;
    let important = layer < eighth || layer >= 7 * plan.layers / 8 || (layer - eighth) % 3 == 2;
    if important && (part.starts_with("self_attn.v_proj") || part.starts_with("mlp.down_proj")) {
        GgmlDType::Q6K
    } else {
        GgmlDType::Q4K
    }
}
