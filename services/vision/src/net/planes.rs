//! A batch of images as planes of f32: count x channels x height x width, rows last.

/// A batch of feature maps.
#[derive(Debug, Clone, PartialEq)]
pub struct Planes {
    /// Images.
    pub count: usize,
    /// Channels.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// The values, `count * channels * height * width` of them.
    pub data: Vec<f32>,
}

impl Planes {
    /// All zero.
    pub fn zeros(count: usize, channels: usize, height: usize, width: usize) -> Self {
        Self { count, channels, height, width, data: vec![0.0; count * channels * height * width] }
    }

    /// Values of one channel of one image.
    pub fn plane(&self) -> usize {
        self.height * self.width
    }

    /// Values of one image.
    pub fn image(&self) -> usize {
        self.channels * self.plane()
    }

    /// The images, one slice each.
    pub fn images(&self) -> impl Iterator<Item = &[f32]> {
        self.data.chunks_exact(self.image().max(1))
    }

    /// The mean of each channel of each image: count rows of `channels` values.
    pub fn means(&self) -> Vec<f32> {
        let plane = self.plane().max(1);
        self.data.chunks_exact(plane).map(|values| values.iter().sum::<f32>() / plane as f32).collect()
    }
}
