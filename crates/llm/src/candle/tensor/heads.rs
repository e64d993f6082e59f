//! Norms and positions of rows on a device, in f32.

use candle_core::{D, Device, Result, Tensor};

use crate::candle::decoder::Row;
use crate::candle::rope::{Pairing, Rope};

/// Root-mean-square norm over the last dimension.
pub(crate) fn normalise(x: &Tensor, weight: &Tensor, epsilon: f32) -> Result<Tensor> {
    let scale = (x.sqr()?.mean_keepdim(D::Minus1)? + f64::from(epsilon))?.sqrt()?;
    x.broadcast_div(&scale)?.broadcast_mul(weight)
}

/// Cosines and sines of the rows of a pass, `[row][1][frequency]`.
pub(crate) struct Angles {
    cos: Tensor,
    sin: Tensor,
    pairing: Pairing,
}

impl Angles {
    pub(crate) fn new(rope: &Rope, rows: &[Row], device: &Device) -> Result<Self> {
        let (cos, sin): (Vec<f32>, Vec<f32>) = rows.iter().flat_map(|row| rope.angles(row.position)).unzip();
        let shape = (rows.len(), 1, cos.len() / rows.len().max(1));
        Ok(Self {
            cos: Tensor::from_vec(cos, shape, device)?,
            sin: Tensor::from_vec(sin, shape, device)?,
            pairing: rope.pairing(),
        })
    }

    /// Turns heads, `[row][head][dimension]`.
    pub(crate) fn turn(&self, heads: &Tensor) -> Result<Tensor> {
        let (rows, count, dim) = heads.dims3()?;
        let (a, b) = match self.pairing {
            Pairing::Halves => (heads.narrow(2, 0, dim / 2)?, heads.narrow(2, dim / 2, dim / 2)?),
            Pairing::Neighbours => {
                let pairs = heads.reshape((rows, count, dim / 2, 2))?;
                (pairs.narrow(3, 0, 1)?.squeeze(3)?, pairs.narrow(3, 1, 1)?.squeeze(3)?)
            }
        };
        let first = (a.broadcast_mul(&self.cos)? - b.broadcast_mul(&self.sin)?)?;
        let second = (a.broadcast_mul(&self.sin)? + b.broadcast_mul(&self.cos)?)?;
        match self.pairing {
            Pairing::Halves => Tensor::cat(&[first, second], 2),
            Pairing::Neighbours => Tensor::stack(&[first, second], 3)?.reshape((rows, count, dim)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::candle::rope::Scaling;

    #[test]
    fn heads_are_turned_as_the_kernels_turn_them() {
        for pairing in [Pairing::Halves, Pairing::Neighbours] {
            let rope = Rope::new(16, 10_000.0, pairing, Scaling::None);
            let row = |position| Row { slot: 0, position, token: 0, logits: false };
            let rows = [row(0), row(7), row(1900)];
            let numbers: Vec<f32> = (0u16..3 * 2 * 16).map(|i| f32::from(i * 37 % 101) / 50.0 - 1.0).collect();
            let heads = Tensor::from_vec(numbers.clone(), (3, 2, 16), &Device::Cpu).unwrap();
            let turned = Angles::new(&rope, &rows, &Device::Cpu).unwrap().turn(&heads).unwrap();
            let mut expected = numbers;
            for (row, heads) in rows.iter().zip(expected.chunks_exact_mut(32)) {
                let angles: Vec<_> = rope.angles(row.position).collect();
                heads.chunks_exact_mut(16).for_each(|head| rope.turn(head, &angles));
            }
            let found: Vec<f32> = turned.flatten_all().unwrap().to_vec1().unwrap();
            let far = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(far < 1e-6, "{pairing:?}: {far}");
        }
    }
}
