//! The queries of a pass, looking at keys and values of a layer.

use candle_core::{D, DType, Device, Result, Tensor};

use super::cache::{Cache, Writes};
use super::groups::{Group, groups};
use super::indices;
use crate::candle::decoder::Row;

/// Added to the score of a position that a row does not see: its share is zero.
const UNSEEN: f64 = -1e30;

/// How the rows of a pass look, prepared for all layers.
pub(crate) struct Looks {
    pub(crate) writes: Writes,
    groups: Vec<(Group, Look)>,
    /// For each row, where it stands in what the groups give one after the other.
    places: Tensor,
}

/// A group's part on the device.
struct Look {
    /// Its rows.
    rows: Tensor,
    /// What is added to scores, `[slot][1][row][position]`.
    mask: Tensor,
}

impl Looks {
    pub(crate) fn new(rows: &[Row], cache: &Cache, device: &Device) -> Result<Self> {
        let groups = groups(rows);
        let writes = cache.writes(rows, &groups, device)?;
        let mut places = vec![0; rows.len()];
        let mut place = 0;
        for group in &groups {
            for member in &group.members {
                // What is found for a slot without a row, nobody reads.
                for (offset, row) in member.clone().into_iter().flatten().enumerate() {
                    places[row] = place + offset;
                }
                place += group.count();
            }
        }
        let looks = groups.into_iter().map(|group| Look::new(&group, rows, device).map(|look| (group, look)));
        Ok(Self { writes, groups: looks.collect::<Result<_>>()?, places: indices(&places, device)? })
    }

    /// What the heads of all rows find, `[row][head, dimension]`; queries are `[row][head][dimension]`, scaled.
    pub(crate) fn look(&self, queries: &Tensor, cache: &Cache) -> Result<Tensor> {
        let (_, heads, dim) = queries.dims3()?;
        let mut found = Vec::new();
        for (group, look) in &self.groups {
            let (slots, count) = (group.members.len(), group.count());
            let own = queries.index_select(&look.rows, 0)?.reshape((slots, count, heads, dim))?;
            let own = look.attend(&own.transpose(1, 2)?, cache.of(group.slot, slots, group.length)?)?;
            found.push(own.transpose(1, 2)?.reshape((slots * count, heads * dim))?);
        }
        Tensor::cat(&found, 0)?.index_select(&self.places, 0)
    }
}

impl Look {
    fn new(group: &Group, rows: &[Row], device: &Device) -> Result<Self> {
        let own: Vec<usize> = group.rows().collect();
        let last: Vec<f32> = own.iter().map(|row| rows[*row].position as f32).collect();
        let last = Tensor::from_vec(last, (group.members.len(), 1, group.count(), 1), device)?;
        let positions: Vec<f32> = (0..group.length).map(|position| position as f32).collect();
        let unseen = Tensor::new(positions, device)?.reshape((1, 1, 1, ()))?.broadcast_gt(&last)?;
        Ok(Self { rows: indices(&own, device)?, mask: (unseen.to_dtype(DType::F32)? * UNSEEN)? })
    }

    /// Queries and what is found, `[slot][head][row][dimension]`. Scores are computed in f32: rounded to 16 bits, those
    /// of models with large keys would be off by more than one.
    fn attend(&self, queries: &Tensor, (keys, values): (Tensor, Tensor)) -> Result<Tensor> {
        let (slots, heads, count, dim) = queries.dims4()?;
        let (kv_heads, length) = (keys.dim(1)?, keys.dim(2)?);
        // The query heads that share a key head read it together.
        let shared = (slots, kv_heads, heads / kv_heads * count);
        let queries = queries.contiguous()?.reshape((shared.0, shared.1, shared.2, dim))?;
        let scores = queries.matmul(&keys.to_dtype(DType::F32)?.t()?)?.reshape((slots, heads, count, length))?;
        let shares = softmax(&scores.broadcast_add(&self.mask)?)?;
        let shares = shares.reshape((shared.0, shared.1, shared.2, length))?.to_dtype(values.dtype())?;
        shares.matmul(&values)?.to_dtype(DType::F32)?.reshape((slots, heads, count, dim))
    }
}

/// Shares over the last dimension.
fn softmax(scores: &Tensor) -> Result<Tensor> {
    let raised = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?)?.exp()?;
    raised.broadcast_div(&raised.sum_keepdim(D::Minus1)?)
}
