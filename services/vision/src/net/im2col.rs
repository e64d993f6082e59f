//! Unfolds the windows of a convolution into a matrix, for some of its output positions.

use std::ops::Range;

use super::conv::Shape;

/// Writes the matrix of `columns` (output positions in reading order) for one image: a row for each channel and each
/// place of the window, a column for each position. What lies outside the image is 0.
pub fn unfold(image: &[f32], shape: &Shape, columns: Range<usize>, matrix: &mut [f32]) {
    let wide = columns.len();
    let plane = shape.height * shape.width;
    let mut rows = matrix.chunks_exact_mut(wide.max(1));
    for channel in image.chunks_exact(plane.max(1)) {
        for ky in 0..shape.size {
            for kx in 0..shape.size {
                let Some(row) = rows.next() else { return };
                fill(channel, shape, (ky, kx), columns.clone(), row);
            }
        }
    }
}

/// One row: a place of the window over the output positions.
fn fill(channel: &[f32], shape: &Shape, (ky, kx): (usize, usize), columns: Range<usize>, row: &mut [f32]) {
    let mut at = columns.start;
    let mut rest = row;
    while at < columns.end {
        let (oy, ox) = (at / shape.out_width, at % shape.out_width);
        let run = (shape.out_width - ox).min(columns.end - at);
        let Some((line, after)) = rest.split_at_mut_checked(run) else { return };
        let y = (oy * shape.stride + ky).checked_sub(shape.pad).filter(|y| *y < shape.height);
        let source = y.and_then(|y| channel.get(y * shape.width..(y + 1) * shape.width));
        match source {
            Some(source) => copy(source, shape, (ox, kx), line),
            None => line.fill(0.0),
        }
        rest = after;
        at += run;
    }
}

/// A run of one line: output columns from `ox` on.
fn copy(source: &[f32], shape: &Shape, (ox, kx): (usize, usize), line: &mut [f32]) {
    let first = ox * shape.stride + kx;
    // Output columns that lie left of the source.
    let left = shape.pad.saturating_sub(first).div_ceil(shape.stride).min(line.len());
    let start = first + left * shape.stride - shape.pad.min(first + left * shape.stride);
    let (outside, inside) = line.split_at_mut(left);
    outside.fill(0.0);
    let source = source.get(start..).unwrap_or_default();
    if shape.stride == 1 {
        let run = inside.len().min(source.len());
        let (run, right) = inside.split_at_mut(run);
        run.copy_from_slice(source.get(..run.len()).unwrap_or_default());
        right.fill(0.0);
    } else {
        let mut values = source.iter().step_by(shape.stride);
        inside.iter_mut().for_each(|value| *value = values.next().copied().unwrap_or(0.0));
    }
}
