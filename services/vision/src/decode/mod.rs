//! From the bytes of a file to a picture, within limits.
//!
//! The declared type must be that of the first bytes. Sizes are read from the header and refused before anything is
//! allocated for them. What follows the end of the picture is never looked at: phones put films and other pictures
//! there. Of the metadata only the orientation is used; all of it is dropped.

mod jpeg;
mod pixels;
mod png;
mod webp;

use wenzhen_proto::vision::v1::MediaType;

use crate::error::{Error, Excess};
use crate::limits::Limits;
use crate::picture::Picture;

/// Decoding may make a picture smaller as long as its longer side keeps so many pixels.
pub const WORKING_SIDE: usize = 960;

/// Decodes a file that was declared to be of this type.
///
/// # Errors
/// When it is something else, above a limit, of a kind that is not read, or damaged.
pub fn decode(media: MediaType, file: &[u8], limits: &Limits) -> Result<Picture, Error> {
    begins_as(media, file)?;
    match media {
        MediaType::Jpeg => jpeg::decode(file, limits),
        MediaType::Png => png::decode(file, limits),
        MediaType::Webp => webp::decode(file, limits),
        MediaType::Unspecified => Err(Error::Invalid("header.media_type", "JPEG, PNG or WebP")),
    }
}

/// Checks that a file begins as its type does; a file that is too short to tell is damaged.
///
/// # Errors
/// When it does not.
pub fn begins_as(media: MediaType, file: &[u8]) -> Result<(), Error> {
    match kind(file) {
        Some(found) if found == media => Ok(()),
        Some(found) => Err(Error::Type { declared: name(media), found: name(found) }),
        None if file.len() < LONGEST_MARK => Err(Error::Damaged),
        None => Err(Error::Type { declared: name(media), found: "something else" }),
    }
}

/// Bytes by which every type can be told.
pub const LONGEST_MARK: usize = 12;

fn kind(file: &[u8]) -> Option<MediaType> {
    match file {
        [0xFF, 0xD8, 0xFF, ..] => Some(MediaType::Jpeg),
        [0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A, ..] => Some(MediaType::Png),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(MediaType::Webp),
        _ => None,
    }
}

fn name(media: MediaType) -> &'static str {
    match media {
        MediaType::Unspecified => "nothing",
        MediaType::Jpeg => "JPEG",
        MediaType::Png => "PNG",
        MediaType::Webp => "WebP",
    }
}

/// The size of a picture as its header says; refused above the limits.
fn size(width: u32, height: u32, limits: &Limits) -> Result<(usize, usize), Error> {
    let (longer, pixels) = (width.max(height), u64::from(width) * u64::from(height));
    if longer > limits.max_side {
        let (limit, got) = (u64::from(limits.max_side), u64::from(longer));
        return Err(Error::Limit { what: Excess::Side, limit, got, unit: "pixels" });
    }
    if pixels > limits.max_pixels {
        return Err(Error::Limit { what: Excess::Pixels, limit: limits.max_pixels, got: pixels, unit: "pixels" });
    }
    match (usize::try_from(width), usize::try_from(height)) {
        (Ok(width), Ok(height)) if pixels > 0 => Ok((width, height)),
        _ => Err(Error::Damaged),
    }
}

/// Refuses what would take more memory than it may.
fn memory(bytes: u64, limits: &Limits) -> Result<(), Error> {
    let limit = limits.max_decode_bytes;
    if bytes > limit { Err(Error::Limit { what: Excess::Memory, limit, got: bytes, unit: "bytes" }) } else { Ok(()) }
}
