//! Models with random weights: they say nothing, and take the time and memory that a real one of their shape takes.
//!
//! Weights repeat a bank of random numbers, so that a large model is written in seconds. The tokenizer is the 256
//! bytes, a few pairs of them and the marks of a chat.

mod files;
mod gguf;

use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde_json::{Value, json};

/// A shape of a known model, or a tiny one of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Two layers, Qwen2's parts.
    TinyQwen2,
    /// Two layers, Qwen3's parts.
    TinyQwen3,
    /// Two layers, Llama 3's parts.
    TinyLlama,
    /// Qwen2.5 with half a billion weights.
    Qwen25Half,
    /// Qwen3 with 0.6 billion weights.
    Qwen3Small,
}

/// Their names.
const NAMES: [(&str, Shape); 5] = [
    ("tiny-qwen2", Shape::TinyQwen2),
    ("tiny-qwen3", Shape::TinyQwen3),
    ("tiny-llama", Shape::TinyLlama),
    ("qwen2.5-0.5b", Shape::Qwen25Half),
    ("qwen3-0.6b", Shape::Qwen3Small),
];

impl FromStr for Shape {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = NAMES.map(|(name, _)| name).join(", ");
        let found = NAMES.into_iter().find(|(known, _)| *known == name);
        found.map(|(_, shape)| shape).ok_or_else(|| format!("there are {known}"))
    }
}

/// How the weights are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// A folder in Hugging Face's layout, in bf16.
    Folder,
    /// `model.gguf` with 8-bit blocks.
    GgufQ8,
    /// `model.gguf` with blocks of about 4.8 bits, mixed as llama.cpp's Q4_K_M.
    GgufQ4,
}

/// Writes a model into a folder; gives the path that loads it.
///
/// # Errors
/// The folder cannot be written to.
pub fn write(shape: Shape, store: Store, seed: u64, folder: &Path) -> io::Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    let plan = Plan::of(shape);
    match store {
        Store::Folder => files::write(&plan, seed, folder),
        Store::GgufQ8 | Store::GgufQ4 => gguf::write(&plan, store, seed, folder),
    }
}

/// The numbers of a shape.
pub(crate) struct Plan {
    family: &'static str,
    hidden: usize,
    feed_forward: usize,
    layers: usize,
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
    vocabulary: usize,
    context: usize,
    tied: bool,
}

/// Of one weight.
pub(crate) struct Weight {
    /// Hugging Face's name.
    name: String,
    /// `[outputs, inputs]`, or one length.
    shape: Vec<usize>,
    kind: Kind,
}

/// How its numbers are spread.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Matrix,
    Norm,
    Bias,
}

impl Plan {
    fn of(shape: Shape) -> Self {
        let tiny = Self {
            family: "qwen2",
            hidden: 64,
            feed_forward: 160,
            layers: 2,
            heads: 4,
            kv_heads: 2,
            head_dim: 16,
            vocabulary: 320,
            context: 2048,
            tied: true,
        };
        let large = Self { vocabulary: 151_936, context: 32_768, ..tiny };
        match shape {
            Shape::TinyQwen2 => tiny,
            Shape::TinyQwen3 => Self { family: "qwen3", head_dim: 32, ..tiny },
            Shape::TinyLlama => Self { family: "llama", tied: false, ..tiny },
            Shape::Qwen25Half => {
                Self { hidden: 896, feed_forward: 4864, layers: 24, heads: 14, kv_heads: 2, head_dim: 64, ..large }
            }
            Shape::Qwen3Small => Self {
                family: "qwen3",
                hidden: 1024,
                feed_forward: 3072,
                layers: 28,
                heads: 16,
                kv_heads: 8,
                head_dim: 128,
                context: 40_960,
                ..large
            },
        }
    }

