//! PNG, of 8 or 16 bits, with or without transparency; not animated.

use std::io::Cursor;

use image::codecs::png::PngDecoder;

use super::pixels::{self, bounds};
use super::size;
use crate::error::Error;
use crate::limits::Limits;
use crate::picture::Picture;

pub(super) fn decode(file: &[u8], limits: &Limits) -> Result<Picture, Error> {
    // The header comes first, at a fixed place: what it says is refused before any decoder allocates for it.
    let side = |at: usize| file.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
    let (width, height) = (side(16).ok_or(Error::Damaged)?, side(20).ok_or(Error::Damaged)?);
    size(width, height, limits)?;
    let decoder = PngDecoder::with_limits(Cursor::new(file), bounds(limits)).map_err(pixels::refused(limits))?;
    if decoder.is_apng().map_err(pixels::refused(limits))? {
        return Err(Error::Unsupported("animated pictures"));
    }
    pixels::all(decoder, limits)
}
