//! Service level objectives: `p99<50ms,errors<0.1%`.
//!
//! An objective is `[METHOD.][CLOCK.]MEASURE OP BOUND`. Clocks: `latency` (from the intended send time, the default),
//! `service` (from the moment of sending), `first` (first item of a stream, from the intended time), `shed` (how long a
//! shed call waited for its refusal). Measures of a clock: `p50` … `p99.99`, `mean`, `max`. Other measures: `errors`
//! (failed, malformed or never sent, of all intended), `shed`, `degraded` (shares), `rate` (good answers a second).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::units::{Share, Span};

/// From which moment a latency counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// From the intended send time to the end of the answer.
    Latency,
    /// From the moment of sending to the end of the answer.
    Service,
    /// From the intended send time to the first item of a stream.
    First,
    /// From the moment of sending to the refusal of a shed call.
    Shed,
}

impl Clock {
    const ALL: [(Self, &str); 4] =
        [(Self::Latency, "latency"), (Self::Service, "service"), (Self::First, "first"), (Self::Shed, "shed")];

    fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(clock, _)| *clock)
    }

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(clock, _)| *clock == self).map_or("", |(_, name)| name)
    }
}

/// A point of a distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Point {
    /// A quantile, 0 to 1.
    Quantile(f64),
    /// The mean.
    Mean,
    /// The largest.
    Max,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Measure {
    /// A latency, in milliseconds.
    Time(Clock, Point),
    /// Share of intended calls that failed, came back malformed, or were never sent.
    Errors,
    /// Share of intended calls that were shed.
    Shed,
    /// Share of good answers that were degraded.
    Degraded,
    /// Good answers a second.
    Rate,
}

/// How a measure compares with its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Below,
    AtMost,
    Above,
    AtLeast,
}

impl Op {
    // The longer ones first: `<=` begins with `<`.
    const ALL: [(Self, &str); 4] =
        [(Self::AtMost, "<="), (Self::AtLeast, ">="), (Self::Below, "<"), (Self::Above, ">")];

    fn holds(self, measured: f64, bound: f64) -> bool {
        match self {
            Self::Below => measured < bound,
            Self::AtMost => measured <= bound,
            Self::Above => measured > bound,
            Self::AtLeast => measured >= bound,
        }
    }
}

/// One objective.
#[derive(Debug, Clone, PartialEq)]
pub struct Objective {
    /// The method that it is about; unset: the whole agent.
    pub method: Option<String>,
    /// What is measured.
    pub measure: Measure,
    op: Op,
    bound: f64,
    text: String,
}

/// Several objectives; all must be met.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Objectives(pub Vec<Objective>);

/// What became of an objective.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// The objective as it was written.
    pub objective: String,
    /// What was measured, in the unit of the bound; unset when there was nothing to measure.
    pub measured: Option<f64>,
    /// What was measured, in words.
    pub shown: String,
    /// It was met. Nothing measured meets nothing.
    pub met: bool,
}

impl Objective {
    /// Judges a measurement: milliseconds, a share, or a rate.
    pub fn judge(&self, measured: Option<f64>) -> Judged {
        let met = measured.is_some_and(|measured| self.op.holds(measured, self.bound));
        let shown = match (measured, self.measure) {
            (None, _) => "nothing measured".to_owned(),
            (Some(ms), Measure::Time(..)) => format!("{ms:.3} ms"),
            (Some(share), Measure::Errors | Measure::Shed | Measure::Degraded) => format!("{:.4} %", share * 100.0),
            (Some(rate), Measure::Rate) => format!("{rate:.1}/s"),
        };
        Judged { objective: self.text.clone(), measured, shown, met }
    }
}

impl FromStr for Objective {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let wrong = |why: &str| format!("objective `{text}`: {why}; write such as p99<50ms, errors<0.1% or rate>=100");
        let (at, op, sign) = Op::ALL
            .iter()
            .filter_map(|(op, sign)| text.find(sign).map(|at| (at, *op, *sign)))
            .min_by_key(|(at, _, sign)| (*at, std::cmp::Reverse(sign.len())))
            .ok_or_else(|| wrong("no <, <=, > or >="))?;
        let (left, right) = (text.get(..at).unwrap_or_default(), text.get(at + sign.len()..).unwrap_or_default());
        let (method, measure) = subject(left.trim()).ok_or_else(|| wrong("unknown measure"))?;
        let bound = match measure {
            Measure::Time(..) => right.trim().parse::<Span>().map(|span| span.0.as_secs_f64() * 1000.0),
            Measure::Errors | Measure::Shed | Measure::Degraded => right.trim().parse::<Share>().map(|share| share.0),
            Measure::Rate => crate::shape::rate(right.trim().trim_end_matches("/s")),
        };
        let bound = bound.map_err(|why| wrong(&why))?;
        Ok(Self { method, measure, op, bound, text: text.to_owned() })
    }
}

