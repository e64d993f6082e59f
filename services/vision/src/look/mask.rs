//! Where the tongue is: the largest piece of what the segmentation marks.

use super::letterbox::Letterbox;
use super::sigmoid;

/// The tongue on its square.
#[derive(Debug, Clone, PartialEq)]
pub struct Mask {
    /// Probability of each pixel.
    pub probability: Vec<f32>,
    /// Pixels of the largest piece.
    pub area: usize,
    /// Its first column, first row, and one past its last ones.
    pub bounds: [usize; 4],
    /// Its centre of mass.
    pub centre: [f32; 2],
}

/// A piece of what is marked.
struct Piece {
    area: usize,
    bounds: [usize; 4],
    sums: [usize; 2],
}

impl Mask {
    /// From the logits of a square; `None` where no pixel of the picture comes to the threshold.
    pub fn new(logits: &[f32], letterbox: &Letterbox, threshold: f32) -> Option<Self> {
        let probability: Vec<f32> = logits.iter().map(|logit| sigmoid(*logit)).collect();
        let (side, width, height) = (letterbox.side, letterbox.width, letterbox.height);
        let marked =
            |at: usize| at % side < width && at / side < height && probability.get(at).is_some_and(|p| *p >= threshold);
        let mut seen = vec![false; side * side];
        let mut best: Option<Piece> = None;
        let mut open = Vec::new();
        for start in 0..side * side {
            if seen.get(start) != Some(&false) || !marked(start) {
                continue;
            }
            let mut piece = Piece { area: 0, bounds: [side, side, 0, 0], sums: [0; 2] };
            open.push(start);
            while let Some(at) = open.pop() {
                if seen.get(at) != Some(&false) || !marked(at) {
                    continue;
                }
                if let Some(seen) = seen.get_mut(at) {
                    *seen = true;
                }
                let (x, y) = (at % side, at / side);
                piece.area += 1;
                piece.sums = [piece.sums[0] + x, piece.sums[1] + y];
                let [x0, y0, x1, y1] = piece.bounds;
                piece.bounds = [x0.min(x), y0.min(y), x1.max(x + 1), y1.max(y + 1)];
                open.extend((x > 0).then(|| at - 1));
                open.extend((x + 1 < side).then_some(at + 1));
                open.extend(at.checked_sub(side));
                open.extend((y + 1 < side).then_some(at + side));
            }
            if best.as_ref().is_none_or(|best| piece.area > best.area) {
                best = Some(piece);
            }
        }
        let Piece { area, bounds, sums } = best?;
        let centre = sums.map(|sum| sum as f32 / area as f32 + 0.5);
        Some(Self { probability, area, bounds, centre })
    }

    /// The longer side of its bounds, in pixels of the square.
    pub fn longer(&self) -> usize {
        let [x0, y0, x1, y1] = self.bounds;
        (x1 - x0).max(y1 - y0)
    }

    /// The probabilities, each the largest of the window of `size` around it.
    pub fn dilated(&self, side: usize, size: usize) -> Vec<f32> {
        let half = size / 2;
        let most = |values: &[f32], at: usize, step: usize, from: usize| {
            let place = at / step % side;
            let (first, last) = (place.saturating_sub(half), (place + half).min(side - 1));
            let others = (first..=last).filter_map(|place| values.get(from + place * step));
            others.copied().fold(f32::NEG_INFINITY, f32::max)
        };
        // Along the rows, then along the columns.
        let rows: Vec<f32> =
            (0..self.probability.len()).map(|at| most(&self.probability, at, 1, at / side * side)).collect();
        (0..rows.len()).map(|at| most(&rows, at, side, at % side)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(side: usize, width: usize) -> Letterbox {
        Letterbox { pixels: Vec::new(), side, width, height: side, scale: 1.0, luma: 100.0 }
    }

    #[test]
    fn the_largest_piece_inside_the_picture_counts() {
        // Two pieces that touch at a corner only, and a larger one outside the picture.
        let rows = ["##...###", "##...###", "..#..###", "..#..###", "..#..###", "........", "........", "........"];
        let logits: Vec<f32> =
            rows.iter().flat_map(|row| row.chars().map(|c| if c == '#' { 9.0 } else { -9.0 })).collect();
        let mask = Mask::new(&logits, &square(8, 5), 0.5).unwrap();
        assert_eq!((mask.area, mask.bounds, mask.longer(), mask.centre), (4, [0, 0, 2, 2], 2, [1.0, 1.0]));
        let all = Mask::new(&logits, &square(8, 8), 0.5).unwrap();
        assert_eq!((all.area, all.bounds), (15, [5, 0, 8, 5]));
        assert!(Mask::new(&[-9.0; 64], &square(8, 8), 0.5).is_none());
    }

    #[test]
    fn dilation_reaches_half_a_window() {
        let mut logits = vec![-20.0; 49];
        logits[24] = 20.0;
        let mask = Mask::new(&logits, &square(7, 7), 0.5).unwrap();
        let wide = mask.dilated(7, 3);
        let lit: Vec<usize> = (0..49).filter(|at| wide[*at] > 0.5).collect();
        assert_eq!(lit, [16, 17, 18, 23, 24, 25, 30, 31, 32]);
    }
}
