//! Latencies in constant memory, three digits, from a microsecond to ten minutes.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::report::Latency;
use crate::slo::Point;

/// Longer latencies count as this long, in microseconds.
const LONGEST_US: u64 = 600_000_000;
/// Points of a percentile curve for each halving of the distance to 100 %.
const POINTS_PER_HALVING: u32 = 4;
/// Bars of a distribution for each factor of ten.
const BARS_PER_DECADE: f64 = 10.0;

/// A distribution of times. Its histogram is made when the first time comes: most methods never shed a call.
#[derive(Debug, Clone)]
pub struct Times {
    digits: u8,
    histogram: Option<Histogram<u64>>,
}

impl Times {
    /// An empty one with so many digits, 1 to 5.
    pub fn with_digits(digits: u8) -> Self {
        Self { digits, histogram: None }
    }

    /// An empty one.
    pub fn new() -> Self {
        Self::with_digits(3)
    }

    fn made(&mut self) -> Option<&mut Histogram<u64>> {
        if self.histogram.is_none() {
            // These bounds are valid for every number of digits that there is, so that this never fails.
            self.histogram = Histogram::new_with_bounds(1, LONGEST_US, self.digits.clamp(1, 5)).ok();
        }
        self.histogram.as_mut()
    }

    /// Adds a time.
    pub fn record(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1);
        if let Some(histogram) = self.made() {
            histogram.saturating_record(micros);
        }
    }

    /// Adds all of another one's.
    pub fn add(&mut self, other: &Self) {
        if let (Some(more), Some(histogram)) = (&other.histogram, self.made()) {
            // Both have the same bounds, so that nothing can be out of range.
            let _ = histogram.add(more);
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        if let Some(histogram) = &mut self.histogram {
            histogram.reset();
        }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.histogram.as_ref().map_or(0, Histogram::len)
    }

    fn filled(&self) -> Option<&Histogram<u64>> {
        self.histogram.as_ref().filter(|histogram| !histogram.is_empty())
    }

    /// A point of the distribution in milliseconds; `None` when it is empty.
    pub fn at(&self, point: Point) -> Option<f64> {
        let histogram = self.filled()?;
        let micros = match point {
            Point::Quantile(quantile) => histogram.value_at_quantile(quantile) as f64,
            Point::Mean => histogram.mean(),
            Point::Max => histogram.max() as f64,
        };
        Some(micros / 1000.0)
    }

    /// Everything that a report says of it; `None` when it is empty.
    pub fn latency(&self) -> Option<Latency> {
        let histogram = self.filled()?;
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1000.0;
        Some(Latency {
            count: histogram.len(),
            mean_ms: histogram.mean() / 1000.0,
            stdev_ms: histogram.stdev() / 1000.0,
            min_ms: histogram.min() as f64 / 1000.0,
            p50_ms: at(0.5),
            p75_ms: at(0.75),
            p90_ms: at(0.9),
            p95_ms: at(0.95),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            p9999_ms: at(0.9999),
            max_ms: histogram.max() as f64 / 1000.0,
            curve: curve(histogram),
            bars: bars(histogram),
        })
    }
}

/// Quantile and milliseconds, up to the largest.
fn curve(histogram: &Histogram<u64>) -> Vec<[f64; 2]> {
    let points = histogram.iter_quantiles(POINTS_PER_HALVING);
    points.map(|point| [point.quantile_iterated_to(), point.value_iterated_to() as f64 / 1000.0]).collect()
}

/// Upper ends in milliseconds and counts, on a logarithmic scale.
fn bars(histogram: &Histogram<u64>) -> Vec<[f64; 2]> {
    let mut bars: Vec<(i32, u64)> = Vec::new();
    for value in histogram.iter_recorded() {
        let bar = ((value.value_iterated_to() as f64).log10() * BARS_PER_DECADE).ceil() as i32;
        match bars.last_mut() {
            Some((last, count)) if *last == bar => *count += value.count_at_value(),
            _ => bars.push((bar, value.count_at_value())),
        }
    }
    let end = |bar: i32| 10f64.powf(f64::from(bar) / BARS_PER_DECADE) / 1000.0;
    bars.into_iter().map(|(bar, count)| [end(bar), count as f64]).collect()
}

impl Default for Times {
    fn default() -> Self {
        Self::new()
    }
}
