//! The decoder on the processor: one forward pass over any mix of rows with this crate's kernels.

use super::config::Config;
use super::decoder::{Backend, Layer, Row, Weights};
use super::error::LoadError;
use super::kernels::attention::{Attention, LANES};
use super::kernels::{Tier, pool};
use super::kv::Kv;
use super::linear::Linear;

/// A model with room for some sequences, in the process's memory.
pub(crate) struct Cpu {
    config: Config,
    weights: Weights<Linear>,
    slots: Vec<Kv>,
    tier: Tier,
}

impl Cpu {
    /// With room for so many sequences of so many tokens.
    pub(crate) fn new(
        config: Config,
        weights: Weights<Linear>,
        slots: usize,
        context: usize,
    ) -> Result<Self, LoadError> {
        let slots = (0..slots).map(|_| Kv::new(&config, context)).collect::<Result<_, _>>()?;
        Ok(Self { config, weights, slots, tier: Tier::best() })
    }
}

impl Backend for Cpu {
    fn config(&self) -> &Config {
        &self.config
    }

    fn bytes_per_pass(&self) -> usize {
        self.weights.bytes_per_pass(Linear::bytes)
    }

    fn forward(&mut self, rows: &[Row], logits: &mut Vec<f32>) -> candle_core::Result<()> {
        let mut pass = Pass::new(self, rows)?;
        for layer in 0..self.config.layers {
            pass.attend(self, layer)?;
            pass.feed(&self.weights.layers[layer], self.tier)?;
        }
        pass.logits(self, logits)
    }

    fn copy(&mut self, from: usize, to: usize, tokens: usize) -> candle_core::Result<()> {
        if let Ok([from, to]) = self.slots.get_disjoint_mut([from, to]) {
            to.copy_from(from, tokens);
        }
        Ok(())
    }

    /// Nothing is read here of what a sequence has not written itself.
    fn forget(&mut self, _slot: usize) -> candle_core::Result<()> {
        Ok(())
    }
}

/// What one pass works with; every matrix is `[row][…]`.
struct Pass<'a> {
    rows: &'a [Row],
    hidden: usize,
    epsilon: f32,
    /// The residual stream.
    x: Vec<f32>,
    /// What a part of a block reads.
    normal: Vec<f32>,
    /// What it adds.
    added: Vec<f32>,
    qkv: Vec<f32>,
    attended: Vec<f32>,
    gate_up: Vec<f32>,
    gated: Vec<f32>,
    angles: Vec<(f32, f32)>,
}

impl<'a> Pass<'a> {
    fn new(decoder: &Cpu, rows: &'a [Row]) -> candle_core::Result<Self> {
        let (config, count) = (&decoder.config, rows.len());
        let zeros = |width: usize| vec![0f32; count * width];
        let mut x = zeros(config.hidden);
        for (row, x) in rows.iter().zip(x.chunks_exact_mut(config.hidden)) {
            decoder.weights.embedding.row(row.token as usize, x)?;
        }
        let queries = config.heads * config.head_dim;
        Ok(Self {
            rows,
            hidden: config.hidden,
            epsilon: config.epsilon,
            x,
            normal: zeros(config.hidden),
            added: zeros(config.hidden),
            qkv: zeros(queries + 2 * config.kv_width()),
            attended: zeros(queries),
            gate_up: zeros(2 * config.feed_forward),
            gated: zeros(config.feed_forward),
            angles: rows.iter().flat_map(|row| config.rope.angles(row.position)).collect(),
        })
    }

    fn normalise(&mut self, weight: &[f32], tier: Tier) {
        let (x, hidden, epsilon) = (&self.x, self.hidden, self.epsilon);
        each_row(&mut self.normal, hidden, |row, out| {
            tier.normalise(&x[row * hidden..][..hidden], weight, epsilon, out);
        });
    }

    fn add(&mut self) {
        for (x, added) in self.x.iter_mut().zip(&self.added) {
            *x += added;
        }
    }

    /// The attention part of a block.
    fn attend(&mut self, decoder: &mut Cpu, index: usize) -> candle_core::Result<()> {
        let (layer, config, tier) = (&decoder.weights.layers[index], &decoder.config, decoder.tier);
        self.normalise(&layer.attention_norm, tier);
        layer.qkv.apply(&self.normal, &mut self.qkv)?;
        self.shape_heads(layer, config, tier);
        let (queries, width) = (config.heads * config.head_dim, config.kv_width());
        for (row, qkv) in self.rows.iter().zip(self.qkv.chunks_exact(queries + 2 * width)) {
            let (keys, values) = qkv[queries..].split_at(width);
            decoder.slots[row.slot].write(index, row.position, keys, values);
        }
        let look = Look { rows: self.rows, qkv: &self.qkv, config, slots: &decoder.slots, layer: index, tier };
        look.all(&mut self.attended);
        layer.output.apply(&self.attended, &mut self.added)?;
        self.add();
        Ok(())
    }

    /// Biases, norms of single heads, positions, and the scale of the queries.
    fn shape_heads(&mut self, layer: &Layer<Linear>, config: &Config, tier: Tier) {
        let (dim, half) = (config.head_dim, config.head_dim / 2);
        let turned = config.heads + config.kv_heads;
        let scale = 1.0 / (dim as f32).sqrt();
        let (angles, epsilon) = (&self.angles, self.epsilon);
        each_row(&mut self.qkv, (turned + config.kv_heads) * dim, |row, qkv| {
            for (x, bias) in qkv.iter_mut().zip(layer.bias.iter().flatten()) {
                *x += bias;
            }
            let mut plain = vec![0f32; dim];
            for (index, head) in qkv.chunks_exact_mut(dim).take(turned).enumerate() {
                let query = index < config.heads;
                if let Some(norm) = if query { &layer.query_norm } else { &layer.key_norm } {
                    plain.copy_from_slice(head);
                    tier.normalise(&plain, norm, epsilon, head);
                }
                config.rope.turn(head, &angles[row * half..][..half]);
                if query {
                    head.iter_mut().for_each(|x| *x *= scale);
                }
            }
        });
    }

