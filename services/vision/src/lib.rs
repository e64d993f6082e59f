//! Vision service: a photograph of a tongue becomes findings, or a word on what is wrong with it.
//!
//! A picture is received ([`receive`]) and decoded ([`decode`]) within limits, and waits for its batch ([`batch`]).
//! The model ([`engine`]) finds the tongue, judges the picture ([`look::judge`]), evens out its light and reads it. What
//! follows from its probabilities is decided by rule ([`decide`]) and by the pack's table. [`server`] is the gRPC shell.
//! Nothing of a picture is written anywhere, logged or kept.

pub mod batch;
pub mod card;
pub mod decide;
pub mod decode;
pub mod engine;
pub mod error;
pub mod limits;
pub mod look;
pub mod metrics;
pub mod model;
pub mod net;
pub mod picture;
pub mod receive;
pub mod resize;
pub mod server;

pub use batch::Gathering;
pub use engine::Engine;
pub use error::Error;
pub use limits::Limits;
pub use metrics::VisionMetrics;
pub use server::{Settings, VisionServer};
