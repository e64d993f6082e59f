//! Weights of a GGUF file, under the names that Hugging Face uses.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::Device;
use candle_core::quantized::GgmlDType;
use candle_core::quantized::gguf_file::Content;

use super::{Kind, LoadError, Source, Stored};

/// The table of divisors of frequencies in Llama 3 files.
const FACTORS: &str = "rope_freqs.weight";

/// An open file.
pub(crate) struct Gguf {
    path: PathBuf,
    file: BufReader<File>,
    pub(crate) content: Content,
    unread: BTreeSet<String>,
}

impl Gguf {
    /// Opens a file and checks that it holds everything that its head promises.
    pub(crate) fn open(path: &Path) -> Result<Self, LoadError> {
        let file = File::open(path).map_err(|error| LoadError::file(path, error))?;
        let length = file.metadata().map_err(|error| LoadError::file(path, error))?.len();
        let mut file = BufReader::new(file);
        let content = Content::read(&mut file).map_err(|error| LoadError::damaged(path, error))?;
        for (name, info) in &content.tensor_infos {
            let (block, size) = (info.ggml_dtype.block_size() as u64, info.ggml_dtype.type_size() as u64);
            let blocks = info.shape.dims().iter().try_fold(1u64, |count, dim| count.checked_mul(*dim as u64));
            let bytes = blocks.and_then(|count| (count / block).checked_mul(size));
            let end = bytes.and_then(|bytes| bytes.checked_add(info.offset)?.checked_add(content.tensor_data_offset));
            if end.is_none_or(|end| end > length) {
                return Err(LoadError::damaged(path, format!("it ends before the weight {name} does")));
            }
        }
        let unread = content.tensor_infos.keys().cloned().collect();
        Ok(Self { path: path.into(), file, content, unread })
    }

    /// The divisors of frequencies, where the file has some.
    pub(crate) fn factors(&mut self) -> Result<Option<Vec<f32>>, LoadError> {
        match self.read(FACTORS)? {
            Some((stored, _)) => stored.numbers().map(Some),
            None => Ok(None),
        }
    }

    fn read(&mut self, name: &str) -> Result<Option<(Stored, Vec<usize>)>, LoadError> {
        if !self.content.tensor_infos.contains_key(name) {
            return Ok(None);
        }
        self.unread.remove(name);
        let tensor = self.content.tensor(&mut self.file, name, &Device::Cpu);
        let tensor = tensor.map_err(|error| LoadError::damaged(&self.path, error))?;
        let shape = tensor.shape().dims().to_vec();
        let numbers = |tensor: &candle_core::quantized::QTensor| tensor.data().map(std::borrow::Cow::into_owned);
        let halves = |bytes: Vec<u8>| bytes.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]])).collect();
        let stored = match tensor.dtype() {
            GgmlDType::F32 => Stored::F32(tensor.dequantize(&Device::Cpu)?.flatten_all()?.to_vec1()?),
            GgmlDType::F16 => Stored::F16(halves(numbers(&tensor)?)),
            GgmlDType::BF16 => Stored::Bf16(halves(numbers(&tensor)?)),
            GgmlDType::Q8_0 => Stored::Blocks(Kind::Q8, numbers(&tensor)?),
            GgmlDType::Q6K => Stored::Blocks(Kind::Q6, numbers(&tensor)?),
            GgmlDType::Q4K => Stored::Blocks(Kind::Q4, numbers(&tensor)?),
            _ => Stored::Candle(Arc::new(tensor)),
        };
        Ok(Some((stored, shape)))
    }
}

impl Source for Gguf {
    fn get(&mut self, name: &str) -> Result<Option<(Stored, Vec<usize>)>, LoadError> {
        match own_name(name) {
            Some(own) => self.read(&own),
            None => Ok(None),
        }
    }

    fn unread(&self) -> Vec<String> {
        self.unread.iter().cloned().collect()
    }
}

/// What a weight is called in a GGUF file.
pub(crate) fn own_name(name: &str) -> Option<String> {
    match name {
        "model.embed_tokens.weight" => return Some("token_embd.weight".into()),
        "model.norm.weight" => return Some("output_norm.weight".into()),
        "lm_head.weight" => return Some("output.weight".into()),
        _ => {}
    }
    let (index, rest) = name.strip_prefix("model.layers.")?.split_once('.')?;
    let (part, kind) = rest.rsplit_once('.')?;
    let own = match part {
        "self_attn.q_proj" => "attn_q",
        "self_attn.k_proj" => "attn_k",
        "self_attn.v_proj" => "attn_v",
        "self_attn.o_proj" => "attn_output",
        "self_attn.q_norm" => "attn_q_norm",
        "self_attn.k_norm" => "attn_k_norm",
        "mlp.gate_proj" => "ffn_gate",
        "mlp.up_proj" => "ffn_up",
        "mlp.down_proj" => "ffn_down",
        "input_layernorm" => "attn_norm",
        "post_attention_layernorm" => "ffn_norm",
        _ => return None,
    };
    Some(format!("blk.{index}.{own}.{kind}"))
}
