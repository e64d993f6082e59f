//! From files to the weights of a decoder: names, shapes, and the forms in which matrices are multiplied.

mod gguf;
mod safetensors;

use std::path::Path;
use std::sync::Arc;

use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{Device, Shape, Tensor};
use half::{bf16, f16};

use super::config::Config;
use super::decoder::{Layer, Weights};
use super::error::LoadError;
use super::kernels::blocks::Kind;
use super::kernels::dense::{Bf16, F16};
use super::kernels::memory::Buffer;
use super::linear::{Blocks, Dense, Linear, Part, no_memory};

pub(crate) use gguf::{Gguf, own_name as gguf_name};
pub(crate) use safetensors::Safetensors;

/// In which form weights are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Form {
    /// As the file has them.
    #[default]
    Stored,
    /// Rounded to 8 bits: half the memory of 16-bit weights, and faster.
    Q8,
    /// Widened to f32: an oracle for tests.
    F32,
}

/// One weight of a file, as it is stored.
pub(crate) enum Stored {
    F32(Vec<f32>),
    F16(Vec<u16>),
    Bf16(Vec<u16>),
    /// Rows of blocks for which there is a kernel.
    Blocks(Kind, Vec<u8>),
    /// Anything else that candle reads.
    Candle(Arc<QTensor>),
}

/// Where weights come from, under Hugging Face's names.
pub(crate) trait Source {
    /// A weight and its shape; none where the file has none of this name.
    fn get(&mut self, name: &str) -> Result<Option<(Stored, Vec<usize>)>, LoadError>;

    /// Names that nobody has asked for.
    fn unread(&self) -> Vec<String>;
}

/// Makes of weights as they are stored what a backend computes with.
pub(crate) trait Maker {
    type Matrix;
    type Vector;

    /// One matrix of parts of one width, one below the other; part `i` has `outputs[i]` rows.
    fn matrix(&self, parts: Vec<Stored>, outputs: &[usize], width: usize) -> Result<Self::Matrix, LoadError>;

    fn vector(&self, numbers: Vec<f32>) -> Result<Self::Vector, LoadError>;
}

/// For the kernels of this crate.
impl Maker for Form {
    type Matrix = Linear;
    type Vector = Vec<f32>;

    fn matrix(&self, parts: Vec<Stored>, outputs: &[usize], width: usize) -> Result<Linear, LoadError> {
        let parts = parts.into_iter().zip(outputs).map(|(part, outputs)| part.formed(*self, (*outputs, width)));
        join(parts.collect::<Result<_, _>>()?, outputs, width)
    }

    fn vector(&self, numbers: Vec<f32>) -> Result<Vec<f32>, LoadError> {
        Ok(numbers)
    }
}

/// Reads all weights of a decoder.
pub(crate) fn load<K: Maker>(
    config: &Config,
    source: &mut dyn Source,
    maker: &K,
) -> Result<Weights<K::Matrix, K::Vector>, LoadError> {
    let mut reader = Reader { source, maker };
    let embedding = reader.matrix(&["model.embed_tokens.weight"], &[config.vocabulary], config.hidden)?;
    let head = if config.tied {
        // Some files hold the embedding twice.
        reader.source.get("lm_head.weight")?;
        None
    } else {
        Some(reader.matrix(&["lm_head.weight"], &[config.vocabulary], config.hidden)?)
    };
    let norm = reader.vector("model.norm.weight", config.hidden)?;
    let layers = (0..config.layers).map(|index| reader.layer(config, index)).collect::<Result<_, _>>()?;
    // A part that this decoder does not compute would make it another model.
    if let Some(name) = reader.source.unread().first() {
        return Err(LoadError::Unsupported(format!("it has a weight {name}")));
    }
    Ok(Weights { embedding, head, norm, layers })
}

struct Reader<'a, K> {
    source: &'a mut dyn Source,
    maker: &'a K,
}

