//! The whole picture on the square that the segmentation sees.

use super::{luma, round};
use crate::card::Card;
use crate::net::Planes;
use crate::picture::Picture;
use crate::resize::{Window, resize};

/// A picture, made to fit, in the upper left of a square.
#[derive(Debug, Clone, PartialEq)]
pub struct Letterbox {
    /// Rows of RGB, `side` x `side`.
    pub pixels: Vec<u8>,
    /// Side of the square.
    pub side: usize,
    /// Columns that the picture takes up.
    pub width: usize,
    /// Rows that the picture takes up.
    pub height: usize,
    /// Pixels of the square for one of the picture.
    pub scale: f32,
    /// Mean brightness of the picture.
    pub luma: f32,
}

impl Letterbox {
    /// Fits a picture.
    pub fn new(picture: &Picture, card: &Card) -> Self {
        let side = card.segment.side;
        let scale = side as f32 / picture.width().max(picture.height()) as f32;
        let fit = |length: usize| (round(length as f32 * scale) as usize).clamp(1, side);
        let (width, height) = (fit(picture.width()), fit(picture.height()));
        let whole = Window { x: 0, y: 0, width: picture.width(), height: picture.height() };
        let small = resize(picture, whole, (width, height), card.fill);
        let brightness = small.as_chunks::<3>().0.iter().map(|pixel| luma(pixel.map(f32::from))).sum::<f32>();
        let mut pixels = vec![card.fill; side * side * 3];
        for (row, line) in pixels.chunks_exact_mut(side * 3).zip(small.chunks_exact(width * 3)) {
            row.iter_mut().zip(line).for_each(|(to, from)| *to = *from);
        }
        Self { pixels, side, width, height, scale, luma: brightness / (width * height) as f32 }
    }
}

/// Pictures of RGB as the networks take them: `(value / 255 - mean) / deviation`, channel by channel.
pub fn planes<'a, V>(
    pictures: impl Iterator<Item = &'a [[V; 3]]>,
    (width, height): (usize, usize),
    card: &Card,
) -> Planes
where
    V: Copy + Into<f32> + 'a,
{
    let (mut data, mut count) = (Vec::new(), 0);
    for picture in pictures {
        for (channel, (mean, deviation)) in card.mean.iter().zip(&card.std).enumerate() {
            let values = picture.iter().filter_map(|pixel| pixel.get(channel).copied());
            data.extend(values.map(|value| (value.into() / 255.0 - mean) / deviation));
        }
        count += 1;
    }
    Planes { count, channels: 3, height, width, data }
}
