//! Keys and values of all sequences in one layer, on a device. The memory is taken when the model is loaded, so that a
//! consultation never ends for want of it.

use candle_core::{DType, Device, Result, Tensor};

use super::groups::Group;
use super::indices;
use crate::candle::config::Config;
use crate::candle::decoder::Row;

/// Keys and values, `[slot][head][position][dimension]`.
pub(crate) struct Cache {
    keys: Tensor,
    values: Tensor,
}

/// Where the rows of a pass are written.
pub(crate) struct Writes {
    /// Consecutive rows of one slot: the slot, the first position, the first row, how many.
    runs: Vec<(usize, usize, usize, usize)>,
    /// Rows that stand alone, and where their heads go, `[row, head][dimension]`.
    alone: Option<(Tensor, Tensor)>,
}

impl Cache {
    /// Room for so many sequences of so many tokens.
    pub(crate) fn new(config: &Config, (slots, context): (usize, usize), kind: DType, device: &Device) -> Result<Self> {
        let zeros = || Tensor::zeros((slots, config.kv_heads, context, config.head_dim), kind, device);
        Ok(Self { keys: zeros()?, values: zeros()? })
    }

    /// Prepares writing the rows of a pass, for all layers.
    pub(crate) fn writes(&self, rows: &[Row], groups: &[Group], device: &Device) -> Result<Writes> {
        let (_, heads, room, dim) = self.keys.dims4()?;
        let (mut runs, mut alone, mut places) = (Vec::new(), Vec::new(), Vec::new());
        for member in groups.iter().flat_map(|group| group.members.iter().flatten()) {
            let first = rows[member.start];
            if member.len() > 1 {
                runs.push((first.slot, first.position, member.start, member.len()));
                continue;
            }
            alone.push(member.start);
            places.extend((0..heads).map(|head| (first.slot * heads + head) * room + first.position));
        }
        if alone.is_empty() {
            return Ok(Writes { runs, alone: None });
        }
        let places = indices(&places, device)?.reshape(((), 1))?;
        let places = places.broadcast_as((alone.len() * heads, dim))?.contiguous()?;
        Ok(Writes { runs, alone: Some((indices(&alone, device)?, places)) })
    }

    /// Writes keys and values of the rows of a pass, `[row][head][dimension]`.
    pub(crate) fn write(&self, writes: &Writes, keys: &Tensor, values: &Tensor) -> Result<()> {
        for (cache, new) in [(&self.keys, keys), (&self.values, values)] {
            let new = new.to_dtype(cache.dtype())?;
            for (slot, position, from, count) in &writes.runs {
                let run = new.narrow(0, *from, *count)?.transpose(0, 1)?.contiguous()?.unsqueeze(0)?;
                cache.narrow(0, *slot, 1)?.slice_set(&run, 2, *position)?;
            }
            if let Some((alone, places)) = &writes.alone {
                let dim = cache.dim(3)?;
                let new = new.contiguous()?.index_select(alone, 0)?.reshape(((), dim))?;
                cache.reshape(((), dim))?.scatter_set(places, &new, 0)?;
            }
        }
        Ok(())
    }

    /// Keys and values of the first positions of some neighbouring slots.
    pub(crate) fn of(&self, slot: usize, slots: usize, length: usize) -> Result<(Tensor, Tensor)> {
        let part = |cache: &Tensor| cache.narrow(0, slot, slots)?.narrow(2, 0, length);
        Ok((part(&self.keys)?, part(&self.values)?))
    }

    /// Takes over the first tokens of another sequence.
    pub(crate) fn copy(&self, from: usize, to: usize, tokens: usize) -> Result<()> {
        for cache in [&self.keys, &self.values] {
            // A copy in between: candle does not copy within one tensor.
            let beginning = cache.narrow(0, from, 1)?.narrow(2, 0, tokens)?.copy()?;
            cache.narrow(0, to, 1)?.slice_set(&beginning.contiguous()?, 2, 0)?;
        }
        Ok(())
    }

    /// Puts zeros into a slot.
    pub(crate) fn clear(&self, slot: usize) -> Result<()> {
        for cache in [&self.keys, &self.values] {
            let slot = cache.narrow(0, slot, 1)?;
            slot.slice_set(&slot.zeros_like()?, 2, 0)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::groups::groups;
    use super::*;
    use crate::candle::config::Family;
    use crate::candle::rope::{Pairing, Rope, Scaling};

    fn config() -> Config {
        Config {
            family: Family::Llama,
            vocabulary: 1,
            hidden: 16,
            layers: 1,
            heads: 4,
            kv_heads: 2,
            head_dim: 16,
            feed_forward: 16,
            epsilon: 0.0,
            rope: Rope::new(16, 1.0, Pairing::Halves, Scaling::None),
            context: 8,
            tied: true,
            ends: Vec::new(),
        }
    }

    /// The first number of each position's key in the first and the second head.
    fn keys(cache: &Cache, slot: usize) -> Vec<Vec<f32>> {
        let (keys, _) = cache.of(slot, 1, 6).unwrap();
        keys.squeeze(0).unwrap().narrow(2, 0, 1).unwrap().squeeze(2).unwrap().to_vec2().unwrap()
    }

    #[test]
    fn rows_go_to_their_places_and_copies_are_their_own() {
        let cache = Cache::new(&config(), (3, 8), DType::F32, &Device::Cpu).unwrap();
        let row = |slot, position| Row { slot, position, token: 0, logits: false };
        let rows = [row(2, 5), row(1, 1), row(1, 2), row(0, 0)];
        let numbers: Vec<f32> = (0u16..4 * 2 * 16).map(|i| f32::from(i / 16) + 1.0).collect();
        let numbers = Tensor::from_vec(numbers, (4, 2, 16), &Device::Cpu).unwrap();
        let writes = cache.writes(&rows, &groups(&rows), &Device::Cpu).unwrap();
        cache.write(&writes, &numbers, &numbers).unwrap();
        let one = [[0., 3., 5., 0., 0., 0.], [0., 4., 6., 0., 0., 0.]].map(Vec::from);
        assert_eq!(keys(&cache, 0), [[7., 0., 0., 0., 0., 0.], [8., 0., 0., 0., 0., 0.]]);
        assert_eq!(keys(&cache, 1), one);
        assert_eq!(keys(&cache, 2), [[0., 0., 0., 0., 0., 1.], [0., 0., 0., 0., 0., 2.]]);
        cache.copy(1, 2, 3).unwrap();
        assert_eq!(keys(&cache, 2), [[0., 3., 5., 0., 0., 1.], [0., 4., 6., 0., 0., 2.]]);
        cache.copy(0, 2, 8).unwrap();
        assert_eq!(keys(&cache, 2), keys(&cache, 0));
        cache.clear(0).unwrap();
        assert_eq!(keys(&cache, 0), [[0.; 6], [0.; 6]]);
        assert_eq!(keys(&cache, 1), one);
    }
}
