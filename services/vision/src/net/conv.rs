//! A convolution with its batch norm folded in, as matrix products over tiles of output positions.
//!
//! The matrix of unfolded windows is never whole in memory: each task unfolds as many columns as fit into a core's cache
//! and multiplies them at once. The output is filled with the bias (and what is to be added) before the product is
//! added to it, so both come for nothing.

use std::ops::Range;

use super::Planes;
use super::im2col::unfold;
use super::kernel::{Block, Matrix, Tile, fill_tiles};

/// Values of an unfolded tile: half a megabyte, about half of a core's own cache.
const TILE: usize = 128 << 10;
/// Output positions of a tile at least, so that the product is worth its overhead.
const LEAST: usize = 48;

/// Geometry of a convolution over an image of a given size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Rows of the input.
    pub height: usize,
    /// Columns of the input.
    pub width: usize,
    /// Side of the window.
    pub size: usize,
    /// Pixels from one window to the next.
    pub stride: usize,
    /// Pixels of zeros around the input.
    pub pad: usize,
    /// Columns of the output.
    pub out_width: usize,
}

/// A convolution. Weights are `outputs` rows of `inputs * size * size` values.
#[derive(Clone)]
pub struct Conv {
    weight: Vec<f32>,
    bias: Vec<f32>,
    inputs: usize,
    size: usize,
    stride: usize,
    pad: usize,
}

impl std::fmt::Debug for Conv {
    /// Millions of weights tell nobody anything.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Conv({} to {}, {} x {2}, stride {})", self.inputs, self.outputs(), self.size, self.stride)
    }
}

/// What is done to the sum.
#[derive(Debug, Clone, Copy, Default)]
pub struct After<'a> {
    /// Added to it, of the same shape as the output.
    pub plus: Option<&'a Planes>,
    /// What is below 0 becomes 0.
    pub relu: bool,
}

/// A part of the output that one task makes.
#[derive(Debug, Clone)]
struct Task {
    image: usize,
    outputs: Range<usize>,
    columns: Range<usize>,
}

impl Conv {
    /// A convolution with a square window of `size`.
    pub fn new(weight: Vec<f32>, bias: Vec<f32>, size: usize, stride: usize, pad: usize) -> Self {
        let inputs = weight.len() / (bias.len() * size * size).max(1);
        Self { weight, bias, inputs, size, stride, pad }
    }

    /// Channels that it takes.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Channels that it gives.
    pub fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// The convolution with ReLU.
    pub fn relu(&self, input: &Planes) -> Planes {
        self.forward(input, After { plus: None, relu: true })
    }

    /// The convolution. An input with other channels than it takes gives what the channels that are there give.
    pub fn forward(&self, input: &Planes, after: After<'_>) -> Planes {
        let out = |side: usize| (side + 2 * self.pad).saturating_sub(self.size) / self.stride + 1;
        let mut output = Planes::zeros(input.count, self.outputs(), out(input.height), out(input.width));
        let shape = Shape {
            height: input.height,
            width: input.width,
            size: self.size,
            stride: self.stride,
            pad: self.pad,
            out_width: output.width,
        };
        let (plane, tasks) = (output.plane(), self.tasks(&output));
        let tile = |task: &Task| {
            let first = task.image * self.outputs();
            Tile { rows: first + task.outputs.start..first + task.outputs.end, columns: task.columns.clone() }
        };
        let tiles: Vec<Tile> = tasks.iter().map(tile).collect();
        fill_tiles(&mut output.data, plane, &tiles, |at, block, scratch| {
            if let Some(task) = tasks.get(at) {
                self.run(input, &shape, (task, after), (block, scratch));
            }
        });
        output
    }

    /// Tiles over images and positions; over outputs too where there would be less work than cores.
    fn tasks(&self, output: &Planes) -> Vec<Task> {
        let (plane, cores) = (output.plane(), rayon::current_num_threads());
        let fit = (TILE / (self.inputs * self.size * self.size).max(1)).max(LEAST);
        let tiles = plane.div_ceil(fit.min(plane).max(1)).max(1);
        // As many for each core, and of one size.
        let tiles = if output.count * tiles > cores { tiles.next_multiple_of(cores) } else { tiles };
        let wide = plane.div_ceil(tiles).next_multiple_of(16).max(1);
        let shares = if output.count * plane.div_ceil(wide) < cores { cores } else { 1 };
        let tall = output.channels.div_ceil(shares).next_multiple_of(16).max(1);
        let mut tasks = Vec::new();
        for image in 0..output.count {
            for start in (0..plane).step_by(wide) {
                for first in (0..output.channels).step_by(tall) {
                    let outputs = first..(first + tall).min(output.channels);
                    tasks.push(Task { image, outputs, columns: start..(start + wide).min(plane) });
                }
            }
        }
        tasks
    }

    fn run(
        &self,
        input: &Planes,
        shape: &Shape,
        (task, after): (&Task, After<'_>),
        (mut block, scratch): (Block<'_>, &mut Vec<f32>),
    ) {
        let (outputs, columns) = (task.outputs.clone(), task.columns.clone());
        let first = task.image * self.outputs();
        let rows = first + outputs.start..first + outputs.end;
        let image = input.data.get(task.image * input.image()..(task.image + 1) * input.image()).unwrap_or_default();
        let plane = after.plus.map_or(0, Planes::plane);
        for (line, (row, bias)) in rows.zip(self.bias.get(outputs.clone()).unwrap_or_default()).enumerate() {
            let line = block.line(line);
            line.fill(*bias);
            let plus = after.plus.and_then(|p| p.data.get(row * plane + columns.start..row * plane + columns.end));
            line.iter_mut().zip(plus.unwrap_or_default()).for_each(|(sum, plus)| *sum += plus);
        }
        let inner = self.inputs * self.size * self.size;
        let weight = self.weight.get(outputs.start * inner..).unwrap_or_default();
        let left = Matrix::new(weight, outputs.len(), inner, inner);
        let pointwise = self.size == 1 && self.stride == 1 && self.pad == 0;
        let right = if pointwise {
            let from = image.get(columns.start..).unwrap_or_default();
            Matrix::new(from, inner, columns.len(), shape.height * shape.width)
        } else {
            scratch.resize(inner * columns.len(), 0.0);
            unfold(image, shape, columns.clone(), scratch);
            Matrix::new(scratch, inner, columns.len(), columns.len())
        };
        if let (Some(left), Some(right)) = (left, right) {
            block.add_product(left, right);
        }
        if after.relu {
            (0..outputs.len()).for_each(|line| block.line(line).iter_mut().for_each(|value| *value = value.max(0.0)));
        }
    }
}

#[cfg(test)]
#[path = "conv_tests.rs"]
mod tests;
