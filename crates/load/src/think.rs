//! How long a patient thinks between a reply and the next words.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use rand::Rng;
use rand_distr::{Distribution as _, Exp1, StandardNormal};
use serde::{Deserialize, Serialize};

use crate::units::Span;

/// A distribution of think times.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Think {
    /// Answers at once.
    None,
    /// Always as long.
    Fixed(Span),
    /// Anything in between is as likely.
    Uniform(Span, Span),
    /// Exponential with this mean.
    Exp(Span),
    /// Log-normal with this median and this deviation of the logarithm: most are quick, some are slow.
    LogNormal(Span, f64),
}

/// No think time is longer than so many means or medians: one patient must not hold up a run.
const LONGEST: f64 = 10.0;

impl Think {
    /// A think time.
    pub fn sample<R: Rng>(&self, random: &mut R) -> Duration {
        let times = |span: &Span, factor: f64| span.0.mul_f64(factor.clamp(0.0, LONGEST));
        match self {
            Self::None => Duration::ZERO,
            Self::Fixed(span) => span.0,
            Self::Uniform(from, to) => from.0 + (to.0.saturating_sub(from.0)).mul_f64(random.random()),
            Self::Exp(mean) => times(mean, Exp1.sample(random)),
            Self::LogNormal(median, deviation) => {
                let normal: f64 = StandardNormal.sample(random);
                times(median, (deviation * normal).exp())
            }
        }
    }
}

impl FromStr for Think {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no think time: none, fixed:2s, uniform:1s..5s, exp:3s or lognormal:5s,0.6");
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        match (name, rest) {
            ("none", "") => Ok(Self::None),
            ("fixed", span) => Ok(Self::Fixed(span.parse()?)),
            ("exp", span) => Ok(Self::Exp(span.parse()?)),
            ("uniform", spans) => {
                let (from, to) = spans.split_once("..").ok_or_else(wrong)?;
                let (from, to): (Span, Span) = (from.parse()?, to.parse()?);
                if from <= to { Ok(Self::Uniform(from, to)) } else { Err(wrong()) }
            }
            ("lognormal", rest) => {
                let (median, deviation) = rest.split_once(',').ok_or_else(wrong)?;
                let deviation: f64 = deviation.parse().map_err(|_| wrong())?;
                if !(0.0..=3.0).contains(&deviation) {
                    return Err(wrong());
                }
                Ok(Self::LogNormal(median.parse()?, deviation))
            }
            _ => Err(wrong()),
        }
    }
}

impl TryFrom<String> for Think {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Think> for String {
    fn from(think: Think) -> Self {
        think.to_string()
    }
}

impl fmt::Display for Think {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Fixed(span) => write!(f, "fixed:{span}"),
            Self::Uniform(from, to) => write!(f, "uniform:{from}..{to}"),
            Self::Exp(mean) => write!(f, "exp:{mean}"),
            Self::LogNormal(median, deviation) => write!(f, "lognormal:{median},{deviation}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    fn samples(text: &str) -> Vec<f64> {
        let think: Think = text.parse().unwrap();
        assert_eq!(think.to_string(), text);
        let mut random = ChaCha8Rng::seed_from_u64(5);
        let mut samples: Vec<f64> = (0..20_000).map(|_| think.sample(&mut random).as_secs_f64()).collect();
        samples.sort_by(f64::total_cmp);
        samples
    }

    #[test]
    fn distributions_have_their_middle_and_their_ends() {
        assert_eq!(samples("none")[19_999], 0.0);
        assert_eq!(samples("fixed:2s")[0], 2.0);
        let uniform = samples("uniform:1s..5s");
        assert!(uniform[0] >= 1.0 && uniform[19_999] <= 5.0 && (uniform[10_000] - 3.0).abs() < 0.1);
        let exp = samples("exp:3s");
        assert!((exp.iter().sum::<f64>() / 20_000.0 - 3.0).abs() < 0.1 && exp[19_999] <= 30.0);
        let normal = samples("lognormal:5s,0.6");
        assert!((normal[10_000] - 5.0).abs() < 0.2 && normal[19_999] <= 50.0);
    }

    #[test]
    fn what_is_no_distribution_is_refused() {
        for wrong in ["", "slow", "fixed", "fixed:2", "uniform:5s..1s", "lognormal:5s", "lognormal:5s,-1", "none:1s"] {
            assert!(wrong.parse::<Think>().is_err(), "{wrong}");
        }
    }
}
