//! The networks, in plain f32 on the processor: what they need is convolution, pooling and sums, and a good matrix
//! product, so they stand on one (`gemm`, which is candle's too) and on nothing else.

pub mod conv;
mod im2col;
mod kernel;
mod linear;
mod planes;
mod pool;
pub mod resnet;
pub mod rim;
pub mod unet;
pub mod weights;

pub use conv::Conv;
pub use linear::Linear;
pub use planes::Planes;
pub use resnet::ResNet18;
pub use rim::RimNet;
pub use unet::Segmenter;
pub use weights::{Weights, WeightsError};
