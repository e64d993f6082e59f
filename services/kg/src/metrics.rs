//! Metrics of the weights.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use wenzhen_service::Metrics;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct PackLabels {
    pack: String,
}

/// `wenzhen_weights_epoch{pack}` and `wenzhen_feedback_waiting{pack}`; `pack` is the pack's name.
#[derive(Clone, Debug, Default)]
pub struct WeightMetrics {
    epoch: Family<PackLabels, Gauge>,
    waiting: Family<PackLabels, Gauge>,
}

impl WeightMetrics {
    /// Registers the gauges.
    pub fn new(metrics: &Metrics) -> Self {
        let own = Self::default();
        metrics.register(|registry| {
            registry.register("weights_epoch", "Newest weight epoch that this replica scores with", own.epoch.clone());
            registry.register(
                "feedback_waiting",
                "Consultations whose feedback waits for an epoch",
                own.waiting.clone(),
            );
        });
        own
    }

    /// Enters what was seen.
    pub(crate) fn saw(&self, pack: &str, epoch: u64, waiting: u64) {
        let labels = PackLabels { pack: pack.to_owned() };
        self.epoch.get_or_create(&labels).set(i64::try_from(epoch).unwrap_or(i64::MAX));
        self.waiting.get_or_create(&labels).set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }
}
