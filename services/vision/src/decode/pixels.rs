//! Whatever pixels a decoder gives, as 8-bit RGB, upright and no larger than is of use.

use image::error::{ImageError, LimitErrorKind};
use image::{ColorType, ImageDecoder};

use super::{WORKING_SIDE, memory, size};
use crate::error::{Error, Excess};
use crate::limits::Limits;
use crate::picture::{Picture, Turn};

/// What shines through where a picture is transparent.
const BEHIND: u32 = 255;

/// The limits as the decoders take them.
pub(super) fn bounds(limits: &Limits) -> image::Limits {
    let mut bounds = image::Limits::no_limits();
    bounds.max_image_width = Some(limits.max_side);
    bounds.max_image_height = Some(limits.max_side);
    bounds.max_alloc = Some(limits.max_decode_bytes);
    bounds
}

/// Decodes to the end.
pub(super) fn all(mut decoder: impl ImageDecoder, limits: &Limits) -> Result<Picture, Error> {
    let (width, height) = decoder.dimensions();
    let (width, height) = size(width, height, limits)?;
    let (colour, bytes) = (decoder.color_type(), decoder.total_bytes());
    let layout = Layout::of(colour).ok_or(Error::Unsupported("pictures with such colours"))?;
    let factor = factor(width.max(height));
    memory(bytes + (width / factor * (height / factor) * 3) as u64, limits)?;
    // Orientation is a hint: a picture without one, or with a broken one, is taken as it is.
    let orientation = decoder.orientation().map_or(1, image::metadata::Orientation::to_exif);
    let mut samples = vec![0; usize::try_from(bytes).map_err(|_| Error::Damaged)?];
    decoder.read_image(&mut samples).map_err(refused(limits))?;
    let (narrow, low) = ((width / factor).max(1), (height / factor).max(1));
    let mut pixels = Vec::with_capacity(narrow * low * 3);
    for y in 0..low {
        for x in 0..narrow {
            pixels.extend(layout.mean(
                &samples,
                width,
                (x * factor, y * factor),
                (factor.min(width), factor.min(height)),
            ));
        }
    }
    let mut picture = Picture::new(narrow, low, pixels).ok_or(Error::Damaged)?;
    picture.shrunk = factor as f32;
    Ok(picture.turned(Turn::of_exif(orientation)))
}

/// By how much the sides are divided, as JPEG does it.
fn factor(longer: usize) -> usize {
    [8, 4, 2].into_iter().find(|factor| longer / factor >= WORKING_SIDE).unwrap_or(1)
}

/// Where the samples of a pixel are.
struct Layout {
    channels: usize,
    bytes: usize,
    alpha: bool,
}

impl Layout {
    fn of(colour: ColorType) -> Option<Self> {
        let (channels, bytes, alpha) = match colour {
            ColorType::L8 => (1, 1, false),
            ColorType::La8 => (2, 1, true),
            ColorType::Rgb8 => (3, 1, false),
            ColorType::Rgba8 => (4, 1, true),
            ColorType::L16 => (1, 2, false),
            ColorType::La16 => (2, 2, true),
            ColorType::Rgb16 => (3, 2, false),
            ColorType::Rgba16 => (4, 2, true),
            _ => return None,
        };
        Some(Self { channels, bytes, alpha })
    }

    /// The mean colour of a box of pixels.
    fn mean(&self, samples: &[u8], width: usize, (x, y): (usize, usize), (wide, high): (usize, usize)) -> [u8; 3] {
        let mut sums = [0_u32; 3];
        for line in y..y + high {
            for column in x..x + wide {
                let at = (line * width + column) * self.channels * self.bytes;
                let pixel = samples.get(at..at + self.channels * self.bytes).unwrap_or_default();
                sums.iter_mut().zip(self.rgb(pixel)).for_each(|(sum, value)| *sum += value);
            }
        }
        let count = u32::try_from(wide * high).unwrap_or(1).max(1);
        sums.map(|sum| u8::try_from((sum + count / 2) / count).unwrap_or(u8::MAX))
    }

    /// A pixel over what is behind it, 0 to 255.
    fn rgb(&self, pixel: &[u8]) -> [u32; 3] {
        let colours = self.channels - usize::from(self.alpha);
        let [r, g, b] = [0, 1, 2].map(|channel| self.sample(pixel, channel.min(colours - 1)));
        let alpha = if self.alpha { self.sample(pixel, colours) } else { 255 };
        [r, g, b].map(|value| (value * alpha + BEHIND * (255 - alpha) + 127) / 255)
    }

    fn sample(&self, pixel: &[u8], channel: usize) -> u32 {
        let at = channel * self.bytes;
        let byte = |at: usize| pixel.get(at).copied().unwrap_or(0);
        match self.bytes {
            // Decoders give samples of 16 bits in the machine's own order.
            2 => u32::from(u16::from_ne_bytes([byte(at), byte(at + 1)]) >> 8),
            _ => u32::from(byte(at)),
        }
    }
}

/// What a decoder refuses; its own words may quote the file, so they are not repeated.
pub(super) fn refused(limits: &Limits) -> impl Fn(ImageError) -> Error {
    let limits = *limits;
    move |error| match error {
        ImageError::Limits(limit) if limit.kind() == LimitErrorKind::DimensionError => {
            let limit = u64::from(limits.max_side);
            Error::Limit { what: Excess::Side, limit, got: limit + 1, unit: "pixels" }
        }
        ImageError::Limits(_) => {
            let limit = limits.max_decode_bytes;
            Error::Limit { what: Excess::Memory, limit, got: limit + 1, unit: "bytes" }
        }
        ImageError::Unsupported(_) => Error::Unsupported("pictures of this kind"),
        _ => Error::Damaged,
    }
}