    /// The feed-forward part of a block.
    fn feed(&mut self, layer: &Layer<Linear>, tier: Tier) -> candle_core::Result<()> {
        self.normalise(&layer.feed_norm, tier);
        layer.gate_up.apply(&self.normal, &mut self.gate_up)?;
        let gate_up = &self.gate_up;
        let width = self.gated.len() / self.rows.len().max(1);
        each_row(&mut self.gated, width, |row, out| {
            let (gate, up) = gate_up[row * 2 * width..][..2 * width].split_at(width);
            tier.gate(gate, up, out);
        });
        layer.down.apply(&self.gated, &mut self.added)?;
        self.add();
        Ok(())
    }

    fn logits(mut self, decoder: &Cpu, logits: &mut Vec<f32>) -> candle_core::Result<()> {
        let hidden = self.hidden;
        let wanted = self.rows.iter().zip(self.x.chunks_exact(hidden)).filter(|(row, _)| row.logits);
        self.x = wanted.flat_map(|(_, x)| x).copied().collect();
        self.normal.truncate(self.x.len());
        self.normalise(&decoder.weights.norm, decoder.tier);
        logits.resize(self.x.len() / hidden * decoder.config.vocabulary, 0.0);
        if logits.is_empty() { Ok(()) } else { decoder.weights.head().apply(&self.normal, logits) }
    }
}

/// The queries of a pass, looking at keys and values of one layer.
struct Look<'a> {
    rows: &'a [Row],
    qkv: &'a [f32],
    config: &'a Config,
    slots: &'a [Kv],
    layer: usize,
    tier: Tier,
}

impl Look<'_> {
    /// All heads of all rows; `out` is `[row][query head][dimension]`.
    fn all(&self, out: &mut [f32]) {
        let config = self.config;
        let (dim, width) = (config.head_dim, config.heads * config.head_dim);
        let shared = config.heads / config.kv_heads;
        // Consecutive rows of one sequence go together as far as there are lanes: they read the same keys.
        let together = (LANES / shared).max(1);
        let mut spans = Vec::new();
        let mut from = 0;
        while from < self.rows.len() {
            let first = self.rows[from];
            let follows = |(index, row): &(usize, &Row)| {
                row.slot == first.slot && row.position == first.position + index && *index < together
            };
            let count = self.rows[from..].iter().enumerate().take_while(follows).count();
            spans.push(from..from + count);
            from += count;
        }
        // A span's lanes lie scattered over its rows, so units gather theirs and one thread puts them in place.
        let per_span = config.kv_heads * shared.div_ceil(LANES);
        let mut found = vec![0f32; spans.len() * per_span * LANES * dim];
        pool::pieces(&mut found, LANES * dim, |unit, found| {
            let (span, part) = (&spans[unit / per_span], unit % per_span);
            self.unit(span.clone(), part, found);
        });
        for (unit, found) in found.chunks_exact(LANES * dim).enumerate() {
            for (lane, head, row) in self.lanes(&spans[unit / per_span], unit % per_span) {
                out[row * width + head * dim..][..dim].copy_from_slice(&found[lane * dim..][..dim]);
            }
        }
    }

    /// Lane, query head and row of one unit: the query heads of a key head, or [`LANES`] of them, for a span of rows.
    fn lanes(&self, span: &std::ops::Range<usize>, part: usize) -> impl Iterator<Item = (usize, usize, usize)> + use<> {
        let shared = self.config.heads / self.config.kv_heads;
        let parts = shared.div_ceil(LANES);
        let (kv_head, from) = (part / parts, part % parts * LANES);
        let heads = shared.min(from + LANES) - from;
        let span = span.clone();
        (0..heads * span.len())
            .map(move |lane| (lane, kv_head * shared + from + lane % heads, span.start + lane / heads))
    }

    fn unit(&self, span: std::ops::Range<usize>, part: usize, out: &mut [f32]) {
        let config = self.config;
        let dim = config.head_dim;
        let row_width = (config.heads + 2 * config.kv_heads) * dim;
        let kv_head = part / (config.heads / config.kv_heads).div_ceil(LANES);
        let (keys, values) = self.slots[self.rows[span.start].slot].of(self.layer, kv_head);
        let mut queries = vec![0f32; LANES * dim];
        let mut seen = [0; LANES];
        for (lane, head, row) in self.lanes(&span, part) {
            queries[lane * dim..][..dim].copy_from_slice(&self.qkv[row * row_width + head * dim..][..dim]);
            seen[lane] = self.rows[row].position + 1;
        }
        let attention = Attention { queries: &queries, seen, keys, values, dimensions: dim };
        self.tier.attend(&attention, &mut Vec::new(), out);
    }
}

/// Runs the work on every row; on all threads where there are many.
fn each_row(matrix: &mut [f32], width: usize, work: impl Fn(usize, &mut [f32]) + Sync) {
    if matrix.len() < 8 * width {
        for (row, piece) in matrix.chunks_exact_mut(width).enumerate() {
            work(row, piece);
        }
    } else {
        pool::pieces(matrix, width, work);
    }
}
