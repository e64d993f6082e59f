//! The segmentation: a small U-Net (Ronneberger, Fischer and Brox, 2015) with a second answer from its bottom, whether
//! there is a tongue at all.

use super::conv::After;
use super::pool::{max_pool, twice_beside};
use super::{Conv, Linear, Planes, Weights, WeightsError};

/// Levels below the first.
const LEVELS: [&str; 4] = ["enc2", "enc3", "enc4", "enc5"];
/// Ways back up, lowest first.
const RISES: [&str; 4] = ["dec4", "dec3", "dec2", "dec1"];

/// The segmentation network.
#[derive(Debug, Clone)]
pub struct Segmenter {
    first: Conv,
    levels: Vec<[Conv; 2]>,
    gate: Linear,
    rises: Vec<Conv>,
    out: Conv,
}

/// What it says of one image.
#[derive(Debug, Clone, PartialEq)]
pub struct Segmented {
    /// Logit of each pixel, in reading order.
    pub mask: Vec<f32>,
    /// Logit of there being a tongue.
    pub presence: f32,
}

impl Segmenter {
    /// From the tensors under `segment.`.
    ///
    /// # Errors
    /// When a tensor is missing or misfits.
    pub fn load(weights: &Weights<'_>) -> Result<Self, WeightsError> {
        let block = |name: &str| {
            let name = format!("segment.{name}");
            weights.conv((&format!("{name}.conv"), &format!("{name}.bn")), 1, 1)
        };
        let level = |name: &&str| Ok([block(&format!("{name}.0"))?, block(&format!("{name}.1"))?]);
        Ok(Self {
            first: block("enc1")?,
            levels: LEVELS.iter().map(level).collect::<Result<_, WeightsError>>()?,
            gate: weights.linear("segment.gate")?,
            rises: RISES.iter().map(|name| block(name)).collect::<Result<_, _>>()?,
            out: weights.conv_with_bias("segment.out", 1, 0)?,
        })
    }

    /// Segments images whose sides are multiples of 16.
    pub fn forward(&self, images: &Planes) -> Vec<Segmented> {
        let mut maps = vec![self.first.relu(images)];
        for [first, second] in &self.levels {
            let Some(above) = maps.last() else { break };
            maps.push(second.relu(&first.relu(&max_pool(above, 2, 2, 0))));
        }
        let Some(bottom) = maps.pop() else { return Vec::new() };
        let presence = bottom.means();
        let gates = presence.chunks_exact(bottom.channels.max(1)).map(|features| self.gate.forward(features));
        let mut rising = bottom.clone();
        for rise in &self.rises {
            let Some(skip) = maps.pop() else { break };
            rising = rise.relu(&twice_beside(&rising, &skip));
        }
        let masks = self.out.forward(&rising, After::default());
        let said = masks.images().zip(gates);
        said.map(|(mask, gate)| Segmented { mask: mask.to_vec(), presence: gate.first().copied().unwrap_or(0.0) })
            .collect()
    }
}
