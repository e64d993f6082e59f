//! The square around the tongue, everything else faded out, its light evened out.

use super::letterbox::Letterbox;
use super::mask::Mask;
use super::{luma, round};
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
}

impl Crop {
    /// Cuts the tongue out of the picture.
    pub fn new(picture: &Picture, letterbox: &Letterbox, mask: &Mask, card: &Card) -> Self {
        let (side, scale) = (card.crop.side, letterbox.scale);
        let [x0, y0, x1, y1] = mask.bounds.map(|bound| bound as f32);
        let cut = (mask.longer() as f32 * (1.0 + 2.0 * card.crop.margin) / scale).ceil().max(1.0);
        let start = |low: f32, high: f32| round((low + high) / (2.0 * scale) - cut / 2.0);
        let (left, top) = (start(x0, x1), start(y0, y1));
        let window = Window { x: left as i64, y: top as i64, width: cut as usize, height: cut as usize };
        let pixels = resize(picture, window, (side, side), card.fill).as_chunks::<3>().0.to_vec();
        let alpha = alpha(picture, letterbox, (mask, card), (left, top, cut));
        let mut sums = [0.0_f32; 3];
        let mut weight = 0.0_f32;
        for (pixel, alpha) in pixels.iter().zip(&alpha) {
            sums.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += alpha * f32::from(*value));
            weight += alpha;
        }
        let mean = (weight > 0.0).then(|| sums.map(|sum| sum / weight));
        Self { pixels, alpha, mean }
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
}

fn alpha(
    picture: &Picture,
    letterbox: &Letterbox,
    (mask, card): (&Mask, &Card),
    (left, top, cut): (f32, f32, f32),
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

/// Between the four values around a place.
fn sample(values: &[f32], side: usize, u: f32, v: f32) -> f32 {
    let (x, y) = (u.floor(), v.floor());
    let (dx, dy) = (u - x, v - y);
    let (x, y) = (x as usize, y as usize);
    let (right, below) = ((x + 1).min(side - 1), (y + 1).min(side - 1));
    let at = |x: usize, y: usize| values.get(y * side + x).copied().unwrap_or(0.0);
    let upper = at(x, y) * (1.0 - dx) + at(right, y) * dx;
    let lower = at(x, below) * (1.0 - dx) + at(right, below) * dx;
    upper * (1.0 - dy) + lower * dy
}
