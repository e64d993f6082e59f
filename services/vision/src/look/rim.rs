//! The rim of the tongue, unrolled: what teeth leave there is a wave along a line, and lies in the picture at a finer
//! scale than the square that is classified.

use super::crop::Square;
use super::letterbox::Letterbox;
use super::mask::Mask;
use super::sample;
use crate::card::Rim;

/// Step of the way from the centre outwards, in pixels of the letterbox.
const STEP: f32 = 0.5;

/// The strip (rows of RGB, `rim.rows` x `rim.columns`) from the square's pixels at `rim.side`.
pub fn unroll(
    pixels: &[[u8; 3]],
    rim: &Rim,
    (mask, letterbox): (&Mask, &Letterbox),
    Square { left, top, cut }: Square,
) -> Vec<[u8; 3]> {
    let radii = radii(mask, letterbox, rim);
    let into = rim.side as f32 / cut;
    let last = (rim.side - 1) as f32;
    let mut strip = Vec::with_capacity(rim.rows * rim.columns);
    for row in 0..rim.rows {
        let factor = 1.0 + rim.reach * (2.0 * (row as f32 + 0.5) / rim.rows as f32 - 1.0);
        for (column, radius) in radii.iter().enumerate() {
            let (sin, cos) = angle(rim, column as f32).sin_cos();
            let [x, y] = [(mask.centre[0], cos, left), (mask.centre[1], sin, top)].map(|(centre, along, start)| {
                let place = ((centre + radius * factor * along) / letterbox.scale - start) * into - 0.5;
                place.clamp(0.0, last)
            });
            strip.push(colour(pixels, rim.side, x, y));
        }
    }
    strip
}

/// The angle of a column.
fn angle(rim: &Rim, column: f32) -> f32 {
    let [from, to] = rim.angles;
    from + (column + 0.5) * (to - from) / rim.columns as f32
}

/// For each column how far the tongue reaches, smoothed, in pixels of the letterbox.
fn radii(mask: &Mask, letterbox: &Letterbox, rim: &Rim) -> Vec<f32> {
    let pad = 3 * rim.smooth;
    let mut radii: Vec<f32> =
        (0..rim.columns + 2 * pad).map(|at| reach(mask, letterbox, angle(rim, at as f32 - pad as f32))).collect();
    let window = 2 * rim.smooth + 1;
    for _ in 0..3 {
        radii = radii.windows(window).map(|around| around.iter().sum::<f32>() / window as f32).collect();
    }
    radii
}

/// How much of the ray at an angle is tongue.
fn reach(mask: &Mask, letterbox: &Letterbox, angle: f32) -> f32 {
    let (sin, cos) = angle.sin_cos();
    let (width, height, last) = (letterbox.width as f32, letterbox.height as f32, (letterbox.side - 1) as f32);
    let inside = |at: usize| {
        let far = (at as f32 + 0.5) * STEP;
        let (x, y) = (mask.centre[0] + cos * far, mask.centre[1] + sin * far);
        let within = (0.0..width).contains(&x) && (0.0..height).contains(&y);
        let at = |v: f32| (v - 0.5).clamp(0.0, last);
        let p = if within { sample(&mask.probability, letterbox.side, at(x), at(y)) } else { 0.0 };
        (4.0 * (p - 0.5) + 0.5).clamp(0.0, 1.0)
    };
    STEP * (0..2 * letterbox.side).map(inside).sum::<f32>()
}

/// Between the four pixels around a place inside the square.
fn colour(pixels: &[[u8; 3]], side: usize, u: f32, v: f32) -> [u8; 3] {
    let (x, y) = (u.floor() as usize, v.floor() as usize);
    let (dx, dy) = (u - u.floor(), v - v.floor());
    let (right, below) = ((x + 1).min(side - 1), (y + 1).min(side - 1));
    let at = |x: usize, y: usize| pixels.get(y * side + x).copied().unwrap_or_default().map(f32::from);
    let corners = [at(x, y), at(right, y), at(x, below), at(right, below)];
    let weights = [(1.0 - dx) * (1.0 - dy), dx * (1.0 - dy), (1.0 - dx) * dy, dx * dy];
    let mut sum = [0.5_f32; 3];
    for (pixel, weight) in corners.iter().zip(weights) {
        sum.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += value * weight);
    }
    sum.map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIDE: usize = 64;

    fn rim() -> Rim {
        Rim { side: 96, columns: 64, rows: 8, angles: [-0.5, 3.6], smooth: 3, reach: 0.2, heads: Vec::new() }
    }

    /// A disc of `radius` on a letterbox of half the picture's size, and the square around it.
    fn disc(radius: f32) -> (Letterbox, Mask, Square) {
        let letterbox =
            Letterbox { pixels: Vec::new(), side: SIDE, width: SIDE, height: SIDE, scale: 0.5, luma: 100.0 };
        let logit = |at: usize| {
            let (x, y) = ((at % SIDE) as f32 - 29.5, (at / SIDE) as f32 - 33.5);
            8.0 * (radius - x.hypot(y))
        };
        let logits: Vec<f32> = (0..SIDE * SIDE).map(logit).collect();
        let mask = Mask::new(&logits, &letterbox, 0.5).unwrap();
        (letterbox, mask, Square { left: 12.0, top: 20.0, cut: 96.0 })
    }

    #[test]
    fn a_disc_has_one_radius_all_around() {
        let (letterbox, mask, _) = disc(18.0);
        let radii = radii(&mask, &letterbox, &rim());
        assert_eq!(radii.len(), 64);
        assert!(radii.iter().all(|radius| (radius - 18.0).abs() < 0.3), "{radii:?}");
    }

    #[test]
    fn rows_lie_inside_and_outside_of_the_outline() {
        let (letterbox, mask, square) = disc(18.0);
        // Red where the picture shows the disc (twice as large as on the letterbox), blue elsewhere.
        let pixel = |at: usize| {
            let (x, y) = ((at % 96) as f32 - 47.5, (at / 96) as f32 - 47.5);
            if x.hypot(y) < 36.0 { [200, 0, 0] } else { [0, 0, 200] }
        };
        let pixels: Vec<[u8; 3]> = (0..96 * 96).map(pixel).collect();
        let strip = unroll(&pixels, &rim(), (&mask, &letterbox), square);
        assert_eq!(strip.len(), 8 * 64);
        assert!(strip[..3 * 64].iter().all(|pixel| *pixel == [200, 0, 0]));
        assert!(strip[5 * 64..].iter().all(|pixel| *pixel == [0, 0, 200]));
    }
}
