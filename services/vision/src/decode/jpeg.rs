//! JPEG, made smaller while its blocks are transformed: an eighth, a quarter or a half of each side costs as much less.

use std::io::Cursor;

use image::metadata::Orientation;
use jpeg_decoder::{CodingProcess, Decoder, Error as JpegError, PixelFormat};

use super::{WORKING_SIDE, memory, size};
use crate::error::Error;
use crate::limits::Limits;
use crate::picture::{Picture, Turn};

/// Bytes of a coefficient, which a progressive file keeps of all its components until its end.
const COEFFICIENT: u64 = 2;

pub(super) fn decode(file: &[u8], limits: &Limits) -> Result<Picture, Error> {
    let mut decoder = Decoder::new(Cursor::new(file));
    decoder.set_max_decoding_buffer_size(usize::try_from(limits.max_decode_bytes).unwrap_or(usize::MAX));
    decoder.read_info().map_err(refused)?;
    let info = decoder.info().ok_or(Error::Damaged)?;
    let (width, height) = size(u32::from(info.width), u32::from(info.height), limits)?;
    match (info.coding_process, info.pixel_format) {
        (CodingProcess::Lossless, _) => return Err(Error::Unsupported("lossless JPEG files")),
        (_, PixelFormat::CMYK32) => return Err(Error::Unsupported("JPEG files for print (CMYK)")),
        (_, PixelFormat::L16) => return Err(Error::Unsupported("16-bit JPEG files")),
        (_, PixelFormat::L8 | PixelFormat::RGB24) => {}
    }
    let side = u16::try_from(WORKING_SIDE).unwrap_or(u16::MAX);
    let (narrow, low) = decoder.scale(side, side).map_err(refused)?;
    let made = u64::from(narrow) * u64::from(low);
    let kept = match info.coding_process {
        CodingProcess::DctProgressive => (width * height) as u64 * 3 * COEFFICIENT,
        CodingProcess::DctSequential | CodingProcess::Lossless => 0,
    };
    // Planes of the components, and the pixels made from them.
    memory(kept + made * 6, limits)?;
    let pixels = decoder.decode().map_err(refused)?;
    let pixels = match info.pixel_format {
        PixelFormat::L8 => pixels.iter().flat_map(|grey| [*grey; 3]).collect(),
        _ => pixels,
    };
    let orientation = decoder.exif_data().and_then(Orientation::from_exif_chunk).map_or(1, Orientation::to_exif);
    let mut picture = Picture::new(usize::from(narrow), usize::from(low), pixels).ok_or(Error::Damaged)?;
    picture.shrunk = width as f32 / f32::from(narrow).max(1.0);
    Ok(picture.turned(Turn::of_exif(orientation)))
}

/// The decoder's own words may quote the file, so they are not repeated.
fn refused(error: JpegError) -> Error {
    match error {
        JpegError::Unsupported(_) => Error::Unsupported("JPEG files of this kind"),
        JpegError::Format(_) | JpegError::Io(_) | JpegError::Internal(_) => Error::Damaged,
    }
}
