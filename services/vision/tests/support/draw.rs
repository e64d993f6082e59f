//! Pictures drawn here: something red and round on grey, as a file.

use std::io::Cursor;

use image::codecs::png::PngEncoder;
use image::codecs::webp::WebPEncoder;
use image::{ExtendedColorType, ImageEncoder as _};

/// Pixels of a red disc on grey, RGB.
pub fn disc(width: usize, height: usize) -> Vec<u8> {
    let mut pixels = Vec::with_capacity(width * height * 3);
    let radius = width.min(height) as f32 * 0.35;
    for y in 0..height {
        for x in 0..width {
            let (dx, dy) = (x as f32 - width as f32 / 2.0, y as f32 - height as f32 / 2.0);
            let inside = dx.hypot(dy) < radius;
            pixels.extend(if inside { [190, 110, 115] } else { [120, 120, 120] });
        }
    }
    pixels
}

/// A PNG of a disc.
pub fn png(width: usize, height: usize) -> Vec<u8> {
    encoded_png(&disc(width, height), width, height, ExtendedColorType::Rgb8)
}

/// A PNG of 16 bits a channel with transparency.
pub fn png16(width: usize, height: usize) -> Vec<u8> {
    let samples = disc(width, height);
    let deep: Vec<u8> = samples
        .chunks(3)
        .flat_map(|pixel| [pixel[0], pixel[1], pixel[2], 255])
        .flat_map(|value| (u16::from(value) * 257).to_ne_bytes())
        .collect();
    encoded_png(&deep, width, height, ExtendedColorType::Rgba16)
}

fn encoded_png(samples: &[u8], width: usize, height: usize, colour: ExtendedColorType) -> Vec<u8> {
    let mut file = Vec::new();
    let encoder = PngEncoder::new(Cursor::new(&mut file));
    encoder.write_image(samples, width as u32, height as u32, colour).unwrap();
    file
}

/// A lossless WebP of a disc.
pub fn webp(width: usize, height: usize) -> Vec<u8> {
    let mut file = Vec::new();
    let encoder = WebPEncoder::new_lossless(Cursor::new(&mut file));
    encoder.write_image(&disc(width, height), width as u32, height as u32, ExtendedColorType::Rgb8).unwrap();
    file
}

/// A baseline JPEG of a disc.
pub fn jpeg(width: usize, height: usize) -> Vec<u8> {
    let mut file = Vec::new();
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(Cursor::new(&mut file), 90);
    encoder.write_image(&disc(width, height), width as u32, height as u32, ExtendedColorType::Rgb8).unwrap();
    file
}

/// A JPEG with an EXIF orientation.
pub fn turned_jpeg(width: usize, height: usize, orientation: u8) -> Vec<u8> {
    let plain = jpeg(width, height);
    let mut exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
    let mut file = vec![0xFF, 0xD8, 0xFF, 0xE1];
    file.extend(u16::try_from(exif.len() + 2).unwrap().to_be_bytes());
    file.extend(exif);
    file.extend_from_slice(&plain[2..]);
    file
}

/// A chunk of a PNG, with its checksum.
pub fn png_chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut chunk = u32::try_from(data.len()).unwrap().to_be_bytes().to_vec();
    chunk.extend(kind);
    chunk.extend(data);
    let mut sum = u32::MAX;
    for byte in &chunk[4..] {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0xEDB8_8320 } else { sum >> 1 };
        }
    }
    chunk.extend((!sum).to_be_bytes());
    chunk
}

/// A PNG whose header says that it is this large, with next to nothing in it.
pub fn png_claiming(width: u32, height: u32) -> Vec<u8> {
    let mut header = Vec::new();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([8, 2, 0, 0, 0]);
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    file.extend(png_chunk(b"IHDR", &header));
    file.extend(png_chunk(b"IDAT", &[0x78, 0x9C, 0x03, 0x00, 0x00, 0x00, 0x00, 0x01]));
    file.extend(png_chunk(b"IEND", &[]));
    file
}

/// The PNG of a disc, said to be the first of two frames.
pub fn animated_png() -> Vec<u8> {
    let plain = png(40, 40);
    // After the signature (8) and the header (25).
    let (head, rest) = plain.split_at(33);
    let mut file = head.to_vec();
    file.extend(png_chunk(b"acTL", &[0, 0, 0, 2, 0, 0, 0, 0]));
    let mut frame = vec![0, 0, 0, 0, 0, 0, 0, 40, 0, 0, 0, 40];
    frame.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 10, 0, 0]);
    file.extend(png_chunk(b"fcTL", &frame));
    file.extend_from_slice(rest);
    file
}

/// A WebP that says that it is animated.
pub fn animated_webp() -> Vec<u8> {
    let mut body = b"WEBPVP8X".to_vec();
    body.extend([10, 0, 0, 0, 0b0000_0010, 0, 0, 0, 15, 0, 0, 15, 0, 0]);
    body.extend(b"ANIM\x06\0\0\0\0\0\0\0\0\0");
    let still = webp(16, 16);
    // The frame holds the picture's own chunk, which follows RIFF, size and WEBP.
    let mut frame = vec![0; 16];
    frame[6] = 15;
    frame[9] = 15;
    frame.extend_from_slice(&still[12..]);
    body.extend(b"ANMF");
    body.extend(u32::try_from(frame.len()).unwrap().to_le_bytes());
    body.extend(frame);
    let mut file = b"RIFF".to_vec();
    file.extend(u32::try_from(body.len()).unwrap().to_le_bytes());
    file.extend(body);
    file
}

/// A JPEG whose frame header says that it is this large.
pub fn jpeg_claiming(width: u16, height: u16) -> Vec<u8> {
    let mut file = jpeg(32, 32);
    let frame = file.windows(2).position(|mark| mark == [0xFF, 0xC0]).unwrap();
    file[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    file[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    file
}
