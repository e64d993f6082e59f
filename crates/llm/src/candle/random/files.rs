//! A random model as a Hugging Face folder.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use half::bf16;
use serde_json::{Map, Value, json};

use super::{MARKS, Plan, TEMPLATE, numbers, offset, tokenizer, tokens};

/// Numbers in the bank of weights.
const BANK: usize = 1 << 20;

pub(super) fn write(plan: &Plan, seed: u64, folder: &Path) -> io::Result<PathBuf> {
    let config = json!({
        "model_type": plan.family, "vocab_size": plan.vocabulary, "hidden_size": plan.hidden,
        "intermediate_size": plan.feed_forward, "num_hidden_layers": plan.layers,
        "num_attention_heads": plan.heads, "num_key_value_heads": plan.kv_heads, "head_dim": plan.head_dim,
        "rms_norm_eps": 1e-6, "rope_theta": 1_000_000.0, "max_position_embeddings": plan.context,
        "tie_word_embeddings": plan.tied, "hidden_act": "silu", "torch_dtype": "bfloat16",
        "eos_token_id": tokens().len() + MARKS.len() - 1,
    });
    let chat = json!({ "chat_template": TEMPLATE, "eos_token": MARKS[2], "bos_token": MARKS[0] });
    for (name, json) in [("config.json", config), ("tokenizer_config.json", chat), ("tokenizer.json", tokenizer())] {
        std::fs::write(folder.join(name), serde_json::to_vec_pretty(&json)?)?;
    }
    weights(plan, seed, &folder.join("model.safetensors"))?;
    Ok(folder.into())
}

/// The format is a length, a head in JSON, then the numbers.
fn weights(plan: &Plan, seed: u64, path: &Path) -> io::Result<()> {
    let weights = plan.weights();
    let mut head = Map::new();
    let mut at = 0;
    for weight in &weights {
        let end = at + 2 * weight.count();
        head.insert(weight.name.clone(), json!({ "dtype": "BF16", "shape": weight.shape, "data_offsets": [at, end] }));
        at = end;
    }
    let mut head = serde_json::to_vec(&Value::Object(head))?;
    head.resize(head.len().next_multiple_of(8), b' ');
    let mut file = BufWriter::new(File::create(path)?);
    file.write_all(&(head.len() as u64).to_le_bytes())?;
    file.write_all(&head)?;
    let bits = |x: f32| bf16::from_f32(x).to_le_bytes();
    let bank: Vec<u8> = numbers(seed, BANK).flat_map(|x| bits(0.05 * x)).collect();
    for (index, weight) in weights.iter().enumerate() {
        if weight.shape.len() == 1 {
            let vector: Vec<u8> = weight.vector(seed + index as u64).into_iter().flat_map(bits).collect();
            file.write_all(&vector)?;
            continue;
        }
        let mut from = 2 * offset(index, seed);
        let mut left = 2 * weight.count();
        while left > 0 {
            let size = left.min(bank.len() - from);
            file.write_all(&bank[from..from + size])?;
            left -= size;
            from = 0;
        }
    }
    file.flush()
}
