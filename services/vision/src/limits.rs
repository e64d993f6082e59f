//! What is taken of one picture. A request holds at most its file and one decoded picture, so that memory is bounded by
//! `max_bytes` for each call in flight and `max_decode_bytes` for each decoder at work.

use clap::{Args, value_parser};

/// Limits of one picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest file, in bytes.
    pub max_bytes: u64,
    /// Most pixels.
    pub max_pixels: u64,
    /// Longest side, in pixels.
    pub max_side: u32,
    /// Most memory for decoding, in bytes.
    pub max_decode_bytes: u64,
    /// Most parts of a stream.
    pub max_chunks: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_bytes: 16 << 20,
            max_pixels: 50_000_000,
            max_side: 16_384,
            max_decode_bytes: 256 << 20,
            max_chunks: 65_536,
        }
    }
}

/// The limits as flags.
#[derive(Args, Clone, Debug)]
pub struct PictureArgs {
    /// Longest file of a picture, in bytes; each call in flight may hold as much
    #[arg(long, env = "WENZHEN_MAX_PICTURE_BYTES", default_value = "16777216", value_parser = value_parser!(u64).range(1024..=268_435_456), help_heading = "Pictures")]
    max_picture_bytes: u64,
    /// Most pixels of a picture
    #[arg(long, env = "WENZHEN_MAX_PICTURE_PIXELS", default_value = "50000000", value_parser = value_parser!(u64).range(4096..=1_000_000_000), help_heading = "Pictures")]
    max_picture_pixels: u64,
    /// Most memory for decoding a picture, in bytes; each decoder at work may take as much
    #[arg(long, env = "WENZHEN_MAX_DECODE_BYTES", default_value = "268435456", value_parser = value_parser!(u64).range(1_048_576..=4_294_967_296), help_heading = "Pictures")]
    max_decode_bytes: u64,
}

impl PictureArgs {
    /// The limits.
    pub fn limits(&self) -> Limits {
        Limits {
            max_bytes: self.max_picture_bytes,
            max_pixels: self.max_picture_pixels,
            max_decode_bytes: self.max_decode_bytes,
            ..Limits::default()
        }
    }
}
