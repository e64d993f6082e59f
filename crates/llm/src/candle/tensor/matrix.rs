//! Matrices on a device, in the kinds in which candle multiplies them.

use std::sync::Arc;

use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{DType, Device, Result, Tensor};
use half::{bf16, f16};

use crate::candle::error::LoadError;
use crate::candle::weights::{Form, Maker, Stored};

/// A matrix of weights, `outputs × width`. It maps rows of `width` numbers to rows of `outputs`, f32 to f32.
pub(crate) enum Matrix {
    /// `[output][input]`, f32 or bf16.
    Dense(Tensor),
    /// Blocks of few bits, as GGUF holds them: parts beside each other.
    Blocks(Vec<Arc<QTensor>>),
}

impl Matrix {
    /// Bytes that a pass over it reads.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Dense(weights) => weights.elem_count() * weights.dtype().size_in_bytes(),
            Self::Blocks(parts) => parts.iter().map(|part| part.storage_size_in_bytes()).sum(),
        }
    }

    /// Multiplies rows.
    pub(crate) fn apply(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Dense(weights) => x.to_dtype(weights.dtype())?.matmul(&weights.t()?)?.to_dtype(DType::F32),
            Self::Blocks(parts) => {
                let x = x.contiguous()?;
                let parts = parts.iter().map(|part| x.apply_op1_no_bwd(part.as_ref())).collect::<Result<Vec<_>>>()?;
                if let [only] = parts.as_slice() { Ok(only.clone()) } else { Tensor::cat(&parts, 1) }
            }
        }
    }

    /// Rows of the matrix: the embeddings of tokens.
    pub(crate) fn rows(&self, ids: &Tensor) -> Result<Tensor> {
        match self {
            Self::Dense(weights) => weights.index_select(ids, 0)?.to_dtype(DType::F32),
            Self::Blocks(parts) => {
                let part = parts.first().ok_or_else(|| candle_core::Error::msg("a matrix without parts"))?;
                part.embedding(ids)
            }
        }
    }
}

/// Makes matrices and vectors on a device.
pub(crate) struct Make {
    pub(crate) form: Form,
    pub(crate) device: Device,
}

impl Maker for Make {
    type Matrix = Matrix;
    type Vector = Tensor;

    fn matrix(&self, parts: Vec<Stored>, outputs: &[usize], width: usize) -> std::result::Result<Matrix, LoadError> {
        let shaped = parts.into_iter().zip(outputs.iter().map(|outputs| (*outputs, width)));
        let parts = shaped.map(|(part, shape)| self.part(part, shape)).collect::<std::result::Result<Vec<_>, _>>()?;
        if let Some(blocks) = parts.iter().map(Part::blocks).collect() {
            return Ok(Matrix::Blocks(blocks));
        }
        let parts = parts.iter().map(|part| part.dense(&self.device)).collect::<Result<Vec<_>>>()?;
        let same = parts.windows(2).all(|pair| pair[0].dtype() == pair[1].dtype());
        let wide = |part: Tensor| if same { Ok(part) } else { part.to_dtype(DType::F32) };
        let parts = parts.into_iter().map(wide).collect::<Result<Vec<_>>>()?;
        Ok(Matrix::Dense(Tensor::cat(&parts, 0)?))
    }

    fn vector(&self, numbers: Vec<f32>) -> std::result::Result<Tensor, LoadError> {
        Ok(Tensor::new(numbers, &self.device)?)
    }
}

/// A part of a matrix on the device.
enum Part {
    Dense(Tensor),
    Blocks(Arc<QTensor>),
}

impl Part {
    fn blocks(&self) -> Option<Arc<QTensor>> {
        match self {
            Self::Blocks(blocks) => Some(Arc::clone(blocks)),
            Self::Dense(_) => None,
        }
    }

    fn dense(&self, device: &Device) -> Result<Tensor> {
        match self {
            Self::Dense(tensor) => Ok(tensor.clone()),
            Self::Blocks(blocks) => blocks.dequantize(device),
        }
    }
}

