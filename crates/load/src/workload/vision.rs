//! Requests to vision: something red before a face-coloured ground, drawn anew each time, as a PNG in parts.

use std::io::Cursor;

use bytes::Bytes;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder as _};
use prost::Message as _;
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use wenzhen_proto::vision::v1::classify_tongue_request::Part;
use wenzhen_proto::vision::v1::{ClassifyTongueRequest, ImageHeader, MediaType};

use super::Materials;
use crate::error::LoadError;
use crate::wire::delimited;

/// Different pictures at most.
pub const PICTURES: usize = 24;
/// Sides of a picture, in pixels.
const SIDES: (u32, u32) = (360, 480);
/// Bytes of one part.
const CHUNK: usize = 64 << 10;

/// A picture in parts.
pub fn classify(materials: &Materials, random: &mut ChaCha8Rng) -> Result<Bytes, LoadError> {
    let file = picture(random)?;
    let header =
        ImageHeader { pins: materials.pins(), media_type: MediaType::Png as i32, size_bytes: file.len() as u64 };
    let parts = [Part::Header(header)].into_iter().chain(file.chunks(CHUNK).map(|chunk| Part::Chunk(chunk.to_vec())));
    Ok(delimited(parts.map(|part| ClassifyTongueRequest { part: Some(part) }.encode_to_vec())))
}

fn picture(random: &mut ChaCha8Rng) -> Result<Vec<u8>, LoadError> {
    let (width, height) = SIDES;
    let (across, down) = (random.random_range(0.2..0.35), random.random_range(0.25..0.4));
    let body: [u8; 3] = [random.random_range(150..215), random.random_range(80..130), random.random_range(85..135)];
    let ground: [u8; 3] = [random.random_range(90..220), random.random_range(80..180), random.random_range(70..160)];
    let mut pixels = Vec::with_capacity((width * height * 3) as usize);
    for y in 0..height {
        for x in 0..width {
            let (u, v) = (f64::from(x) / f64::from(width) - 0.5, f64::from(y) / f64::from(height) - 0.5);
            let inside = (u / across).hypot(v / down) < 1.0;
            let noise: u8 = random.random_range(0..12);
            pixels.extend(if inside { body } else { ground }.map(|value| value.saturating_add(noise)));
        }
    }
    let mut file = Vec::new();
    let encoder = PngEncoder::new_with_quality(Cursor::new(&mut file), CompressionType::Fast, FilterType::Sub);
    let drawn = encoder.write_image(&pixels, width, height, ExtendedColorType::Rgb8);
    drawn.map_err(|_| LoadError::Workload("a picture could not be drawn"))?;
    Ok(file)
}
