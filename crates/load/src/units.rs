//! Spans of time and shares, as they are written in flags and files.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A span of time, written with its unit: `250us`, `5ms`, `1.5s`, `2m`, `1h`, or several in a row: `1m30s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(pub Duration);

/// Units with their length in seconds; the longer name of two that end alike comes first.
const UNITS: [(&str, f64); 6] = [("us", 1e-6), ("µs", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
/// The longest span that means anything here, in seconds: 30 days.
const LONGEST_S: f64 = 30.0 * 86_400.0;

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no span of time: write a number with us, ms, s, m or h, such as 1m30s");
        let mut rest = text.trim();
        let mut seconds = 0.0;
        if rest.is_empty() {
            return Err(wrong());
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
            let (number, unit) = rest.split_at(digits);
            let end = unit.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(unit.len());
            let (name, after) = unit.split_at(end);
            let (_, length) = UNITS.iter().find(|(known, _)| *known == name).ok_or_else(wrong)?;
            seconds += number.parse::<f64>().map_err(|_| wrong())? * length;
            rest = after;
        }
        if seconds > LONGEST_S {
            return Err(format!("`{text}` is longer than 30 days"));
        }
        Ok(Self(Duration::from_secs_f64(seconds)))
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        let whole = |unit: u128| micros >= unit && micros.is_multiple_of(unit);
        match micros {
            0 => f.write_str("0s"),
            _ if whole(3_600_000_000) => write!(f, "{}h", micros / 3_600_000_000),
            _ if whole(60_000_000) => write!(f, "{}m", micros / 60_000_000),
            1_000_000.. => write!(f, "{}s", self.0.as_secs_f64()),
            _ if whole(1000) => write!(f, "{}ms", micros / 1000),
            _ => write!(f, "{micros}us"),
        }
    }
}

/// A share of a whole, 0 to 1, written `5%` or `0.05`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "String")]
pub struct Share(pub f64);

/// A share in a file: as text, or as a bare number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    Number(f64),
}

impl TryFrom<Written> for Share {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written::Text(text) => text.parse(),
            Written::Number(number) => number.to_string().parse(),
        }
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no share: write 0.05 or 5%");
        let (number, scale) = match text.trim().strip_suffix('%') {
            Some(percent) => (percent, 100.0),
            None => (text, 1.0),
        };
        let share = number.trim().parse::<f64>().map_err(|_| wrong())? / scale;
        if (0.0..=1.0).contains(&share) { Ok(Self(share)) } else { Err(wrong()) }
    }
}

impl From<Share> for String {
    fn from(share: Share) -> Self {
        share.to_string()
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nine digits are more than anybody writes, and hide what binary fractions add.
        write!(f, "{}%", (self.0 * 1e11).round() / 1e9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spans_are_read_and_written() {
        for (text, millis, written) in [
            ("250us", 0.25, "250us"),
            ("5ms", 5.0, "5ms"),
            ("1.5s", 1500.0, "1.5s"),
            ("1m30s", 90_000.0, "90s"),
            ("2h", 7_200_000.0, "2h"),
            ("0s", 0.0, "0s"),
        ] {
            let span: Span = text.parse().unwrap();
            assert!((span.0.as_secs_f64() * 1000.0 - millis).abs() < 1e-9, "{text}");
            assert_eq!(span.to_string(), written);
        }
        for wrong in ["", "5", "ms", "5 parsecs", "1e9h", "-1s", "1..s", "10000h"] {
            assert!(wrong.parse::<Span>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn shares_are_read_and_written() {
        assert_eq!("5%".parse::<Share>().unwrap(), Share(0.05));
        assert_eq!("0.1%".parse::<Share>().unwrap().to_string(), "0.1%");
        for wrong in ["", "101%", "-1", "2", "five", "NaN"] {
            assert!(wrong.parse::<Share>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(micros in 0u64..1_000_000_000_000) {
            let span = Span(Duration::from_micros(micros));
            let again: Span = span.to_string().parse().unwrap();
            prop_assert!(again.0.abs_diff(span.0) <= Duration::from_micros(1));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,12}") {
            let _ = text.parse::<Span>();
            let _ = text.parse::<Share>();
        }
    }
}
