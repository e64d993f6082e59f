//! `model.json`: what is to be known of the weights beside the weights.

use serde::Deserialize;

/// The format that is read.
const FORMAT: &str = "wenzhen-tongue/1";

/// What the file says. Fields that are not known here are left alone.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Card {
    /// Name of the format.
    pub format: String,
    /// Version of the weights.
    pub version: String,
    /// What stands where there is no picture, in every channel.
    pub fill: u8,
    /// Means of the channels, on 0 to 1.
    pub mean: [f32; 3],
    /// Deviations of the channels, on 0 to 1.
    pub std: [f32; 3],
    /// The segmentation.
    pub segment: Segment,
    /// The square that is classified.
    pub crop: Crop,
    /// The unrolled rim, where some heads look at it.
    #[serde(default)]
    pub rim: Option<Rim>,
    /// The light that is aimed at.
    pub colour: Colour,
    /// What a picture must come to.
    pub quality: Thresholds,
    /// The heads, in the order in which they are told.
    pub heads: Vec<HeadCard>,
}

/// The segmentation.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Segment {
    /// Side of the square that it sees, in pixels.
    pub side: usize,
    /// A pixel counts from this probability on.
    pub threshold: f32,
}

/// The square that is classified.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Crop {
    /// Its side, in pixels.
    pub side: usize,
    /// What is added around the tongue, as a part of its longer side.
    pub margin: f32,
    /// Side of the window by which the mask is made larger, odd.
    pub alpha_dilate: usize,
}

/// The rim of the tongue, unrolled into a strip: columns go round the tip, rows from inside out.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Rim {
    /// Side of the square that it is sampled from, in pixels.
    pub side: usize,
    /// Angles, a multiple of 8.
    pub columns: usize,
    /// Distances from the centre, a multiple of 8.
    pub rows: usize,
    /// First and last angle in radians: 0 is right, a quarter turn is down.
    pub angles: [f32; 2],
    /// The outline is smoothed three times by a window of this many columns to both sides.
    pub smooth: usize,
    /// How far the strip reaches to both sides of the smoothed outline, in radii.
    pub reach: f32,
    /// Names of the heads that look at it.
    pub heads: Vec<String>,
}

/// The light that is aimed at.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Colour {
    /// Mean brightness of the tongue, 0 to 255.
    pub target_luma: f32,
    /// Smallest factor.
    pub min_gain: f32,
    /// Largest factor.
    pub max_gain: f32,
}

/// What a picture must come to.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Thresholds {
    /// Shorter side of the picture, in pixels.
    pub min_picture_px: f32,
    /// Mean brightness of the picture.
    pub min_picture_luma: f32,
    /// Probability of a tongue, by the segmentation.
    pub min_presence: f32,
    /// Share of the picture that the tongue takes up.
    pub min_mask_fraction: f32,
    /// Longer side of the tongue, in pixels of the picture.
    pub min_tongue_px: f32,
    /// Mean brightness of the tongue.
    pub min_tongue_luma: f32,
    /// Mean brightness of the tongue.
    pub max_tongue_luma: f32,
    /// Mean green over mean red, from and to.
    pub green_red: [f32; 2],
    /// Mean blue over mean green, from and to.
    pub blue_green: [f32; 2],
    /// Probability of a tongue, by its head.
    pub min_tongue: f32,
    /// Probability of being in focus.
    pub min_sharp: f32,
    /// Probability of being whole.
    pub min_whole: f32,
}

/// A head.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct HeadCard {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// Its classes, in the order of the logits.
    pub classes: Vec<String>,
    /// What it was trained on.
    pub provenance: Provenance,
    /// Logits are divided by it.
    pub temperature: f32,
    /// For each class, the probability from which on it is told.
    #[serde(default)]
    pub abstain: Vec<f32>,
    /// It is told at all.
    #[serde(default = "on")]
    pub enabled: bool,
}

/// What a head is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A feature of the tongue.
    Feature,
    /// Whether the picture is good enough.
    Quality,
}

/// What a head was trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provenance {
    /// On rendered tongues.
    Rendered,
    /// On photographs.
    Photographs,
}

fn on() -> bool {
    true
}

impl Card {
    /// Reads and checks a card.
    ///
    /// # Errors
    /// In words, what is wrong with it.
    pub fn read(json: &[u8]) -> Result<Self, String> {
        let card: Self = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        card.check().map(|()| card)
    }

    /// Name of the model, as it stands in pins.
    pub fn model_version(&self) -> String {
        format!("tongue-{}", self.version)
    }

