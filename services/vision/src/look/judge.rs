//! The verdict on a picture, step by step as it becomes possible. Pure.

use wenzhen_proto::vision::v1::{Measured, Quality};

use super::crop::Crop;
use super::letterbox::Letterbox;
use super::mask::Mask;
use super::{luma, sigmoid};
use crate::card::Card;
use crate::picture::Picture;

/// What is wrong with a picture.
pub type Refused = Quality;

/// The size of a picture, and its light as a whole.
///
/// # Errors
/// What is wrong with it.
pub fn picture(picture: &Picture, letterbox: &Letterbox, card: &Card, measured: &mut Measured) -> Result<(), Refused> {
    let of_file = |length: usize| (length as f32 * picture.shrunk + 0.5) as u32;
    measured.width = of_file(picture.width());
    measured.height = of_file(picture.height());
    measured.picture_brightness = letterbox.luma;
    if (measured.width.min(measured.height) as f32) < card.quality.min_picture_px {
        return Err(Quality::TooSmall);
    }
    if letterbox.luma < card.quality.min_picture_luma { Err(Quality::TooDark) } else { Ok(()) }
}

/// Whether there is a tongue, and how large.
///
/// # Errors
/// What is wrong with it.
pub fn tongue(
    (picture, letterbox): (&Picture, &Letterbox),
    (logits, presence): (&[f32], f32),
    card: &Card,
    measured: &mut Measured,
) -> Result<Mask, Refused> {
    measured.presence = sigmoid(presence);
    if measured.presence < card.quality.min_presence {
        return Err(Quality::NotATongue);
    }
    let mask = Mask::new(logits, letterbox, card.segment.threshold).ok_or(Quality::NotATongue)?;
    measured.tongue_area = mask.area as f32 / (letterbox.width * letterbox.height) as f32;
    if measured.tongue_area < card.quality.min_mask_fraction {
        return Err(Quality::NotATongue);
    }
    measured.tongue_side = mask.longer() as f32 / letterbox.scale * picture.shrunk;
    if measured.tongue_side < card.quality.min_tongue_px { Err(Quality::TooSmall) } else { Ok(mask) }
}

/// The light on the tongue.
///
/// # Errors
/// What is wrong with it.
pub fn light(crop: &Crop, card: &Card, measured: &mut Measured) -> Result<(), Refused> {
    let mean = crop.mean.ok_or(Quality::NotATongue)?;
    let [red, green, blue] = mean.map(|value| value.max(1.0));
    measured.brightness = luma(mean);
    measured.green_red = green / red;
    measured.blue_green = blue / green;
    let within = |value: f32, [low, high]: [f32; 2]| (low..=high).contains(&value);
    if measured.brightness < card.quality.min_tongue_luma {
        return Err(Quality::TooDark);
    }
    if measured.brightness > card.quality.max_tongue_luma {
        return Err(Quality::TooBright);
    }
    let white =
        within(measured.green_red, card.quality.green_red) && within(measured.blue_green, card.quality.blue_green);
    if white { Ok(()) } else { Err(Quality::ColourCast) }
}

/// What the heads that judge say: probabilities of a tongue, of being in focus, of being whole; 1 for a head that there
/// is not.
///
/// # Errors
/// What is wrong with it.
pub fn heads([tongue, sharp, whole]: [f32; 3], card: &Card, measured: &mut Measured) -> Result<(), Refused> {
    (measured.tongue, measured.sharp, measured.whole) = (tongue, sharp, whole);
    if tongue < card.quality.min_tongue {
        return Err(Quality::NotATongue);
    }
    if sharp < card.quality.min_sharp {
        return Err(Quality::Blurred);
    }
    if whole < card.quality.min_whole { Err(Quality::Covered) } else { Ok(()) }
}
