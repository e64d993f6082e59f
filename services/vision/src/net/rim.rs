//! The network over the unrolled rim: convolutions and halvings, then the mean and the largest value of each channel.

use super::pool::max_pool;
use super::weights::misfit;
use super::{Conv, Planes, Weights, WeightsError};

/// Levels, and the convolutions of each.
const LEVELS: [&[&str]; 4] = [&["enc1"], &["enc2.0", "enc2.1"], &["enc3.0", "enc3.1"], &["enc4"]];

/// The network.
#[derive(Debug, Clone)]
pub struct RimNet(Vec<Vec<Conv>>);

impl RimNet {
    /// From the tensors under `rim.`.
    ///
    /// # Errors
    /// When a tensor is missing, or does not fit its neighbours.
    pub fn load(weights: &Weights<'_>) -> Result<Self, WeightsError> {
        let mut channels = 3;
        let mut levels = Vec::with_capacity(LEVELS.len());
        for names in LEVELS {
            let mut level = Vec::with_capacity(names.len());
            for name in names {
                let name = format!("rim.{name}");
                let conv = weights.conv((&format!("{name}.conv"), &format!("{name}.bn")), 1, 1)?;
                if conv.inputs() != channels {
                    return Err(misfit(&name, &format!("{channels} inputs"), &format!("{} inputs", conv.inputs())));
                }
                channels = conv.outputs();
                level.push(conv);
            }
            levels.push(level);
        }
        Ok(Self(levels))
    }

    /// Values of a row of features.
    pub fn features(&self) -> usize {
        2 * self.0.last().and_then(|level| level.last()).map_or(0, Conv::outputs)
    }

    /// One row of features for each strip.
    pub fn forward(&self, strips: &Planes) -> Vec<Vec<f32>> {
        let mut maps: Option<Planes> = None;
        for level in &self.0 {
            let mut input = maps.map(|maps| max_pool(&maps, 2, 2, 0));
            for conv in level {
                input = Some(conv.relu(input.as_ref().unwrap_or(strips)));
            }
            maps = input;
        }
        let Some(maps) = maps else { return Vec::new() };
        let means = maps.means();
        let most =
            maps.data.chunks_exact(maps.plane().max(1)).map(|v| v.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        let most: Vec<f32> = most.collect();
        let rows = means.chunks_exact(maps.channels.max(1)).zip(most.chunks_exact(maps.channels.max(1)));
        rows.map(|(means, most)| [means, most].concat()).collect()
    }
}
