//! Rotary positions (Su et al., 2021), always in f32, with the scalings that these families use.

use serde_json::Value;

use super::error::LoadError;

/// Which two numbers of a head are turned together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pairing {
    /// The i-th with the one half a head further on.
    Halves,
    /// The 2i-th with the next.
    Neighbours,
}

/// How frequencies are changed for longer contexts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scaling {
    None,
    /// All frequencies divided by a factor.
    Linear {
        factor: f64,
    },
    /// Llama 3: low frequencies divided, high ones kept, a ramp between.
    Llama3 {
        factor: f64,
        low: f64,
        high: f64,
        original: f64,
    },
    /// YaRN (Peng et al., 2023): a ramp over dimensions, and warmer attention.
    Yarn {
        factor: f64,
        original: f64,
        fast: f64,
        slow: f64,
        attention: Option<f64>,
    },
    /// Divisors, one for each frequency.
    Factors(Vec<f32>),
}

impl Scaling {
    pub(crate) fn yarn(factor: f64, original: f64) -> Self {
        Self::Yarn { factor, original, fast: 32.0, slow: 1.0, attention: None }
    }

    /// From `rope_scaling` or `rope_parameters` of a `config.json`.
    pub(crate) fn from_json(value: Option<&Value>) -> Result<Self, LoadError> {
        let Some(object) = value.and_then(Value::as_object) else { return Ok(Self::None) };
        let kind = object.get("rope_type").or_else(|| object.get("type")).and_then(Value::as_str);
        let optional = |name: &str| object.get(name).and_then(Value::as_f64);
        let number = |name: &str| {
            optional(name).ok_or_else(|| LoadError::Unsupported(format!("scaled positions without {name}")))
        };
        match kind.unwrap_or("default") {
            "default" => Ok(Self::None),
            "linear" => Ok(Self::Linear { factor: number("factor")? }),
            "llama3" => Ok(Self::Llama3 {
                factor: number("factor")?,
                low: number("low_freq_factor")?,
                high: number("high_freq_factor")?,
                original: number("original_max_position_embeddings")?,
            }),
            "yarn" => Ok(Self::Yarn {
                factor: number("factor")?,
                original: number("original_max_position_embeddings")?,
                fast: optional("beta_fast").unwrap_or(32.0),
                slow: optional("beta_slow").unwrap_or(1.0),
                attention: optional("attention_factor"),
            }),
            other => Err(LoadError::Unsupported(format!("positions scaled by {other:?}"))),
        }
    }
}

/// Turns heads by their positions.
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    frequencies: Vec<f32>,
    /// Cosines and sines are multiplied by it.
    magnitude: f32,
    pairing: Pairing,
}

impl Rope {
    pub(crate) fn new(head_dim: usize, base: f64, pairing: Pairing, scaling: Scaling) -> Self {
        let half = head_dim / 2;
        let plain: Vec<f64> = (0..half).map(|i| base.powf(-2.0 * i as f64 / head_dim as f64)).collect();
        let mut magnitude = 1.0;
        let scaled: Vec<f64> = match scaling {
            Scaling::None => plain,
            Scaling::Linear { factor } => plain.iter().map(|f| f / factor).collect(),
            Scaling::Factors(factors) => {
                let divisors = factors.iter().map(|f| f64::from(*f)).chain(std::iter::repeat(1.0));
                plain.iter().zip(divisors).map(|(f, divisor)| f / divisor).collect()
            }
            Scaling::Llama3 { factor, low, high, original } => {
                plain.iter().map(|f| llama3(*f, factor, (low, high), original)).collect()
            }
            Scaling::Yarn { factor, original, fast, slow, attention } => {
                magnitude = attention.unwrap_or_else(|| if factor > 1.0 { 0.1 * factor.ln() + 1.0 } else { 1.0 });
                let ramp = yarn_ramp(half, base, original, (fast, slow));
                plain.iter().zip(ramp).map(|(f, scaled)| f / factor * scaled + f * (1.0 - scaled)).collect()
            }
        };
        Self { frequencies: scaled.into_iter().map(|f| f as f32).collect(), magnitude: magnitude as f32, pairing }
    }

    pub(crate) fn pairing(&self) -> Pairing {
        self.pairing
    }

