//! From a picture to what the networks see, and from what the first one says to the square that the second one gets.
//! Pure; the arithmetic is that of the training recipe (`training/tongue/FORMAT.md`).

pub mod crop;
pub mod judge;
pub mod letterbox;
pub mod mask;
pub mod rim;

/// Brightness of a colour.
pub fn luma([r, g, b]: [f32; 3]) -> f32 {
    0.299 * r + 0.587 * g + 0.114 * b
}

/// `1 / (1 + exp(-x))`.
pub fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

/// Between the four of `values` (rows of `side`) around a place, which must not lie outside.
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

/// Half is rounded up.
fn round(value: f32) -> f32 {
    (value + 0.5).floor()
}