    fn check(&self) -> Result<(), String> {
        let wrong = |field: &str, expected: &str| Err(format!("{field}: expected {expected}"));
        if self.format != FORMAT {
            return wrong("format", FORMAT);
        }
        if self.version.is_empty() || self.version.len() > 64 {
            return wrong("version", "1 to 64 bytes");
        }
        if !(32..=1024).contains(&self.segment.side) || !self.segment.side.is_multiple_of(16) {
            return wrong("segment.side", "a multiple of 16, 32 to 1024");
        }
        if !(32..=1024).contains(&self.crop.side) || !(0.0..=1.0).contains(&self.crop.margin) {
            return wrong("crop", "a side of 32 to 1024 and a margin of 0 to 1");
        }
        if self.crop.alpha_dilate.is_multiple_of(2) || self.crop.alpha_dilate > 63 {
            return wrong("crop.alpha_dilate", "an odd number, at most 63");
        }
        if let Some(rim) = &self.rim {
            let sides = (32..=1024).contains(&rim.side)
                && [rim.columns, rim.rows].iter().all(|n| (8..=1024).contains(n) && n.is_multiple_of(8));
            let [from, to] = rim.angles;
            let reach = (0.0..1.0).contains(&rim.reach) && from < to && to - from < std::f32::consts::TAU;
            if !sides || !reach || rim.smooth > 64 {
                return wrong("rim", "a side of 32 to 1024, columns and rows in eights, less than a turn and a radius");
            }
            if let Some(name) = rim.heads.iter().find(|name| self.heads.iter().all(|head| head.name != **name)) {
                return wrong("rim.heads", &format!("heads of this model, found `{name}`"));
            }
        }
        if self.std.iter().any(|deviation| deviation.is_nan() || *deviation <= 0.0) {
            return wrong("std", "values above 0");
        }
        for head in &self.heads {
            let fits = head.classes.len() >= 2
                && head.temperature > 0.0
                && (head.role == Role::Quality || head.abstain.len() == head.classes.len());
            if !fits {
                return wrong(&format!("heads.{}", head.name), "classes, a temperature above 0, a threshold a class");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const CARD: &str = r#"{
        "format": "wenzhen-tongue/1", "version": "test", "weights": "tongue.safetensors", "note": "left alone",
        "fill": 127, "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25],
        "segment": {"side": 32, "threshold": 0.5},
        "crop": {"side": 32, "margin": 0.1, "alpha_dilate": 3},
        "colour": {"target_luma": 150, "min_gain": 0.5, "max_gain": 2.0},
        "quality": {"min_picture_px": 16, "min_picture_luma": 20, "min_presence": 0.5,
          "min_mask_fraction": 0.02, "min_tongue_px": 8, "min_tongue_luma": 40, "max_tongue_luma": 250,
          "green_red": [0.4, 1.0], "blue_green": [0.7, 1.3], "min_tongue": 0.5, "min_sharp": 0.3, "min_whole": 0.3},
        "heads": [
          {"name": "coating_colour", "role": "feature", "classes": ["white", "light_yellow", "yellow"],
           "provenance": "rendered", "temperature": 2.0, "abstain": [0.6, 0.6, 0.6], "enabled": true},
          {"name": "sharp", "role": "quality", "classes": ["no", "yes"], "provenance": "rendered", "temperature": 1.0}]
    }"#;

    /// A rim of so many columns for a head, before what follows it in the card.
    fn rim(columns: usize, head: &str) -> String {
        format!(
            r#""rim": {{"side": 64, "columns": {columns}, "rows": 8, "angles": [-0.5, 3.5], "smooth": 4, "reach": 0.1,
            "heads": ["{head}"]}}, "colour":"#
        )
    }

    #[test]
    fn a_card_is_read_and_what_does_not_fit_is_named() {
        assert!(Card::read(CARD.replace("\"colour\":", &rim(64, "sharp")).as_bytes()).is_ok());
        let card = Card::read(CARD.as_bytes()).unwrap();
        assert_eq!((card.heads.len(), card.heads[1].enabled, card.model_version().as_str()), (2, true, "tongue-test"));
        for (from, to, named) in [
            ("tongue/1", "tongue/2", "format"),
            ("\"side\": 32, \"threshold\"", "\"side\": 33, \"threshold\"", "segment.side"),
            ("\"alpha_dilate\": 3", "\"alpha_dilate\": 4", "crop.alpha_dilate"),
            ("[0.6, 0.6, 0.6]", "[0.6, 0.6]", "heads.coating_colour"),
            ("0.25, 0.25, 0.25", "0.25, 0.0, 0.25", "std"),
            ("\"colour\":", rim(60, "sharp").as_str(), "rim"),
            ("\"colour\":", rim(64, "nose").as_str(), "nose"),
            ("\"fill\": 127", "\"fill\": 300", "fill"),
        ] {
            assert!(CARD.contains(from), "{from}");
            let error = Card::read(CARD.replace(from, to).as_bytes()).unwrap_err();
            assert!(error.contains(named) || named == "fill", "{named}: {error}");
        }
    }
}
