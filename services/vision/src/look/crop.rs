//! The square around the tongue, everything else faded out, its light evened out.

use super::letterbox::Letterbox;
use super::mask::Mask;
use super::rim::unroll;
use super::{luma, round, sample};
use crate::card::Card;
use crate::picture::Picture;
use crate::resize::{Window, resize};

/// The square that is classified.
#[derive(Debug, Clone, PartialEq)]
pub struct Crop {
    /// Rows of RGB before light and fading.
    pub pixels: Vec<[u8; 3]>,
    /// How much of each pixel is tongue, 0 to 1.
    pub alpha: Vec<f32>,
    /// Mean colour of the tongue; `None` where nothing is tongue.
    pub mean: Option<[f32; 3]>,
    /// The unrolled rim, rows of RGB, where the model looks at it.
    pub rim: Vec<[u8; 3]>,
}

/// Where the square lies in the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Square {
    /// First column, below 0 where it reaches out.
    pub left: f32,
    /// First row.
    pub top: f32,
    /// Its side, in whole pixels of the picture.
    pub cut: f32,
}

impl Square {
    /// The square around a tongue, with the margin of the card.
    fn around(mask: &Mask, scale: f32, margin: f32) -> Self {
        let [x0, y0, x1, y1] = mask.bounds.map(|bound| bound as f32);
        let cut = (mask.longer() as f32 * (1.0 + 2.0 * margin) / scale).ceil().max(1.0);
        let start = |low: f32, high: f32| round((low + high) / (2.0 * scale) - cut / 2.0);
        Self { left: start(x0, x1), top: start(y0, y1), cut }
    }

    /// The pixels of the picture in it, resized to a side.
    pub fn pixels(self, picture: &Picture, side: usize, fill: u8) -> Vec<[u8; 3]> {
        let cut = self.cut as usize;
        let window = Window { x: self.left as i64, y: self.top as i64, width: cut, height: cut };
        resize(picture, window, (side, side), fill).as_chunks::<3>().0.to_vec()
    }
}

impl Crop {
    /// Cuts the tongue out of the picture.
    pub fn new(picture: &Picture, letterbox: &Letterbox, mask: &Mask, card: &Card) -> Self {
        let square = Square::around(mask, letterbox.scale, card.crop.margin);
        let pixels = square.pixels(picture, card.crop.side, card.fill);
        let alpha = alpha(picture, letterbox, (mask, card), square);
        let mut sums = [0.0_f32; 3];
        let mut weight = 0.0_f32;
        for (pixel, alpha) in pixels.iter().zip(&alpha) {
            sums.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += alpha * f32::from(*value));
            weight += alpha;
        }
        let mean = (weight > 0.0).then(|| sums.map(|sum| sum / weight));
        let rim = card.rim.as_ref().map(|rim| {
            let finer = square.pixels(picture, rim.side, card.fill);
            unroll(&finer, rim, (mask, letterbox), square)
        });
        Self { pixels, alpha, mean, rim: rim.unwrap_or_default() }
    }

    /// The factor that brings the tongue to the brightness that is aimed at.
    pub fn gain(&self, card: &Card) -> f32 {
        let bright = self.mean.map_or(card.colour.target_luma, luma).max(f32::MIN_POSITIVE);
        (card.colour.target_luma / bright).clamp(card.colour.min_gain, card.colour.max_gain)
    }

    /// The pixels in that light, with what is not tongue faded out.
    pub fn lit(&self, gain: f32, fill: u8) -> Vec<[f32; 3]> {
        let fill = f32::from(fill);
        let each = self.pixels.iter().zip(&self.alpha);
        each.map(|(pixel, alpha)| {
            pixel.map(|value| (gain * f32::from(value)).min(255.0) * alpha + fill * (1.0 - alpha))
        })
        .collect()
    }

    /// The rim in that light.
    pub fn lit_rim(&self, gain: f32) -> Vec<[f32; 3]> {
        self.rim.iter().map(|pixel| pixel.map(|value| (gain * f32::from(value)).min(255.0))).collect()
    }
}

fn alpha(
    picture: &Picture,
    letterbox: &Letterbox,
    (mask, card): (&Mask, &Card),
    Square { left, top, cut }: Square,
) -> Vec<f32> {
    let (side, square) = (card.crop.side, letterbox.side);
    let wide = mask.dilated(square, card.crop.alpha_dilate);
    let last = (square - 1) as f32;
    let step = cut / side as f32;
    let mut alpha = Vec::with_capacity(side * side);
    for row in 0..side {
        let y = top + (row as f32 + 0.5) * step;
        for column in 0..side {
            let x = left + (column as f32 + 0.5) * step;
            let inside = (0.0..picture.width() as f32).contains(&x) && (0.0..picture.height() as f32).contains(&y);
            let at = |v: f32| (v * letterbox.scale - 0.5).clamp(0.0, last);
            alpha.push(if inside { (2.0 * sample(&wide, square, at(x), at(y))).min(1.0) } else { 0.0 });
        }
    }
    alpha
}