    /// Cosine and sine of every frequency at a position.
    pub(crate) fn angles(&self, position: usize) -> impl Iterator<Item = (f32, f32)> + '_ {
        self.frequencies.iter().map(move |frequency| {
            let angle = position as f32 * frequency;
            (angle.cos() * self.magnitude, angle.sin() * self.magnitude)
        })
    }

    /// Turns one head.
    pub(crate) fn turn(&self, head: &mut [f32], angles: &[(f32, f32)]) {
        let half = angles.len();
        for (i, (cos, sin)) in angles.iter().enumerate() {
            let (first, second) = match self.pairing {
                Pairing::Halves => (i, i + half),
                Pairing::Neighbours => (2 * i, 2 * i + 1),
            };
            let (a, b) = (head[first], head[second]);
            head[first] = a * cos - b * sin;
            head[second] = a * sin + b * cos;
        }
    }
}

/// Llama 3's rule, by how many times a frequency turns within the original context.
fn llama3(frequency: f64, factor: f64, (low, high): (f64, f64), original: f64) -> f64 {
    let turns = original * frequency / std::f64::consts::TAU;
    if turns > high {
        frequency
    } else if turns < low {
        frequency / factor
    } else {
        let smooth = (turns - low) / (high - low);
        (1.0 - smooth) * frequency / factor + smooth * frequency
    }
}

/// How much each frequency is scaled, from 0 (fast ones) to 1 (slow ones).
fn yarn_ramp(half: usize, base: f64, original: f64, (fast, slow): (f64, f64)) -> Vec<f64> {
    let dimension = |turns: f64| half as f64 * (original / (turns * std::f64::consts::TAU)).ln() / base.ln();
    let from = dimension(fast).floor().max(0.0);
    let to = dimension(slow).ceil().min(2.0 * half as f64 - 1.0);
    let span = (to - from).max(0.001);
    (0..half).map(|i| ((i as f64 - from) / span).clamp(0.0, 1.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rope(scaling: &Value) -> Rope {
        Rope::new(64, 500_000.0, Pairing::Halves, Scaling::from_json(Some(scaling)).unwrap())
    }

    #[test]
    fn llama3_divides_slow_frequencies_only() {
        let plain = rope(&json!({"rope_type": "default"}));
        let scaled = rope(&json!({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}));
        assert_eq!(plain.frequencies[0], scaled.frequencies[0]);
        assert!((plain.frequencies[31] / scaled.frequencies[31] - 8.0).abs() < 1e-3);
        let ratios: Vec<f32> = plain.frequencies.iter().zip(&scaled.frequencies).map(|(p, s)| p / s).collect();
        assert!(ratios.windows(2).all(|pair| pair[0] <= pair[1] + 1e-4), "{ratios:?}");
    }

    #[test]
    fn yarn_keeps_fast_frequencies_and_warms_attention() {
        let scaling = json!({"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768});
        let (plain, scaled) = (rope(&json!({})), rope(&scaling));
        assert_eq!(plain.frequencies[0], scaled.frequencies[0]);
        assert!((plain.frequencies[31] / scaled.frequencies[31] - 4.0).abs() < 1e-3);
        assert!((scaled.magnitude - 1.138_629_4).abs() < 1e-6);
    }

    #[test]
    fn an_unknown_scaling_is_refused() {
        let error = Scaling::from_json(Some(&json!({"type": "dynamic", "factor": 2.0}))).unwrap_err();
        assert!(error.to_string().contains("dynamic"), "{error}");
    }

    #[test]
    fn turning_keeps_lengths_and_differences() {
        for pairing in [Pairing::Halves, Pairing::Neighbours] {
            let rope = Rope::new(16, 10_000.0, pairing, Scaling::None);
            let turned = |position| {
                let mut head: Vec<f32> = (1u8..=16).map(f32::from).collect();
                rope.turn(&mut head, &rope.angles(position).collect::<Vec<_>>());
                head
            };
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
            // The product of two heads depends on how far apart they are, not on where.
            let (near, far) = (dot(&turned(3), &turned(7)), dot(&turned(103), &turned(107)));
            assert!((near - far).abs() < 0.1, "{near} {far}");
            assert_ne!(turned(0), turned(1));
        }
    }
}
