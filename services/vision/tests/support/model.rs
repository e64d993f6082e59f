//! A tiny model: the layout of the shipped one with a trunk 4 wide, weights drawn by a formula, and a segmentation that
//! marks everything, so that any picture comes to its end.

use std::collections::BTreeMap;

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use wenzhen_vision::Engine;

const CARD: &str = r#"{
    "format": "wenzhen-tongue/1", "version": "tiny", "fill": 127, "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25],
    "segment": {"side": 32, "threshold": 0.5},
    "crop": {"side": 32, "margin": 0.1, "alpha_dilate": 3},
    "colour": {"target_luma": 150, "min_gain": 0.5, "max_gain": 2.0},
    "quality": {"min_picture_px": 8, "min_picture_luma": 20, "min_presence": 0.5,
      "min_mask_fraction": 0.02, "min_tongue_px": 8, "min_tongue_luma": 40, "max_tongue_luma": 250,
      "green_red": [0.4, 1.2], "blue_green": [0.7, 1.3], "min_tongue": 0.0, "min_sharp": 0.0, "min_whole": 0.0},
    "heads": [
      {"name": "coating_colour", "role": "feature", "classes": ["white", "light_yellow", "yellow"],
       "provenance": "rendered", "temperature": 1.0, "abstain": [0.4, 0.4, 0.4], "enabled": true},
      {"name": "fissures", "role": "feature", "classes": ["none", "light", "severe"],
       "provenance": "rendered", "temperature": 1.0, "abstain": [1.0, 1.0, 1.0], "enabled": true},
      {"name": "tooth_marks", "role": "feature", "classes": ["none", "light", "severe"],
       "provenance": "photographs", "temperature": 1.0, "abstain": [0.1, 0.1, 0.1], "enabled": false},
      {"name": "sharp", "role": "quality", "classes": ["no", "yes"], "provenance": "rendered", "temperature": 1.0}]
}"#;

/// The tensors of a file in the making: name to shape and values.
type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// The tiny model.
pub fn engine() -> Engine {
    Engine::load(CARD.as_bytes(), &file(&tensors())).unwrap()
}

/// The card of the tiny model.
pub fn card() -> &'static str {
    CARD
}

/// A safetensors file.
pub fn file(tensors: &Tensors) -> Vec<u8> {
    let bytes: BTreeMap<_, Vec<u8>> =
        tensors.iter().map(|(name, (_, data))| (name, data.iter().flat_map(|v| v.to_le_bytes()).collect())).collect();
    let views = tensors
        .iter()
        .map(|(name, (shape, _))| (name.clone(), TensorView::new(Dtype::F32, shape.clone(), &bytes[name]).unwrap()));
    safetensors::serialize(views, None).unwrap()
}

/// Its tensors.
pub fn tensors() -> Tensors {
    let mut tensors = Tensors::new();
    let mut conv = |name: &str, norm: &str, outputs: usize, inputs: usize, size: usize| {
        let count = outputs * inputs * size * size;
        let scale = (2.0 / (inputs * size * size) as f32).sqrt();
        let seed = tensors.len() * 31;
        let weight = (0..count).map(|i| (((i + seed) * 7919 % 1009) as f32 / 504.5 - 1.0) * scale).collect();
        tensors.insert(format!("{name}.weight"), (vec![outputs, inputs, size, size], weight));
        for (part, value) in [("weight", 1.0), ("bias", 0.05), ("running_mean", 0.01), ("running_var", 0.9)] {
            tensors.insert(format!("{norm}.{part}"), (vec![outputs], vec![value; outputs]));
        }
    };
    conv("conv1", "bn1", 4, 3, 7);
    for layer in 1..=4 {
        let outputs = 4 << (layer - 1);
        for at in 0..2 {
            let inputs = if at == 0 && layer > 1 { outputs / 2 } else { outputs };
            let name = format!("layer{layer}.{at}");
            conv(&format!("{name}.conv1"), &format!("{name}.bn1"), outputs, inputs, 3);
            conv(&format!("{name}.conv2"), &format!("{name}.bn2"), outputs, outputs, 3);
            if inputs != outputs {
                conv(&format!("{name}.downsample.0"), &format!("{name}.downsample.1"), outputs, inputs, 1);
            }
        }
    }
    let mut block =
        |name: &str, inputs| conv(&format!("segment.{name}.conv"), &format!("segment.{name}.bn"), 2, inputs, 3);
    block("enc1", 3);
    for level in 2..=5 {
        block(&format!("enc{level}.0"), 2);
        block(&format!("enc{level}.1"), 2);
    }
    (1..=4).for_each(|rise| block(&format!("dec{rise}"), 4));
    let mut dense = |name: &str, weight: (Vec<usize>, Vec<f32>), bias: Vec<f32>| {
        tensors.insert(format!("{name}.weight"), weight);
        tensors.insert(format!("{name}.bias"), (vec![bias.len()], bias));
    };
    // It always finds a tongue, everywhere.
    dense("segment.gate", (vec![1, 2], vec![0.0; 2]), vec![5.0]);
    dense("segment.out", (vec![1, 2, 1, 1], vec![0.0; 2]), vec![5.0]);
    let head = |classes: usize, seed: usize| {
        (vec![classes, 32], (0..classes * 32).map(|i| ((i + seed) * 31 % 17) as f32 / 17.0 - 0.5).collect())
    };
    dense("heads.coating_colour", head(3, 1), vec![0.0, 0.0, 2.0]);
    dense("heads.fissures", head(3, 5), vec![0.0; 3]);
    dense("heads.tooth_marks", head(3, 9), vec![0.0; 3]);
    dense("heads.sharp", head(2, 2), vec![0.0; 2]);
    tensors
}