/// `[METHOD.][CLOCK.]MEASURE`. Methods begin with a capital letter, nothing else does.
fn subject(text: &str) -> Option<(Option<String>, Measure)> {
    let (method, rest) = match text.split_once('.') {
        Some((method, rest)) if method.starts_with(|c: char| c.is_ascii_uppercase()) => (Some(method.to_owned()), rest),
        _ => (None, text),
    };
    let plain = match rest {
        "errors" => Some(Measure::Errors),
        "shed" => Some(Measure::Shed),
        "degraded" => Some(Measure::Degraded),
        "rate" => Some(Measure::Rate),
        _ => None,
    };
    let measure = plain.or_else(|| {
        let named = rest.split_once('.').and_then(|(clock, rest)| Some((Clock::named(clock)?, rest)));
        let (clock, point) = named.unwrap_or((Clock::Latency, rest));
        Some(Measure::Time(clock, self::point(point)?))
    })?;
    Some((method, measure))
}

fn point(text: &str) -> Option<Point> {
    match text {
        "mean" => Some(Point::Mean),
        "max" => Some(Point::Max),
        _ => {
            let percent: f64 = text.strip_prefix('p')?.parse().ok()?;
            (0.0..=100.0).contains(&percent).then_some(Point::Quantile(percent / 100.0))
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(clock, point) => {
                if *clock != Clock::Latency {
                    write!(f, "{}.", clock.name())?;
                }
                match point {
                    Point::Quantile(q) => write!(f, "p{}", (q * 1e8).round() / 1e6),
                    Point::Mean => f.write_str("mean"),
                    Point::Max => f.write_str("max"),
                }
            }
            Self::Errors => f.write_str("errors"),
            Self::Shed => f.write_str("shed"),
            Self::Degraded => f.write_str("degraded"),
            Self::Rate => f.write_str("rate"),
        }
    }
}

impl FromStr for Objectives {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split(',').map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl TryFrom<String> for Objectives {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Objectives> for String {
    fn from(objectives: Objectives) -> Self {
        objectives.to_string()
    }
}

impl fmt::Display for Objectives {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<&str> = self.0.iter().map(|objective| objective.text.as_str()).collect();
        f.write_str(&texts.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Objective {
        text.parse().unwrap_or_else(|e| panic!("{e}"))
    }

    #[test]
    fn objectives_are_read() {
        let both: Objectives = "p99<50ms, errors<0.1%".parse().unwrap();
        assert_eq!(both.0.len(), 2);
        assert_eq!(both.0[0].measure, Measure::Time(Clock::Latency, Point::Quantile(0.99)));
        assert_eq!(both.0[1].measure, Measure::Errors);
        let modulate = read("Modulate.first.p99.9<=20ms");
        assert_eq!(modulate.method.as_deref(), Some("Modulate"));
        assert_eq!(modulate.measure.to_string(), "first.p99.9");
        assert_eq!(read("service.max<1s").measure.to_string(), "service.max");
        assert_eq!(read("shed<1%").measure, Measure::Shed);
        assert_eq!(read("shed.p99<10ms").measure, Measure::Time(Clock::Shed, Point::Quantile(0.99)));
        assert_eq!(read("rate>=100/s").measure, Measure::Rate);
    }

    #[test]
    fn what_is_no_objective_says_what_one_is() {
        for wrong in ["", "p99", "p99<", "p99<50", "p101<5ms", "errors<5ms", "errors<200%", "speed<1ms", "rate>x"] {
            let said = wrong.parse::<Objective>().unwrap_err();
            assert!(said.contains("p99<50ms"), "{wrong}: {said}");
        }
    }

    #[test]
    fn bounds_hold_or_do_not() {
        assert!(read("p99<50ms").judge(Some(49.9)).met);
        assert!(!read("p99<50ms").judge(Some(50.0)).met);
        assert!(read("p99<=50ms").judge(Some(50.0)).met);
        assert!(read("errors<0.1%").judge(Some(0.0005)).met);
        assert!(!read("rate>100").judge(Some(100.0)).met);
        let nothing = read("p99<50ms").judge(None);
        assert!(!nothing.met && nothing.shown.contains("nothing"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,20}") {
            let _ = text.parse::<Objectives>();
        }

        #[test]
        fn a_measure_is_read_back(percent in 1u32..10_000, clock in 0usize..4) {
            let text = format!("{}.p{}", Clock::ALL[clock].1, f64::from(percent) / 100.0);
            let objective = read(&format!("{text}<1ms"));
            let shown = objective.measure.to_string();
            prop_assert_eq!(read(&format!("{shown}<1ms")).measure, objective.measure);
        }
    }
}
