//! The engine in this process: Qwen2, Qwen2.5, Qwen3 and Llama 3 on the CPU or a GPU, many sequences at once.
//!
//! - `config.rs`, `rope.rs`: the shape of a model, positions
//! - `weights/`: safetensors and GGUF
//! - `decoder.rs`: one pass over any mix of rows; `target.rs`, `open.rs`: where it is computed
//! - `cpu.rs`, `linear.rs`, `kv.rs`: on the processor; matrices in the forms in which they are multiplied, what it
//!   remembers
//! - `tensor/`: with candle's tensors, on a GPU
//! - `tokens.rs`, `template.rs`, `grammar.rs`, `sampler.rs`: from a dialogue to tokens, and from logits to text
//! - `scheduler/`: the one thread that owns the decoder; `engine.rs`: the engine around it
//! - `random/`: models with random weights, for tests and measurements
//! - `kernels/`: the arithmetic, with all `unsafe`

mod config;
mod cpu;
mod decoder;
mod engine;
mod error;
mod grammar;
mod kernels;
mod kv;
mod linear;
pub mod measure;
mod open;
pub mod random;
mod rope;
mod sampler;
mod scheduler;
mod target;
mod template;
mod tensor;
mod tokens;
mod weights;

pub use config::{Config, Family};
pub use decoder::{Decoder, Row};
pub use engine::{Candle, Options};
pub use error::LoadError;
pub use open::Room;
pub use rope::{Pairing, Rope};
pub use target::Target;
pub use weights::Form;
