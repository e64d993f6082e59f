//! The shape of a model: one decoder, three families of configurations, from a `config.json` or a GGUF's metadata.

use std::path::Path;

use candle_core::quantized::gguf_file;
use serde::Deserialize;
use serde_json::Value;

use super::error::LoadError;
use super::rope::{Pairing, Rope, Scaling};

/// Which family a model is of; what differs lies in the weights, so a family is little more than a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Qwen2 and Qwen2.5: biases at queries, keys and values.
    Qwen2,
    /// Qwen3: norms of single query and key heads.
    Qwen3,
    /// Llama 3 and what shares its architecture.
    Llama,
}

/// The shape of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Which family.
    pub family: Family,
    /// Rows of the embedding; the tokenizer may know fewer.
    pub vocabulary: usize,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Blocks.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Width of the feed-forward part.
    pub feed_forward: usize,
    /// Added to the mean square in norms.
    pub epsilon: f32,
    /// Positions.
    pub rope: Rope,
    /// Tokens that the model was made for.
    pub context: usize,
    /// Whether the embedding is the last layer too.
    pub tied: bool,
    /// Tokens that end a turn.
    pub ends: Vec<u32>,
}

impl Family {
    /// By the names that `config.json` and GGUF use.
    fn named(name: &str) -> Result<Self, LoadError> {
        match name {
            "qwen2" => Ok(Self::Qwen2),
            "qwen3" => Ok(Self::Qwen3),
            "llama" => Ok(Self::Llama),
            other => Err(LoadError::Unsupported(format!("the architecture {other:?}; there are qwen2, qwen3, llama"))),
        }
    }
}

/// The fields of `config.json` that matter here.
#[derive(Deserialize)]
struct Json {
    model_type: String,
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    intermediate_size: usize,
    rms_norm_eps: f32,
    rope_theta: Option<f64>,
    rope_scaling: Option<Value>,
    rope_parameters: Option<Value>,
    max_position_embeddings: usize,
    #[serde(default)]
    tie_word_embeddings: bool,
    #[serde(default)]
    use_sliding_window: bool,
    hidden_act: Option<String>,
    eos_token_id: Option<Value>,
}

impl Config {
    /// From the folder of a Hugging Face model.
    pub(crate) fn from_folder(folder: &Path) -> Result<Self, LoadError> {
        let path = folder.join("config.json");
        let text = std::fs::read(&path).map_err(|error| LoadError::file(&path, error))?;
        let json: Json = serde_json::from_slice(&text).map_err(|error| LoadError::damaged(&path, error))?;
        if json.use_sliding_window {
            return Err(LoadError::Unsupported("attention in a sliding window".into()));
        }
        if let Some(act) = json.hidden_act.filter(|act| act != "silu") {
            return Err(LoadError::Unsupported(format!("the activation {act:?}")));
        }
        let head_dim = json.head_dim.unwrap_or(json.hidden_size / json.num_attention_heads.max(1));
        // Newer files hold everything about positions in `rope_parameters`.
        let inner = json.rope_parameters.as_ref().and_then(|rope| rope.get("rope_theta")).and_then(Value::as_f64);
        let base = json.rope_theta.or(inner).unwrap_or(10_000.0);
        let scaling = Scaling::from_json(json.rope_parameters.or(json.rope_scaling).as_ref())?;
        let rope = Rope::new(head_dim, base, Pairing::Halves, scaling);
        let mut ends = ids(json.eos_token_id.as_ref());
        if let Ok(text) = std::fs::read(folder.join("generation_config.json")) {
            let generation: Value = serde_json::from_slice(&text).unwrap_or_default();
            ends.extend(ids(generation.get("eos_token_id")));
        }
        Self {
            family: Family::named(&json.model_type)?,
            vocabulary: json.vocab_size,
            hidden: json.hidden_size,
            layers: json.num_hidden_layers,
            heads: json.num_attention_heads,
            kv_heads: json.num_key_value_heads.unwrap_or(json.num_attention_heads),
            head_dim,
            feed_forward: json.intermediate_size,
            epsilon: json.rms_norm_eps,
            rope,
            context: json.max_position_embeddings,
            tied: json.tie_word_embeddings,
            ends,
        }
        .checked()
    }