impl<K: Maker> Reader<'_, K> {
    fn layer(&mut self, config: &Config, index: usize) -> Result<Layer<K::Matrix, K::Vector>, LoadError> {
        let name = |rest: &str| format!("model.layers.{index}.{rest}");
        let (queries, width) = (config.heads * config.head_dim, config.kv_width());
        let projections = ["q", "k", "v"];
        let outputs = [queries, width, width];
        let names = projections.map(|p| name(&format!("self_attn.{p}_proj.weight")));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let qkv = self.matrix(&names, &outputs, config.hidden)?;
        let mut bias = Vec::new();
        for (p, outputs) in projections.iter().zip(outputs) {
            bias.extend(self.numbers(&name(&format!("self_attn.{p}_proj.bias")), outputs)?);
        }
        let bias = match bias.iter().map(Vec::len).sum::<usize>() {
            0 => None,
            length if length == queries + 2 * width => Some(self.maker.vector(bias.concat())?),
            _ => return Err(LoadError::Missing(name("self_attn.{q,k,v}_proj.bias, one of them"))),
        };
        let feed = config.feed_forward;
        let (gate, up) = (name("mlp.gate_proj.weight"), name("mlp.up_proj.weight"));
        Ok(Layer {
            qkv,
            bias,
            query_norm: self.optional(&name("self_attn.q_norm.weight"), config.head_dim)?,
            key_norm: self.optional(&name("self_attn.k_norm.weight"), config.head_dim)?,
            output: self.matrix(&[&name("self_attn.o_proj.weight")], &[config.hidden], queries)?,
            gate_up: self.matrix(&[&gate, &up], &[feed, feed], config.hidden)?,
            down: self.matrix(&[&name("mlp.down_proj.weight")], &[config.hidden], feed)?,
            attention_norm: self.vector(&name("input_layernorm.weight"), config.hidden)?,
            feed_norm: self.vector(&name("post_attention_layernorm.weight"), config.hidden)?,
        })
    }

    fn vector(&mut self, name: &str, length: usize) -> Result<K::Vector, LoadError> {
        self.optional(name, length)?.ok_or_else(|| LoadError::Missing(name.into()))
    }

    fn optional(&mut self, name: &str, length: usize) -> Result<Option<K::Vector>, LoadError> {
        self.numbers(name, length)?.map(|numbers| self.maker.vector(numbers)).transpose()
    }

    fn numbers(&mut self, name: &str, length: usize) -> Result<Option<Vec<f32>>, LoadError> {
        let Some((stored, shape)) = self.source.get(name)? else { return Ok(None) };
        if shape != [length] {
            return Err(LoadError::Shape { name: name.into(), found: shape, expected: vec![length] });
        }
        stored.numbers().map(Some)
    }

    /// Matrices of one width, one below the other.
    fn matrix(&mut self, names: &[&str], outputs: &[usize], width: usize) -> Result<K::Matrix, LoadError> {
        let mut parts = Vec::new();
        for (name, outputs) in names.iter().zip(outputs) {
            let (stored, shape) = self.source.get(name)?.ok_or_else(|| LoadError::Missing((*name).into()))?;
            let expected = vec![*outputs, width];
            if shape != expected {
                return Err(LoadError::Shape { name: (*name).into(), found: shape, expected });
            }
            parts.push(stored);
        }
        self.maker.matrix(parts, outputs, width)
    }
}

impl Stored {
    /// Its numbers as f32.
    pub(crate) fn numbers(self) -> Result<Vec<f32>, LoadError> {
        Ok(match self {
            Self::F32(numbers) => numbers,
            Self::F16(bits) => bits.into_iter().map(|bits| f16::from_bits(bits).to_f32()).collect(),
            Self::Bf16(bits) => bits.into_iter().map(|bits| bf16::from_bits(bits).to_f32()).collect(),
            Self::Blocks(kind, bytes) => {
                let dtype = ggml(kind);
                let count = bytes.len() / dtype.type_size() * dtype.block_size();
                blocks(kind, bytes, count)?.dequantize(&Device::Cpu)?.to_vec1()?
            }
            Self::Candle(tensor) => tensor.dequantize(&Device::Cpu)?.flatten_all()?.to_vec1()?,
        })
    }

    /// In the form in which it is to be kept; what has no form in blocks stays as it is.
    ///
    /// Blocks for which there is no kernel become blocks of 8 bits: candle would keep them twice, once rearranged, which
    /// takes more memory than 8 bits, and its products are slower.
    fn formed(self, form: Form, (outputs, width): (usize, usize)) -> Result<Self, LoadError> {
        let fits = Part::fits(Kind::Q8, outputs, width);
        match (form, self) {
            (Form::F32, stored) => stored.numbers().map(Self::F32),
            (_, Self::Candle(tensor)) if fits => rounded(&tensor, outputs),
            (Form::Q8, stored @ (Self::F32(_) | Self::F16(_) | Self::Bf16(_))) if fits => {
                let tensor = Tensor::from_vec(stored.numbers()?, (outputs, width), &Device::Cpu)?;
                Ok(Self::Blocks(Kind::Q8, QTensor::quantize(&tensor, GgmlDType::Q8_0)?.data()?.into_owned()))
            }
            (_, stored) => Ok(stored),
        }
    }
}

/// Rounds blocks of another kind to 8 bits, some rows at a time: a wide copy of an embedding would be the largest thing
/// in memory.
fn rounded(tensor: &QTensor, outputs: usize) -> Result<Stored, LoadError> {
    const ROWS: usize = 4096;
    let mut bytes = Vec::new();
    for from in (0..outputs).step_by(ROWS) {
        let to = outputs.min(from + ROWS);
        let ids = Tensor::arange(from as u32, to as u32, &Device::Cpu)?;
        let rows = QTensor::quantize(&tensor.embedding(&ids)?, GgmlDType::Q8_0)?;
        bytes.extend_from_slice(&rows.data()?);
    }
    Ok(Stored::Blocks(Kind::Q8, bytes))
}

