//! Tensors by name from a safetensors file, and layers from tensors, with batch norms folded into what precedes them.

use half::f16;
use safetensors::{Dtype, SafeTensors};

use super::{Conv, Linear};

/// Added to a variance before the root, as the recipe has it.
const EPSILON: f32 = 1e-5;

/// Why weights cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WeightsError {
    /// No safetensors file.
    #[error("the file of weights cannot be read: {0}")]
    File(String),
    /// A tensor is missing.
    #[error("tensor `{0}` is missing")]
    Missing(String),
    /// A tensor does not have the shape or type that its place needs.
    #[error("tensor `{name}`: expected {expected}, found {found}")]
    Misfit {
        /// The tensor.
        name: String,
        /// What its place needs.
        expected: String,
        /// What it is.
        found: String,
    },
}

/// The tensors of a file.
#[derive(Debug)]
pub struct Weights<'a>(SafeTensors<'a>);

impl<'a> Weights<'a> {
    /// Reads the directory of a file; values are converted as layers ask for them.
    ///
    /// # Errors
    /// When it is no safetensors file.
    pub fn read(file: &'a [u8]) -> Result<Self, WeightsError> {
        SafeTensors::deserialize(file).map(Self).map_err(|error| WeightsError::File(error.to_string()))
    }

    /// Whether there is a tensor of that name.
    pub fn has(&self, name: &str) -> bool {
        self.0.tensor(name).is_ok()
    }

    /// A tensor as f32, with its shape.
    ///
    /// # Errors
    /// When it is missing, or neither f32, f16 nor u8.
    pub fn tensor(&self, name: &str) -> Result<(Vec<f32>, Vec<usize>), WeightsError> {
        let view = self.0.tensor(name).map_err(|_| WeightsError::Missing(name.to_owned()))?;
        let data = view.data();
        let values = match view.dtype() {
            Dtype::F32 => data.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
            Dtype::F16 => data.as_chunks::<2>().0.iter().map(|bytes| f16::from_le_bytes(*bytes).to_f32()).collect(),
            Dtype::U8 => data.iter().map(|byte| f32::from(*byte)).collect(),
            other => return Err(misfit(name, "f32, f16 or u8", &format!("{other:?}"))),
        };
        let values: Vec<f32> = values;
        // What is no number would vanish in the first ReLU, and be seen by nobody.
        if values.iter().any(|value| !value.is_finite()) {
            return Err(misfit(name, "numbers", "values that are none"));
        }
        Ok((values, view.shape().to_vec()))
    }

    fn vector(&self, name: &str, length: usize) -> Result<Vec<f32>, WeightsError> {
        let (values, shape) = self.tensor(name)?;
        if shape == [length] { Ok(values) } else { Err(misfit(name, &format!("[{length}]"), &format!("{shape:?}"))) }
    }

    /// A convolution without bias and the batch norm behind it: `conv` and `norm` are the prefixes of their tensors.
    ///
    /// # Errors
    /// When a tensor is missing or misfits.
    pub fn conv(&self, (conv, norm): (&str, &str), stride: usize, pad: usize) -> Result<Conv, WeightsError> {
        let (mut weight, outputs, size) = self.windows(conv)?;
        let part = |name: &str| self.vector(&format!("{norm}.{name}"), outputs);
        let (scale, shift) = (part("weight")?, part("bias")?);
        let (mean, variance) = (part("running_mean")?, part("running_var")?);
        let mut bias = Vec::with_capacity(outputs);
        let each = weight.len() / outputs.max(1);
        let statistics = scale.iter().zip(shift).zip(mean.iter().zip(variance));
        for (row, ((scale, shift), (mean, variance))) in weight.chunks_exact_mut(each.max(1)).zip(statistics) {
            let factor = scale / (variance + EPSILON).sqrt();
            row.iter_mut().for_each(|weight| *weight *= factor);
            bias.push(shift - mean * factor);
        }
        Ok(Conv::new(weight, bias, size, stride, pad))
    }

    /// A convolution with a bias of its own.
    ///
    /// # Errors
    /// When a tensor is missing or misfits.
    pub fn conv_with_bias(&self, name: &str, stride: usize, pad: usize) -> Result<Conv, WeightsError> {
        let (weight, outputs, size) = self.windows(name)?;
        Ok(Conv::new(weight, self.vector(&format!("{name}.bias"), outputs)?, size, stride, pad))
    }

    /// A linear layer.
    ///
    /// # Errors
    /// When a tensor is missing or misfits.
    pub fn linear(&self, name: &str) -> Result<Linear, WeightsError> {
        let weight = format!("{name}.weight");
        let (values, shape) = self.tensor(&weight)?;
        let &[outputs, _] = shape.as_slice() else {
            return Err(misfit(&weight, "classes x features", &format!("{shape:?}")));
        };
        Ok(Linear::new(values, self.vector(&format!("{name}.bias"), outputs)?))
    }

    /// Weights of a convolution with a square window: values, outputs, side of the window.
    fn windows(&self, name: &str) -> Result<(Vec<f32>, usize, usize), WeightsError> {
        let name = format!("{name}.weight");
        let (values, shape) = self.tensor(&name)?;
        match *shape.as_slice() {
            [outputs, _, size, same] if size == same && outputs > 0 => Ok((values, outputs, size)),
            _ => Err(misfit(&name, "outputs x inputs x side x side", &format!("{shape:?}"))),
        }
    }
}

/// A mismatch of shapes.
pub(crate) fn misfit(name: &str, expected: &str, found: &str) -> WeightsError {
    WeightsError::Misfit { name: name.to_owned(), expected: expected.to_owned(), found: found.to_owned() }
}
