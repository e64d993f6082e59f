//! The decoder with candle's tensors, on any device that candle has: what runs on a GPU. The stream between blocks, norms,
//! positions and scores are f32; matrices are multiplied in the kind in which they are kept; keys and values are f16.
//!
//! - `matrix.rs`: matrices on a device
//! - `groups.rs`: which rows look at keys and values together
//! - `cache.rs`: keys and values of one layer; `attention.rs`: looking at them
//! - `heads.rs`: norms and positions
//!
//! Unlike the kernels, products of a device may add up in another order for another number of rows: logits of a text
//! agree within rounding whatever company it is in, not to the bit.

mod attention;
mod cache;
mod groups;
mod heads;
mod matrix;

use candle_core::{DType, Device, Result, Tensor};

use super::config::Config;
use super::decoder::{Backend, Layer, Row, Weights};
use super::error::LoadError;
use super::weights::{self, Form, Source};
use attention::Looks;
use cache::Cache;
use heads::{Angles, normalise};
use matrix::{Make, Matrix};

/// A model with room for some sequences, on a device.
pub(crate) struct Tensors {
    config: Config,
    device: Device,
    weights: Weights<Matrix, Tensor>,
    /// One for each layer.
    caches: Vec<Cache>,
}

impl Tensors {
    /// Puts weights on the device, and takes room there for keys and values of `slots` sequences of `context` tokens.
    pub(crate) fn load(
        config: Config,
        source: &mut dyn Source,
        form: Form,
        room: (usize, usize),
        device: Device,
    ) -> std::result::Result<Self, LoadError> {
        let weights = weights::load(&config, source, &Make { form, device: device.clone() })?;
        let kind = if form == Form::F32 { DType::F32 } else { DType::F16 };
        let cache = |_| Cache::new(&config, room, kind, &device);
        let caches = (0..config.layers).map(cache).collect::<Result<_>>()?;
        Ok(Self { config, device, weights, caches })
    }

    /// The attention part of a block: what it adds to `x`.
    fn attend(&self, index: usize, x: &Tensor, pass: &Pass) -> Result<Tensor> {
        let (layer, cache, config) = (&self.weights.layers[index], &self.caches[index], &self.config);
        let rows = x.dim(0)?;
        let normal = normalise(x, &layer.attention_norm, config.epsilon)?;
        let qkv = added(layer.qkv.apply(&normal)?, layer.bias.as_ref())?;
        let part = |from: usize, heads: usize| {
            qkv.narrow(1, from * config.head_dim, heads * config.head_dim)?.reshape((rows, heads, config.head_dim))
        };
        let shaped = |heads: Tensor, norm: &Option<Tensor>| {
            let heads = norm.as_ref().map_or(Ok(heads.clone()), |norm| normalise(&heads, norm, config.epsilon))?;
            pass.angles.turn(&heads)
        };
        let queries = shaped(part(0, config.heads)?, &layer.query_norm)?;
        let keys = shaped(part(config.heads, config.kv_heads)?, &layer.key_norm)?;
        let values = part(config.heads + config.kv_heads, config.kv_heads)?;
        cache.write(&pass.looks.writes, &keys, &values)?;
        let queries = (queries / (config.head_dim as f64).sqrt())?;
        layer.output.apply(&pass.looks.look(&queries, cache)?)
    }

    /// The feed-forward part of a block: what it adds to `x`.
    fn feed(&self, layer: &Layer<Matrix, Tensor>, x: &Tensor) -> Result<Tensor> {
        let (normal, width) = (normalise(x, &layer.feed_norm, self.config.epsilon)?, self.config.feed_forward);
        let both = layer.gate_up.apply(&normal)?;
        let gated = (both.narrow(1, 0, width)?.silu()? * both.narrow(1, width, width)?)?;
        layer.down.apply(&gated)
    }
}

/// What all layers of one pass share.
struct Pass {
    angles: Angles,
    looks: Looks,
}

impl Backend for Tensors {
    fn config(&self) -> &Config {
        &self.config
    }

    fn bytes_per_pass(&self) -> usize {
        self.weights.bytes_per_pass(Matrix::bytes)
    }

    fn forward(&mut self, rows: &[Row], logits: &mut Vec<f32>) -> Result<()> {
        logits.clear();
        if rows.is_empty() {
            return Ok(());
        }
        let pass = Pass {
            angles: Angles::new(&self.config.rope, rows, &self.device)?,
            looks: Looks::new(rows, &self.caches[0], &self.device)?,
        };
        let ids: Vec<u32> = rows.iter().map(|row| row.token).collect();
        let mut x = self.weights.embedding.rows(&Tensor::new(ids, &self.device)?)?;
        for (index, layer) in self.weights.layers.iter().enumerate() {
            x = (&x + self.attend(index, &x, &pass)?)?;
            x = (&x + self.feed(layer, &x)?)?;
        }
        let wanted: Vec<usize> = (0..rows.len()).filter(|index| rows[*index].logits).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let last = x.index_select(&indices(&wanted, &self.device)?, 0)?;
        let normal = normalise(&last, &self.weights.norm, self.config.epsilon)?;
        *logits = self.weights.head().apply(&normal)?.flatten_all()?.to_vec1()?;
        Ok(())
    }

    fn copy(&mut self, from: usize, to: usize, tokens: usize) -> Result<()> {
        self.caches.iter().try_for_each(|cache| cache.copy(from, to, tokens))
    }

    /// Keys and values beyond a sequence's own are multiplied by zero here, which no NaN withstands.
    fn forget(&mut self, slot: usize) -> Result<()> {
        self.caches.iter().try_for_each(|cache| cache.clear(slot))
    }
}

/// Indices on a device.
fn indices(indices: &[usize], device: &Device) -> Result<Tensor> {
    let indices = indices.iter().map(|index| u32::try_from(*index)).collect::<std::result::Result<Vec<_>, _>>();
    Tensor::new(indices.map_err(candle_core::Error::wrap)?, device)
}

fn added(x: Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    match bias {
        Some(bias) => x.broadcast_add(bias),
        None => Ok(x),
    }
}

/// Bytes that a pass takes beside weights and caches, at most, roughly: scores of a group of rows in a few steps, and
/// what a thousand rows need on their way through a block.
pub(crate) fn working_bytes(config: &Config, context: usize) -> usize {
    const STEPS: usize = 4;
    const ROWS: usize = 1024;
    let scores = config.heads * groups::PIECE * context;
    let widened = config.kv_width() * context;
    let stream = ROWS * (config.hidden + 3 * config.feed_forward + config.heads * config.head_dim);
    size_of::<f32>() * STEPS * (scores + widened + stream)
}
