//! Empathy service: emotion assessment and dual-stage rewriting around the facts.
//!
//! [`assess`] reads what a message shows of feelings, by the pack's lexicon ([`lexicon`]).
//! [`modulate`] brings comfort and a draft's facts together in one of three orders (dual-stage
//! generation, Kim, Choi and Huang 2026: a factual draft first, then an empathy stage conditioned on
//! emotion type, intensity and necessity). Both are pure; [`server`] is the gRPC shell around them. Where there
//! is a language model, `voice` lets it do both, sentence by sentence under guard.

pub mod assess;
pub mod choice;
pub mod error;
pub mod lexicon;
pub mod modulate;
pub mod server;
mod voice;

pub use assess::Assessor;
pub use error::Error;
pub use server::EmpathyServer;