impl Make {
    /// Brings a part to the device. f16 becomes bf16: inputs of the last product of a block can be beyond f16's range.
    fn part(&self, stored: Stored, shape: (usize, usize)) -> std::result::Result<Part, LoadError> {
        let eighth = shape.1.is_multiple_of(GgmlDType::Q8_0.block_size());
        let dense = match (self.form, stored) {
            (Form::F32, stored) => Tensor::from_vec(stored.numbers()?, shape, &self.device)?,
            (Form::Q8, stored @ (Stored::F32(_) | Stored::F16(_) | Stored::Bf16(_))) if eighth => {
                let numbers = Tensor::from_vec(stored.numbers()?, shape, &Device::Cpu)?;
                return Ok(Part::Blocks(self.moved(Arc::new(QTensor::quantize(&numbers, GgmlDType::Q8_0)?))?));
            }
            (Form::Stored | Form::Q8, Stored::F32(numbers)) => Tensor::from_vec(numbers, shape, &self.device)?,
            (Form::Stored | Form::Q8, Stored::F16(bits)) => {
                let numbers = bits.into_iter().map(|bits| bf16::from_f32(f16::from_bits(bits).to_f32()));
                Tensor::from_vec(numbers.collect(), shape, &self.device)?
            }
            (Form::Stored | Form::Q8, Stored::Bf16(bits)) => {
                let numbers: Vec<bf16> = bits.into_iter().map(bf16::from_bits).collect();
                Tensor::from_vec(numbers, shape, &self.device)?
            }
            (Form::Stored | Form::Q8, blocks) => return Ok(Part::Blocks(self.moved(blocks.tensor(shape)?)?)),
        };
        Ok(Part::Dense(dense))
    }

    /// Blocks of the process's memory on the device.
    fn moved(&self, tensor: Arc<QTensor>) -> Result<Arc<QTensor>> {
        if self.device.is_cpu() {
            return Ok(tensor);
        }
        let storage = QStorage::from_data(tensor.data()?, &self.device, tensor.dtype())?;
        Ok(Arc::new(QTensor::new(storage, tensor.shape().clone())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: (usize, usize) = (3, 256);

    fn numbers(shift: u16) -> Vec<f32> {
        (0u16..3 * 256).map(|i| f32::from((i * 7 + shift) % 29) / 29.0 - 0.5).collect()
    }

    fn blocks(kind: GgmlDType) -> Stored {
        let tensor = Tensor::from_vec(numbers(5), SHAPE, &Device::Cpu).unwrap();
        Stored::Candle(Arc::new(QTensor::quantize(&tensor, kind).unwrap()))
    }

    fn made(form: Form, parts: Vec<Stored>) -> Matrix {
        let outputs = vec![SHAPE.0; parts.len()];
        Make { form, device: Device::Cpu }.matrix(parts, &outputs, SHAPE.1).unwrap()
    }

    fn furthest(a: &Tensor, b: &Tensor) -> f32 {
        let far = (a - b).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap();
        far.to_scalar().unwrap()
    }

    #[test]
    fn blocks_stay_blocks_of_their_own_kinds() {
        let matrix = made(Form::Stored, vec![blocks(GgmlDType::Q4K), blocks(GgmlDType::Q6K)]);
        assert!(matches!(&matrix, Matrix::Blocks(parts) if parts[0].dtype() == GgmlDType::Q4K && parts.len() == 2));
        // 144 bytes for 256 weights of Q4_K, 210 of Q6_K.
        assert_eq!(matrix.bytes(), 3 * (144 + 210));
        let x = Tensor::from_vec(numbers(11), SHAPE, &Device::Cpu).unwrap();
        let found = matrix.apply(&x).unwrap();
        let wide = made(Form::F32, vec![blocks(GgmlDType::Q4K), blocks(GgmlDType::Q6K)]);
        assert!(matches!(wide, Matrix::Dense(_)));
        assert_eq!(found.dims(), [3, 6]);
        // candle rounds the inputs to 8 bits.
        assert!(furthest(&found, &wide.apply(&x).unwrap()) < 0.05);
        let ids = Tensor::new(&[2u32, 0], &Device::Cpu).unwrap();
        assert!(furthest(&matrix.rows(&ids).unwrap(), &wide.rows(&ids).unwrap()) < 1e-6);
    }

    #[test]
    fn full_rows_are_kept_in_what_holds_them() {
        let halves = || Stored::F16(numbers(3).into_iter().map(|x| f16::from_f32(x).to_bits()).collect());
        let kind = |form, parts| match made(form, parts) {
            Matrix::Dense(weights) => Some(weights.dtype()),
            Matrix::Blocks(_) => None,
        };
        let wide = || Stored::F32(numbers(3));
        assert_eq!(kind(Form::Stored, vec![halves(), halves()]), Some(DType::BF16));
        assert_eq!(kind(Form::Stored, vec![wide()]), Some(DType::F32));
        assert_eq!(kind(Form::Stored, vec![wide(), halves()]), Some(DType::F32));
        assert_eq!(kind(Form::Stored, vec![halves(), blocks(GgmlDType::Q4K)]), Some(DType::F32));
        assert_eq!(kind(Form::F32, vec![halves()]), Some(DType::F32));
        assert_eq!(kind(Form::Q8, vec![halves(), wide()]), None);
    }
}
