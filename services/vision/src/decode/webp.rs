//! WebP, lossy or lossless; not animated.

use std::io::Cursor;

use image::ImageDecoder as _;
use image::codecs::webp::WebPDecoder;

use super::pixels::{self, bounds};
use super::{memory, size};
use crate::error::Error;
use crate::limits::Limits;
use crate::picture::Picture;

/// Bytes of a pixel that the decoder keeps beside those that it gives.
const BESIDE: u64 = 4;

pub(super) fn decode(file: &[u8], limits: &Limits) -> Result<Picture, Error> {
    let mut decoder = WebPDecoder::new(Cursor::new(file)).map_err(pixels::refused(limits))?;
    let (width, height) = decoder.dimensions();
    size(width, height, limits)?;
    if decoder.has_animation() {
        return Err(Error::Unsupported("animated pictures"));
    }
    memory(u64::from(width) * u64::from(height) * BESIDE + decoder.total_bytes(), limits)?;
    decoder.set_limits(bounds(limits)).map_err(pixels::refused(limits))?;
    pixels::all(decoder, limits)
}