/// What candle calls a kind.
fn ggml(kind: Kind) -> GgmlDType {
    match kind {
        Kind::Q8 => GgmlDType::Q8_0,
        Kind::Q6 => GgmlDType::Q6K,
        Kind::Q4 => GgmlDType::Q4K,
    }
}

/// Blocks as candle has them.
fn blocks(kind: Kind, bytes: Vec<u8>, shape: impl Into<Shape>) -> Result<QTensor, LoadError> {
    Ok(QTensor::new(QStorage::from_data(bytes.into(), &Device::Cpu, ggml(kind))?, shape)?)
}

/// One matrix from parts that lie one below the other.
fn join(parts: Vec<Stored>, each: &[usize], width: usize) -> Result<Linear, LoadError> {
    let outputs: usize = each.iter().sum();
    let shape = (outputs, width);
    let fits =
        |part: &Stored, outputs: usize| matches!(part, Stored::Blocks(kind, _) if Part::fits(*kind, outputs, width));
    if parts.iter().zip(each).all(|(part, outputs)| fits(part, *outputs)) {
        let packed = parts.into_iter().zip(each).filter_map(|(part, outputs)| part.packed((*outputs, width)));
        return Ok(Linear::Blocks(Blocks::new(packed.collect::<Result<_, _>>()?, width)));
    }
    if parts.iter().all(|part| matches!(part, Stored::Candle(_) | Stored::Blocks(..))) {
        let parts = parts.into_iter().zip(each).map(|(part, outputs)| part.tensor((*outputs, width)));
        return Ok(Linear::Candle { parts: parts.collect::<Result<_, _>>()?, outputs, width });
    }
    if !width.is_multiple_of(16) {
        return Err(LoadError::Unsupported(format!("a matrix {width} wide, which is no multiple of 16")));
    }
    if parts.iter().all(|part| matches!(part, Stored::F16(_))) {
        return Ok(Linear::F16(Dense::new(halves(parts, outputs * width, F16)?, shape)));
    }
    if parts.iter().all(|part| matches!(part, Stored::Bf16(_))) {
        return Ok(Linear::Bf16(Dense::new(halves(parts, outputs * width, Bf16)?, shape)));
    }
    let mut numbers = Vec::new();
    for part in parts {
        numbers.extend(part.numbers()?);
    }
    Ok(Linear::F32(Dense::new(Buffer::copied(numbers.into_iter()).ok_or_else(no_memory)?, shape)))
}

/// The bits of 16-bit parts, one after the other.
fn halves<E: super::kernels::memory::Plain>(
    parts: Vec<Stored>,
    length: usize,
    wrap: impl Fn(u16) -> E,
) -> Result<Buffer<E>, LoadError> {
    let mut buffer = Buffer::zeroed(length).ok_or_else(no_memory)?;
    let bits = parts.into_iter().filter_map(|part| match part {
        Stored::F16(bits) | Stored::Bf16(bits) => Some(bits),
        Stored::F32(_) | Stored::Blocks(..) | Stored::Candle(_) => None,
    });
    for (to, bits) in buffer.iter_mut().zip(bits.flatten()) {
        *to = wrap(bits);
    }
    Ok(buffer)
}

impl Stored {
    /// As this crate multiplies it; none where it is not in blocks.
    fn packed(self, shape: (usize, usize)) -> Option<Result<Part, LoadError>> {
        match self {
            Self::Blocks(kind, bytes) => Some(Part::pack(kind, &bytes, shape)),
            Self::F32(_) | Self::F16(_) | Self::Bf16(_) | Self::Candle(_) => None,
        }
    }

    /// As candle multiplies it.
    pub(crate) fn tensor(self, shape: (usize, usize)) -> Result<Arc<QTensor>, LoadError> {
        match self {
            Self::Candle(tensor) => Ok(tensor),
            Self::Blocks(kind, bytes) => Ok(Arc::new(blocks(kind, bytes, shape)?)),
            Self::F32(_) | Self::F16(_) | Self::Bf16(_) => {
                Err(LoadError::Unsupported("a matrix of two kinds of weights".into()))
            }
        }
    }
}

/// The size of what lies at a path, in bytes: a file's, or that of the weights in a folder.
pub(crate) fn size(path: &Path) -> u64 {
    let length = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    if path.is_file() {
        return length(path);
    }
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter(|path| path.extension().is_some_and(|ext| ext == "safetensors")).map(|path| length(&path)).sum()
}
