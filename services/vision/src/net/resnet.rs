//! ResNet-18 (He, Zhang, Ren and Sun, 2016) of any width, under torchvision's names.

use super::conv::After;
use super::pool::max_pool;
use super::weights::misfit;
use super::{Conv, Planes, Weights, WeightsError};

/// The trunk: an image becomes one row of features.
#[derive(Debug, Clone)]
pub struct ResNet18 {
    stem: Conv,
    blocks: Vec<Block>,
}

/// Two convolutions around which the input is led past.
#[derive(Debug, Clone)]
struct Block {
    first: Conv,
    second: Conv,
    shortcut: Option<Conv>,
}

impl ResNet18 {
    /// From `conv1`, `bn1`, `layer1` to `layer4` at the root of a file.
    ///
    /// # Errors
    /// When a tensor is missing, or does not fit its neighbours.
    pub fn load(weights: &Weights<'_>) -> Result<Self, WeightsError> {
        let stem = weights.conv(("conv1", "bn1"), 2, 3)?;
        let mut channels = stem.outputs();
        let mut blocks = Vec::new();
        for layer in 1..=4 {
            for at in 0..2 {
                let stride = if layer > 1 && at == 0 { 2 } else { 1 };
                let block = Block::load(weights, &format!("layer{layer}.{at}"), stride)?;
                if block.first.inputs() != channels || block.second.inputs() != block.first.outputs() {
                    let found = format!("{} inputs", block.first.inputs());
                    return Err(misfit(&format!("layer{layer}.{at}"), &format!("{channels} inputs"), &found));
                }
                channels = block.second.outputs();
                blocks.push(block);
            }
        }
        Ok(Self { stem, blocks })
    }

    /// A trunk of this width (64 is the paper's) with seeded weights, for measuring.
    pub fn seeded(width: usize) -> Self {
        let conv = |inputs: usize, outputs: usize, size: usize, stride: usize| {
            let count = inputs * size * size;
            let scale = (2.0 / count as f32).sqrt();
            let weight = (0..outputs * count).map(|i| ((i * 7919 % 1009) as f32 / 504.5 - 1.0) * scale).collect();
            Conv::new(weight, vec![0.01; outputs], size, stride, size / 2)
        };
        let mut channels = width;
        let mut blocks = Vec::new();
        for layer in 0..4 {
            let outputs = width << layer;
            for at in 0..2 {
                let stride = if layer > 0 && at == 0 { 2 } else { 1 };
                let shortcut = (stride != 1 || channels != outputs).then(|| conv(channels, outputs, 1, stride));
                blocks.push(Block {
                    first: conv(channels, outputs, 3, stride),
                    second: conv(outputs, outputs, 3, 1),
                    shortcut,
                });
                channels = outputs;
            }
        }
        Self { stem: conv(3, width, 7, 2), blocks }
    }

    /// Channels of the features.
    pub fn features(&self) -> usize {
        self.blocks.last().map_or(0, |block| block.second.outputs())
    }

    /// One row of features for each image.
    pub fn forward(&self, images: &Planes) -> Vec<Vec<f32>> {
        let mut maps = max_pool(&self.stem.relu(images), 3, 2, 1);
        for block in &self.blocks {
            maps = block.forward(&maps);
        }
        maps.means().chunks_exact(self.features().max(1)).map(<[f32]>::to_vec).collect()
    }
}

impl Block {
    fn load(weights: &Weights<'_>, name: &str, stride: usize) -> Result<Self, WeightsError> {
        let part = |conv: &str, norm: &str, stride, pad| {
            weights.conv((&format!("{name}.{conv}"), &format!("{name}.{norm}")), stride, pad)
        };
        let led_past = weights.has(&format!("{name}.downsample.0.weight"));
        Ok(Self {
            first: part("conv1", "bn1", stride, 1)?,
            second: part("conv2", "bn2", 1, 1)?,
            shortcut: if led_past { Some(part("downsample.0", "downsample.1", stride, 0)?) } else { None },
        })
    }

    fn forward(&self, input: &Planes) -> Planes {
        let inner = self.first.relu(input);
        let past = self.shortcut.as_ref().map(|shortcut| shortcut.forward(input, After::default()));
        self.second.forward(&inner, After { plus: Some(past.as_ref().unwrap_or(input)), relu: true })
    }
}
