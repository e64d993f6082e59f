//! From a picture to what the networks see, and from what the first one says to the square that the second one gets.
//! Pure; the arithmetic is that of the training recipe (`training/tongue/FORMAT.md`).

pub mod crop;
pub mod judge;
pub mod letterbox;
pub mod mask;

/// Brightness of a colour.
pub fn luma([r, g, b]: [f32; 3]) -> f32 {
    0.299 * r + 0.587 * g + 0.114 * b
}

/// `1 / (1 + exp(-x))`.
pub fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

/// Half is rounded up.
fn round(value: f32) -> f32 {
    (value + 0.5).floor()
}
