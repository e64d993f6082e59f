//! The antialiased triangle filter on 8-bit values: its support grows with the reduction.
//!
//! Rows first, then columns, with exact sums between and one rounding at the end. Pillow's `BILINEAR` rounds between
//! the passes as well, so the two differ by one level here and there.

use crate::picture::Picture;

/// The part of a picture that is to be resized; it may reach out of the picture on all sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First column, below 0 where it reaches out.
    pub x: i64,
    /// First row.
    pub y: i64,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

/// What each output position is made of: the first input and the weights from there on.
struct Taps {
    first: usize,
    weights: Vec<f32>,
}

/// The window at a size of `width` x `height`; what lies outside the picture is `fill`. Rows of RGB.
pub fn resize(picture: &Picture, window: Window, (width, height): (usize, usize), fill: u8) -> Vec<u8> {
    let (across, down) = (taps(window.width, width), taps(window.height, height));
    // Each row of the window is narrowed once, and only those that some output row needs are held.
    let mut narrow: Vec<Option<Vec<f32>>> = (0..window.height).map(|_| None).collect();
    let mut pixels = Vec::with_capacity(width * height * 3);
    let mut sums = vec![0.0_f32; width * 3];
    for taps in &down {
        for row in narrow.get_mut(..taps.first).unwrap_or_default() {
            *row = None;
        }
        sums.fill(0.0);
        for (row, weight) in narrow.iter_mut().enumerate().skip(taps.first).zip(&taps.weights) {
            let (at, row) = row;
            let row = row.get_or_insert_with(|| narrowed(picture, window, at, &across, fill));
            sums.iter_mut().zip(row.iter()).for_each(|(sum, value)| *sum += value * weight);
        }
        pixels.extend(sums.iter().map(|sum| (sum + 0.5).clamp(0.0, 255.0) as u8));
    }
    pixels
}

/// A row of the window at its new width.
fn narrowed(picture: &Picture, window: Window, row: usize, across: &[Taps], fill: u8) -> Vec<f32> {
    let y = usize::try_from(window.y + row as i64).ok().filter(|y| *y < picture.height());
    let source = y.map(|y| picture.row(y)).unwrap_or_default();
    let inside = window.x >= 0 && window.x as usize + window.width <= picture.width() && !source.is_empty();
    let padded: Vec<u8>;
    let line = if inside {
        source.get(window.x as usize * 3..).unwrap_or_default()
    } else {
        padded = out_of(source, window, picture.width(), fill);
        &padded
    };
    let line = line.as_chunks::<3>().0;
    let mut narrow = Vec::with_capacity(across.len() * 3);
    for taps in across {
        let mut sum = [0.0_f32; 3];
        for (pixel, weight) in line.get(taps.first..).unwrap_or_default().iter().zip(&taps.weights) {
            sum.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += f32::from(*value) * weight);
        }
        narrow.extend(sum);
    }
    narrow
}

/// A row of a window that reaches out of the picture.
fn out_of(source: &[u8], window: Window, width: usize, fill: u8) -> Vec<u8> {
    let mut line = vec![fill; window.width * 3];
    for (at, pixel) in line.chunks_exact_mut(3).enumerate() {
        let x = usize::try_from(window.x + at as i64).ok().filter(|x| *x < width);
        if let Some(found) = x.and_then(|x| source.get(x * 3..x * 3 + 3)) {
            pixel.copy_from_slice(found);
        }
    }
    line
}

fn taps(from: usize, to: usize) -> Vec<Taps> {
    let scale = from as f64 / to.max(1) as f64;
    let support = scale.max(1.0);
    (0..to)
        .map(|at| {
            let centre = (at as f64 + 0.5) * scale;
            let first = ((centre - support + 0.5).floor().max(0.0)) as usize;
            let last = (((centre + support + 0.5).floor()) as usize).min(from);
            let weight = |x: usize| (1.0 - ((x as f64 + 0.5 - centre) / support).abs()).max(0.0);
            let weights: Vec<f64> = (first..last.max(first)).map(weight).collect();
            let sum: f64 = weights.iter().sum();
            let weights = weights.iter().map(|w| (w / sum.max(f64::MIN_POSITIVE)) as f32).collect();
            Taps { first, weights }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(width: usize, rows: &[&[u8]]) -> Picture {
        let pixels = rows.iter().flat_map(|row| row.iter().flat_map(|v| [*v; 3])).collect();
        Picture::new(width, rows.len(), pixels).unwrap()
    }

    fn whole(picture: &Picture) -> Window {
        Window { x: 0, y: 0, width: picture.width(), height: picture.height() }
    }

    #[test]
    fn the_same_size_changes_nothing_and_one_colour_stays() {
        let picture = grey(3, &[&[1, 2, 3], &[200, 100, 0]]);
        let same = resize(&picture, whole(&picture), (3, 2), 9);
        assert_eq!(same, [1, 1, 1, 2, 2, 2, 3, 3, 3, 200, 200, 200, 100, 100, 100, 0, 0, 0]);
        let flat = grey(4, &[&[77; 4][..]; 5]);
        for size in [(1, 1), (2, 3), (9, 7)] {
            assert!(resize(&flat, whole(&flat), size, 0).iter().all(|v| *v == 77), "{size:?}");
        }
    }

    #[test]
    fn a_half_weighs_by_the_triangle() {
        // Pillow: Image.fromarray([[0, 80, 160, 240]]).resize((2, 1), BILINEAR) gives 57, 183.
        let picture = grey(4, &[&[0, 80, 160, 240]]);
        let half = resize(&picture, whole(&picture), (2, 1), 0);
        assert_eq!((half[0], half[3]), (57, 183));
    }

    #[test]
    fn outside_is_filled() {
        let picture = grey(2, &[&[10, 20], &[30, 40]]);
        let window = Window { x: -1, y: 1, width: 4, height: 2 };
        let cut: Vec<u8> = resize(&picture, window, (4, 2), 99).chunks(3).map(|pixel| pixel[0]).collect();
        assert_eq!(cut, [99, 30, 40, 99, 99, 99, 99, 99]);
    }
}
