//! Keys and values of one sequence, f16, for each layer and head; laid out as `kernels/attention.rs` reads them.

use half::f16;

use super::config::Config;
use super::error::LoadError;
use super::kernels::attention::POSITIONS;
use super::linear::no_memory;

/// Keys and values of one sequence. Memory that no token has reached yet is not taken from the system.
pub(crate) struct Kv {
    /// `[layer][head]` of tiles.
    keys: Vec<u16>,
    /// `[layer][head]` of rows.
    values: Vec<u16>,
    kv_heads: usize,
    head_dim: usize,
    /// Positions, a multiple of a tile's.
    room: usize,
}

impl Kv {
    /// Room for so many tokens.
    pub(crate) fn new(config: &Config, tokens: usize) -> Result<Self, LoadError> {
        let room = tokens.next_multiple_of(POSITIONS);
        let length = config.layers * config.kv_width() * room;
        let zeros = || {
            let mut numbers: Vec<u16> = Vec::new();
            numbers.try_reserve_exact(length).map_err(|_| no_memory())?;
            // A vector of zeros comes from the system as zeros, untouched.
            Ok::<_, LoadError>(vec![0u16; length])
        };
        Ok(Self { keys: zeros()?, values: zeros()?, kv_heads: config.kv_heads, head_dim: config.head_dim, room })
    }

    fn head(&self, layer: usize, head: usize) -> std::ops::Range<usize> {
        let size = self.room * self.head_dim;
        let at = (layer * self.kv_heads + head) * size;
        at..at + size
    }

    /// Keys and values of a head.
    pub(crate) fn of(&self, layer: usize, head: usize) -> (&[u16], &[u16]) {
        let range = self.head(layer, head);
        (&self.keys[range.clone()], &self.values[range])
    }

    /// Writes one row's keys and values of all heads.
    pub(crate) fn write(&mut self, layer: usize, position: usize, keys: &[f32], values: &[f32]) {
        let dimensions = self.head_dim;
        for head in 0..self.kv_heads {
            let at = self.head(layer, head).start;
            let tile = at + position / POSITIONS * POSITIONS * dimensions + position % POSITIONS;
            for (i, key) in keys[head * dimensions..][..dimensions].iter().enumerate() {
                self.keys[tile + i * POSITIONS] = f16::from_f32(*key).to_bits();
            }
            let row = &mut self.values[at + position * dimensions..][..dimensions];
            for (to, value) in row.iter_mut().zip(&values[head * dimensions..]) {
                *to = f16::from_f32(*value).to_bits();
            }
        }
    }

    /// Takes over the first `tokens` of another sequence.
    pub(crate) fn copy_from(&mut self, other: &Self, tokens: usize) {
        let size = self.room * self.head_dim;
        let used = tokens.next_multiple_of(POSITIONS).min(self.room) * self.head_dim;
        let heads = self.keys.chunks_exact_mut(size).zip(other.keys.chunks_exact(size));
        for (to, from) in heads {
            to[..used].copy_from_slice(&from[..used]);
        }
        for (to, from) in self.values.chunks_exact_mut(size).zip(other.values.chunks_exact(size)) {
            to[..used].copy_from_slice(&from[..used]);
        }
    }
}