    /// All weights, in no particular order.
    fn weights(&self) -> Vec<Weight> {
        let matrix = |name: String, outputs: usize, inputs: usize| Weight {
            name,
            shape: vec![outputs, inputs],
            kind: Kind::Matrix,
        };
        let vector = |name: String, length: usize, kind: Kind| Weight { name, shape: vec![length], kind };
        let (queries, width) = (self.heads * self.head_dim, self.kv_heads * self.head_dim);
        let mut weights = vec![
            matrix("model.embed_tokens.weight".into(), self.vocabulary, self.hidden),
            vector("model.norm.weight".into(), self.hidden, Kind::Norm),
        ];
        if !self.tied {
            weights.push(matrix("lm_head.weight".into(), self.vocabulary, self.hidden));
        }
        for layer in 0..self.layers {
            let name = |rest: &str| format!("model.layers.{layer}.{rest}");
            for (part, outputs) in [("q", queries), ("k", width), ("v", width)] {
                weights.push(matrix(name(&format!("self_attn.{part}_proj.weight")), outputs, self.hidden));
                if self.family == "qwen2" {
                    weights.push(vector(name(&format!("self_attn.{part}_proj.bias")), outputs, Kind::Bias));
                }
                if self.family == "qwen3" && part != "v" {
                    weights.push(vector(name(&format!("self_attn.{part}_norm.weight")), self.head_dim, Kind::Norm));
                }
            }
            weights.push(matrix(name("self_attn.o_proj.weight"), self.hidden, queries));
            weights.push(matrix(name("mlp.gate_proj.weight"), self.feed_forward, self.hidden));
            weights.push(matrix(name("mlp.up_proj.weight"), self.feed_forward, self.hidden));
            weights.push(matrix(name("mlp.down_proj.weight"), self.hidden, self.feed_forward));
            weights.push(vector(name("input_layernorm.weight"), self.hidden, Kind::Norm));
            weights.push(vector(name("post_attention_layernorm.weight"), self.hidden, Kind::Norm));
        }
        weights
    }
}

/// Pairs that the tokenizer merges.
const PAIRS: [(&str, &str); 6] = [("Ġ", "t"), ("h", "e"), ("i", "n"), ("e", "r"), ("a", "n"), ("o", "n")];

/// The marks of a chat; the last ends a turn.
const MARKS: [&str; 3] = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];

/// How a dialogue is written.
const TEMPLATE: &str = "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] \
                        }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/// Tokens of text in the order of their ids: the bytes, then the pairs. The marks come after.
fn tokens() -> Vec<String> {
    let mut bytes: Vec<(u8, char)> =
        super::tokens::byte_of_character().into_iter().map(|(spelt, byte)| (byte, spelt)).collect();
    bytes.sort_unstable();
    let bytes = bytes.into_iter().map(|(_, spelt)| spelt.to_string());
    bytes.chain(PAIRS.map(|(a, b)| format!("{a}{b}"))).collect()
}

/// As a `tokenizer.json`.
fn tokenizer() -> Value {
    let tokens = tokens();
    let mark = |(index, content): (usize, &&str)| {
        json!({ "id": tokens.len() + index, "content": content, "special": true, "single_word": false,
                "lstrip": false, "rstrip": false, "normalized": false })
    };
    let vocabulary: serde_json::Map<String, Value> =
        tokens.iter().enumerate().map(|(id, token)| (token.clone(), json!(id))).collect();
    let bytes = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": true });
    json!({
        "version": "1.0",
        "added_tokens": MARKS.iter().enumerate().map(mark).collect::<Vec<_>>(),
        "normalizer": null,
        "pre_tokenizer": bytes,
        "post_processor": null,
        "decoder": bytes,
        "model": {
            "type": "BPE",
            "vocab": vocabulary,
            "merges": PAIRS.map(|(a, b)| json!([a, b])),
        },
    })
}

/// Uniform numbers in (-1, 1).
fn numbers(seed: u64, count: usize) -> impl Iterator<Item = f32> {
    let mut state = seed ^ 0x9E37_79B9_7F4A_7C15;
    (0..count).map(move |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // 24 bits are exact in an f32.
        ((state >> 40) as f32 + 0.5) / 8_388_608.0 - 1.0
    })
}

impl Weight {
    fn count(&self) -> usize {
        self.shape.iter().product()
    }

    /// The numbers of a vector.
    fn vector(&self, seed: u64) -> Vec<f32> {
        let spread = |x: f32| if self.kind == Kind::Norm { 1.0 + 0.1 * x } else { 0.1 * x };
        numbers(seed, self.count()).map(spread).collect()
    }
}

/// Where matrices begin to read the bank: each elsewhere.
fn offset(index: usize, seed: u64) -> usize {
    (index.wrapping_mul(0x9E37_79B1) ^ seed as usize) & 0xFFFF
}
