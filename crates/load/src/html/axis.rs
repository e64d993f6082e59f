//! Scales: where a value stands, and which values are written beside the axis.

/// A scale from values to positions.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    low: f64,
    high: f64,
    logarithmic: bool,
    /// Values that are marked, with their words.
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// An even scale from 0 to at least `high`.
    pub fn linear(high: f64, unit: &str) -> Self {
        let high = if high > 0.0 && high.is_finite() { high } else { 1.0 };
        let step = nice(high / 5.0);
        let count = (high / step).ceil().max(1.0) as u32;
        let ticks = (0..=count).map(|i| f64::from(i) * step).map(|value| (value, number(value, unit))).collect();
        Self { low: 0.0, high: f64::from(count) * step, logarithmic: false, ticks }
    }

    /// An even scale from 0 to exactly `high`, for time that has passed.
    pub fn elapsed(high: f64, unit: &str) -> Self {
        let high = if high > 0.0 && high.is_finite() { high } else { 1.0 };
        let step = nice(high / 5.0);
        let count = (high / step * 1.000_001).floor() as u32;
        let ticks = (0..=count).map(|i| f64::from(i) * step).map(|value| (value, number(value, unit))).collect();
        Self { low: 0.0, high, logarithmic: false, ticks }
    }

    /// A logarithmic scale around positive values.
    pub fn logarithmic(values: impl Iterator<Item = f64>, unit: impl Fn(f64) -> String) -> Self {
        let (mut low, mut high) = (f64::INFINITY, 0.0f64);
        for value in values.filter(|value| *value > 0.0 && value.is_finite()) {
            (low, high) = (low.min(value), high.max(value));
        }
        if high <= 0.0 {
            (low, high) = (1.0, 10.0);
        }
        let within: Vec<f64> = [1.0, 2.0, 5.0].into_iter().collect();
        let steps = |value: f64| (value.log10().floor() as i32, value);
        let ((first, _), (last, _)) = (steps(low), steps(high));
        let all: Vec<f64> =
            (first..=last + 1).flat_map(|power| within.iter().map(move |step| step * 10f64.powi(power))).collect();
        let low = all.iter().copied().rfind(|tick| *tick <= low * 1.000_001).unwrap_or(low);
        let high = all.iter().copied().find(|tick| *tick >= high * 0.999_999 && *tick > low).unwrap_or(high * 2.0);
        let decades = (high / low).log10();
        // Fewer words on longer scales.
        let kept = |tick: &f64| {
            let lead = tick / 10f64.powi(tick.log10().floor() as i32);
            decades <= 2.0 || lead < 1.5
        };
        let inside = all.into_iter().filter(|tick| *tick >= low * 0.999_999 && *tick <= high * 1.000_001);
        let ticks = inside.filter(kept).map(|tick| (tick, unit(tick))).collect();
        Self { low, high, logarithmic: true, ticks }
    }

    /// The scale of percentiles: each nine takes as much room as the one before.
    pub fn percentiles(most: u32) -> Self {
        let words = ["0 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %"];
        let ticks = (0..=most).zip(words).map(|(nines, word)| (f64::from(nines), word.to_owned())).collect();
        Self { low: 0.0, high: f64::from(most.max(1)), logarithmic: false, ticks }
    }

    /// Where a value stands, 0 to 1; what lies outside stands at the end.
    pub fn at(&self, value: f64) -> f64 {
        let share = if self.logarithmic {
            (value.max(self.low) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        share.clamp(0.0, 1.0)
    }
}

/// The smallest of 1, 2, 5 times a power of ten that is not below a number.
fn nice(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * power).find(|step| *step >= value * 0.999_999).unwrap_or(value)
}

/// A number with as few digits as it needs, and its unit.
pub fn number(value: f64, unit: &str) -> String {
    let rounded = (value * 1e6).round() / 1e6;
    let digits = match rounded.abs() {
        large if large >= 1e6 => format!("{}M", (rounded / 1e4).round() / 100.0),
        large if large >= 1e4 => format!("{}k", (rounded / 10.0).round() / 100.0),
        _ => rounded.to_string(),
    };
    format!("{digits}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_even_scale_has_round_ticks() {
        let words: Vec<_> = Axis::linear(47.0, "/s").ticks.into_iter().map(|(_, word)| word).collect();
        assert_eq!(words, ["0/s", "10/s", "20/s", "30/s", "40/s", "50/s"]);
        assert_eq!(Axis::linear(0.0, "").ticks.len(), 6, "an empty plot has a scale all the same");
        let words: Vec<_> = Axis::elapsed(120.0, " s").ticks.into_iter().map(|(_, word)| word).collect();
        assert_eq!(words, ["0 s", "50 s", "100 s"], "time ends where it ends");
        assert_eq!(number(25_000.0, "/s"), "25k/s");
    }

    #[test]
    fn a_logarithmic_scale_holds_its_values() {
        let axis = Axis::logarithmic([0.3, 48.0].into_iter(), |ms| format!("{ms} ms"));
        assert_eq!(axis.at(0.3).min(axis.at(48.0)), axis.at(0.3));
        assert!(axis.at(0.2) == 0.0 && axis.at(50.0) == 1.0);
        let words: Vec<_> = axis.ticks.iter().map(|(_, word)| word.as_str()).collect();
        assert_eq!(words, ["1 ms", "10 ms"]);
    }

    proptest! {
        #[test]
        fn every_value_stands_within(values in proptest::collection::vec(1e-3f64..1e6, 1..20), other in -1e9f64..1e9) {
            let logarithmic = Axis::logarithmic(values.iter().copied(), |v| v.to_string());
            let linear = Axis::linear(values.iter().copied().fold(0.0, f64::max), "");
            for axis in [logarithmic, linear] {
                prop_assert!(values.iter().all(|value| (0.0..=1.0).contains(&axis.at(*value))));
                prop_assert!((0.0..=1.0).contains(&axis.at(other)));
                prop_assert!((1..=12).contains(&axis.ticks.len()), "{:?}", axis.ticks);
            }
        }
    }
}