    /// From a GGUF file's metadata. `factors` are the divisors of frequencies that Llama 3 files carry as a tensor.
    pub(crate) fn from_gguf(content: &gguf_file::Content, factors: Option<Vec<f32>>) -> Result<Self, LoadError> {
        let metadata = Metadata::new(content)?;
        let family = Family::named(&metadata.architecture)?;
        let (hidden, heads) = (metadata.size("embedding_length")?, metadata.size("attention.head_count")?);
        let head_dim = metadata.size("attention.key_length").unwrap_or(hidden / heads.max(1));
        let vocabulary = content.tensor_infos.get("token_embd.weight");
        let vocabulary = vocabulary.and_then(|info| info.shape.dims().first().copied());
        // Files of this architecture have query and key rows in an order that pairs neighbours.
        let pairing = if family == Family::Llama { Pairing::Neighbours } else { Pairing::Halves };
        let scaling = match factors {
            Some(factors) => Scaling::Factors(factors),
            None => metadata.scaling()?,
        };
        Self {
            family,
            vocabulary: vocabulary.ok_or_else(|| LoadError::Missing("token_embd.weight".into()))?,
            hidden,
            layers: metadata.size("block_count")?,
            heads,
            kv_heads: metadata.size("attention.head_count_kv").unwrap_or(heads),
            head_dim,
            feed_forward: metadata.size("feed_forward_length")?,
            epsilon: metadata.number("attention.layer_norm_rms_epsilon")? as f32,
            rope: Rope::new(head_dim, metadata.number("rope.freq_base").unwrap_or(10_000.0), pairing, scaling),
            context: metadata.size("context_length")?,
            tied: !content.tensor_infos.contains_key("output.weight"),
            ends: metadata.ends(),
        }
        .checked()
    }

    fn checked(self) -> Result<Self, LoadError> {
        let wrong = [
            (self.layers == 0 || self.vocabulary == 0 || self.context == 0, "it has no layers, vocabulary or context"),
            (
                self.heads == 0 || self.kv_heads == 0 || !self.heads.is_multiple_of(self.kv_heads.max(1)),
                "heads do not divide",
            ),
            (self.hidden == 0 || !self.hidden.is_multiple_of(16), "the width is no multiple of 16"),
            (
                self.feed_forward == 0 || !self.feed_forward.is_multiple_of(16),
                "the feed-forward width is no multiple of 16",
            ),
            (self.head_dim == 0 || !self.head_dim.is_multiple_of(16), "the width of a head is no multiple of 16"),
            (!(self.epsilon >= 0.0 && self.epsilon < 1.0), "the norms' epsilon is not in [0, 1)"),
        ];
        match wrong.iter().find(|(wrong, _)| *wrong) {
            Some((_, reason)) => Err(LoadError::Unsupported((*reason).into())),
            None => Ok(self),
        }
    }

    /// Width of all key heads of a row, and of all value heads.
    pub(crate) fn kv_width(&self) -> usize {
        self.kv_heads * self.head_dim
    }

    /// Bytes of keys and values that one token takes.
    pub(crate) fn kv_bytes(&self) -> usize {
        self.layers * 2 * self.kv_width() * size_of::<u16>()
    }
}

/// One token id, or a list of them.
fn ids(value: Option<&Value>) -> Vec<u32> {
    let one = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    match value {
        Some(Value::Array(ids)) => ids.iter().filter_map(one).collect(),
        Some(id) => one(id).into_iter().collect(),
        None => Vec::new(),
    }
}

/// A GGUF file's metadata, with names below the architecture's.
struct Metadata<'a> {
    content: &'a gguf_file::Content,
    architecture: String,
}

impl<'a> Metadata<'a> {
    fn new(content: &'a gguf_file::Content) -> Result<Self, LoadError> {
        let architecture = content.metadata.get("general.architecture").and_then(|value| value.to_string().ok());
        let architecture =
            architecture.ok_or_else(|| LoadError::Unsupported("a file without an architecture".into()))?;
        Ok(Self { content, architecture: architecture.clone() })
    }

    fn get(&self, name: &str) -> Option<&'a gguf_file::Value> {
        self.content.metadata.get(&format!("{}.{name}", self.architecture))
    }

    fn size(&self, name: &str) -> Result<usize, LoadError> {
        let size = self.get(name).and_then(|value| value.to_u64().or_else(|_| value.to_u32().map(u64::from)).ok());
        let size = size.and_then(|size| usize::try_from(size).ok());
        size.ok_or_else(|| LoadError::Unsupported(format!("a file without {name}")))
    }

    fn number(&self, name: &str) -> Result<f64, LoadError> {
        let number = self.get(name).and_then(|value| value.to_f32().ok()).map(f64::from);
        number.ok_or_else(|| LoadError::Unsupported(format!("a file without {name}")))
    }

    fn scaling(&self) -> Result<Scaling, LoadError> {
        let kind = self.get("rope.scaling.type").and_then(|value| value.to_string().ok());
        match kind.map_or("none", String::as_str) {
            "none" => Ok(Scaling::None),
            "linear" => Ok(Scaling::Linear { factor: self.number("rope.scaling.factor")? }),
            "yarn" => Ok(Scaling::yarn(
                self.number("rope.scaling.factor")?,
                self.size("rope.scaling.original_context_length")? as f64,
            )),
            other => Err(LoadError::Unsupported(format!("positions scaled by {other:?}"))),
        }
    }

    fn ends(&self) -> Vec<u32> {
        let names = ["tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"];
        names.iter().filter_map(|name| self.content.metadata.get(*name)?.to_u32().ok()).collect()
    }
}
