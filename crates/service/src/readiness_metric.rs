//! Readiness as a metric, so that an alert can name the dependency that is away: a pod that is not ready drops out of
//! DNS, and what it fails to do is seen nowhere else.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::health::Readiness;

/// `wenzhen_dependency_up{dependency,required}`: 1 when the dependency works, 0 when it does not. Both labels are fixed
/// by the program.
impl Collector for Readiness {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let about = "Whether what the process depends on works";
        let mut family = encoder.encode_descriptor("dependency_up", about, None, MetricType::Gauge)?;
        for (name, condition) in &self.snapshot().dependencies {
            let required = if condition.required { "true" } else { "false" };
            let labels = [("dependency", name.as_str()), ("required", required)];
            ConstGauge::new(i64::from(condition.up)).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::metrics::Metrics;

    #[test]
    fn each_dependency_shows_whether_it_works() {
        let (metrics, readiness) = (Metrics::new(), Readiness::new());
        metrics.register(|registry| registry.register_collector(Box::new(readiness.clone())));
        let store = readiness.dependency("store");
        readiness.optional("voice").up();
        let line = |up: u8| format!("wenzhen_dependency_up{{dependency=\"store\",required=\"true\"}} {up}\n");
        assert!(metrics.text().contains(&line(0)), "{}", metrics.text());
        store.up();
        let text = metrics.text();
        assert!(text.contains(&line(1)), "{text}");
        assert!(text.contains("wenzhen_dependency_up{dependency=\"voice\",required=\"false\"} 1\n"), "{text}");
    }
}
