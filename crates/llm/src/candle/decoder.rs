//! One forward pass over any mix of rows: the tokens of a chunk of a prompt and the next tokens of other sequences go
//! through the weights together. What computes it is a [`Backend`]; what it is made of, all of them share.

use std::slice::ChunksExact;

use super::config::Config;

/// One token at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Which sequence.
    pub slot: usize,
    /// Where in it; all earlier positions were computed before, or stand earlier in the same pass.
    pub position: usize,
    /// Which token; below the vocabulary's size.
    pub token: u32,
    /// Whether the logits of what follows are wanted.
    pub logits: bool,
}

/// The weights of one block; `M` is a matrix and `V` a vector, in the forms in which a backend computes with them.
pub(crate) struct Layer<M, V = Vec<f32>> {
    /// Queries, keys and values beside each other.
    pub(crate) qkv: M,
    /// Of queries, keys and values.
    pub(crate) bias: Option<V>,
    pub(crate) query_norm: Option<V>,
    pub(crate) key_norm: Option<V>,
    pub(crate) output: M,
    /// Gate and up beside each other.
    pub(crate) gate_up: M,
    pub(crate) down: M,
    pub(crate) attention_norm: V,
    pub(crate) feed_norm: V,
}

/// All weights of a model.
pub(crate) struct Weights<M, V = Vec<f32>> {
    pub(crate) embedding: M,
    /// Unset where the embedding is the last layer too.
    pub(crate) head: Option<M>,
    pub(crate) norm: V,
    pub(crate) layers: Vec<Layer<M, V>>,
}

impl<M, V> Weights<M, V> {
    /// The last layer.
    pub(crate) fn head(&self) -> &M {
        self.head.as_ref().unwrap_or(&self.embedding)
    }

    /// Bytes of matrices that one pass reads.
    pub(crate) fn bytes_per_pass(&self, bytes: impl Fn(&M) -> usize) -> usize {
        let matrices = |layer: &Layer<M, V>| {
            [&layer.qkv, &layer.output, &layer.gate_up, &layer.down].into_iter().map(&bytes).sum::<usize>()
        };
        self.layers.iter().map(matrices).sum::<usize>() + bytes(self.head())
    }
}

/// What computes passes and keeps keys and values: this crate's kernels, or candle's tensors on a device. It is asked
/// for rows within its room only.
pub(crate) trait Backend: Send {
    fn config(&self) -> &Config;

    /// Bytes of weights that one pass reads.
    fn bytes_per_pass(&self) -> usize;

    /// Computes the rows and puts the logits of those that want them into `logits`, `[row][token]`.
    fn forward(&mut self, rows: &[Row], logits: &mut Vec<f32>) -> candle_core::Result<()>;

    /// Takes over the first tokens of another sequence.
    fn copy(&mut self, from: usize, to: usize, tokens: usize) -> candle_core::Result<()>;

    /// Takes care that nothing of what a slot holds, numbers or not, reaches the sequence that comes next.
    fn forget(&mut self, slot: usize) -> candle_core::Result<()>;
}

/// A model with room for some sequences.
pub struct Decoder {
    backend: Box<dyn Backend>,
    slots: usize,
    context: usize,
    /// Of the last pass; kept, since fresh memory for a large vocabulary would cost a pass a tenth of its time.
    logits: Vec<f32>,
}

impl Decoder {
    /// Around a backend with room for so many sequences of so many tokens.
    pub(crate) fn new(backend: impl Backend + 'static, slots: usize, context: usize) -> Self {
        Self { backend: Box::new(backend), slots, context, logits: Vec::new() }
    }

    /// The model's shape.
    #[must_use]
    pub fn config(&self) -> &Config {
        self.backend.config()
    }

    /// Sequences that there is room for.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// Tokens that a sequence has room for.
    #[must_use]
    pub fn context(&self) -> usize {
        self.context
    }

    /// Bytes of weights that one pass reads.
    #[must_use]
    pub fn bytes_per_pass(&self) -> usize {
        self.backend.bytes_per_pass()
    }

    /// Takes over the first tokens of another sequence.
    pub(crate) fn copy(&mut self, from: usize, to: usize, tokens: usize) -> candle_core::Result<()> {
        self.backend.copy(from, to, tokens)
    }

    /// Forgets what a slot holds; needed after a pass that failed or gave no numbers.
    pub(crate) fn forget(&mut self, slot: usize) -> candle_core::Result<()> {
        self.backend.forget(slot)
    }

    /// Computes the rows; gives the logits of those that want them, in their order, each as long as the vocabulary.
    ///
    /// Rows of one slot stand in ascending order of position.
    ///
    /// # Errors
    /// A row outside the slots, the context or the vocabulary; whatever candle's products fail of.
    pub fn forward(&mut self, rows: &[Row]) -> candle_core::Result<ChunksExact<'_, f32>> {
        let vocabulary = self.config().vocabulary;
        let outside =
            |row: &Row| row.slot >= self.slots || row.position >= self.context || row.token as usize >= vocabulary;
        if rows.iter().any(outside) {
            return Err(candle_core::Error::msg("a row is outside the slots, the context or the vocabulary"));
        }
        self.backend.forward(rows, &mut self.logits)?;
        Ok(self.logits.chunks_exact(vocabulary))
    }
}
