//! How the rate of arrivals changes over a run.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The shape of a load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Shape {
    /// The rate of the run, all the time.
    Constant,
    /// From one rate to another, evenly.
    Ramp {
        /// Rate at the start, a second.
        from: f64,
        /// Rate at the end, a second.
        to: f64,
    },
    /// One rate after the other, each as long.
    Step(Vec<f64>),
    /// A base, the peak in the middle fifth of the time, and the base again.
    Spike {
        /// Rate before and after, a second.
        base: f64,
        /// Rate in the middle, a second.
        peak: f64,
    },
    /// The rate of the run all the time; the report also says whether latency drifted.
    Soak,
}

/// The highest rate that is taken, a second.
pub const HIGHEST_RATE: f64 = 1e6;

impl Shape {
    /// Whether the shape brings its own rates, so that a rate beside it would contradict it.
    pub fn has_rates(&self) -> bool {
        matches!(self, Self::Ramp { .. } | Self::Step(_) | Self::Spike { .. })
    }
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no shape: constant, ramp:FROM..TO, step:A,B,C, spike:BASE,PEAK or soak");
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        let pair = |separator: &str| -> Result<(f64, f64), String> {
            let (first, second) = rest.split_once(separator).ok_or_else(wrong)?;
            Ok((rate(first)?, rate(second)?))
        };
        let shape = match (name, rest.is_empty()) {
            ("constant", true) => Self::Constant,
            ("soak", true) => Self::Soak,
            ("ramp", false) => pair("..").map(|(from, to)| Self::Ramp { from, to })?,
            ("spike", false) => pair(",").map(|(base, peak)| Self::Spike { base, peak })?,
            ("step", false) => Self::Step(rest.split(',').map(rate).collect::<Result<_, _>>()?),
            _ => return Err(wrong()),
        };
        let nothing = match &shape {
            Self::Ramp { from, to } => from + to == 0.0,
            Self::Spike { base, peak } => base + peak == 0.0,
            Self::Step(rates) => rates.iter().sum::<f64>() == 0.0,
            Self::Constant | Self::Soak => false,
        };
        if nothing { Err(format!("`{text}` sends nothing at all")) } else { Ok(shape) }
    }
}

/// A rate a second, 0 to [`HIGHEST_RATE`].
///
/// # Errors
/// With a sentence that names the text.
pub fn rate(text: &str) -> Result<f64, String> {
    let wrong = || format!("`{text}` is no rate: write calls a second, 0 to a million");
    let rate = text.trim().parse::<f64>().map_err(|_| wrong())?;
    if (0.0..=HIGHEST_RATE).contains(&rate) { Ok(rate) } else { Err(wrong()) }
}

impl TryFrom<String> for Shape {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Shape> for String {
    fn from(shape: Shape) -> Self {
        shape.to_string()
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant => f.write_str("constant"),
            Self::Soak => f.write_str("soak"),
            Self::Ramp { from, to } => write!(f, "ramp:{from}..{to}"),
            Self::Spike { base, peak } => write!(f, "spike:{base},{peak}"),
            Self::Step(rates) => {
                let rates: Vec<_> = rates.iter().map(f64::to_string).collect();
                write!(f, "step:{}", rates.join(","))
            }
        }
    }
}

/// A piece of a run in which the rate changes evenly.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Piece {
    seconds: f64,
    from: f64,
    to: f64,
}

impl Piece {
    /// Arrivals in this piece.
    fn area(&self) -> f64 {
        (self.from + self.to) / 2.0 * self.seconds
    }

    /// The time into this piece at which `arrivals` of it are due: the root of the integrated rate, in the form that
    /// loses no digits when the rate hardly changes.
    fn at(&self, arrivals: f64) -> f64 {
        if arrivals <= 0.0 {
            return 0.0;
        }
        let slope = (self.to - self.from) / self.seconds;
        let root = (self.from * self.from + 2.0 * slope * arrivals).max(0.0).sqrt();
        (2.0 * arrivals / (self.from + root)).min(self.seconds)
    }
}

/// The rate over the time of a run, warm-up first.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    pieces: Vec<Piece>,
}

impl Curve {
    /// The curve of a shape at a rate: the warm-up runs at the rate with which the shape begins.
    pub fn new(shape: &Shape, rate: f64, warmup: Duration, duration: Duration) -> Self {
        let seconds = duration.as_secs_f64();
        let flat = |share: f64, rate: f64| Piece { seconds: seconds * share, from: rate, to: rate };
        let mut pieces = match shape {
            Shape::Constant | Shape::Soak => vec![flat(1.0, rate)],
            Shape::Ramp { from, to } => vec![Piece { seconds, from: *from, to: *to }],
            Shape::Step(rates) => rates.iter().map(|rate| flat(1.0 / rates.len() as f64, *rate)).collect(),
            Shape::Spike { base, peak } => vec![flat(0.4, *base), flat(0.2, *peak), flat(0.4, *base)],
        };
        let first = pieces.first().map_or(0.0, |piece| piece.from);
        pieces.insert(0, Piece { seconds: warmup.as_secs_f64(), from: first, to: first });
        pieces.retain(|piece| piece.seconds > 0.0);
        Self { pieces }
    }

    /// Arrivals of the whole run.
    pub fn arrivals(&self) -> f64 {
        self.pieces.iter().map(Piece::area).sum()
    }

    /// When so many arrivals are due, from the start of the run; `None` past its end.
    pub fn time_of(&self, arrivals: f64) -> Option<Duration> {
        let (mut before, mut left) = (0.0, arrivals);
        for piece in &self.pieces {
            let area = piece.area();
            if left < area {
                return Some(Duration::from_secs_f64(before + piece.at(left)));
            }
            left -= area;
            before += piece.seconds;
        }
        None
    }

    /// The rate at a time from the start of the run; 0 past its end.
    pub fn rate_at(&self, at: Duration) -> f64 {
        let mut left = at.as_secs_f64();
        for piece in &self.pieces {
            if left < piece.seconds {
                return piece.from + (piece.to - piece.from) * left / piece.seconds;
            }
            left -= piece.seconds;
        }
        0.0
    }
}

#[cfg(test)]
#[path = "shape_tests.rs"]
mod tests;
