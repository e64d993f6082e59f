//! What the service counts. Labels are verdicts and stages, nothing of a picture.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use wenzhen_proto::vision::v1::{Quality, Times};
use wenzhen_service::Metrics;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Verdict {
    verdict: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Stage {
    stage: &'static str,
}

/// `wenzhen_pictures_total{verdict}`, `wenzhen_picture_seconds{stage}`, `wenzhen_picture_batch`.
#[derive(Clone, Debug)]
pub struct VisionMetrics {
    pictures: Family<Verdict, Counter>,
    seconds: Family<Stage, Histogram, fn() -> Histogram>,
    batches: Histogram,
}

impl VisionMetrics {
    /// Registers with the process's metrics.
    pub fn register(metrics: &Metrics) -> Self {
        let pictures = Family::default();
        let buckets: fn() -> Histogram = || Histogram::new(exponential_buckets(0.001, 2.0, 14));
        let seconds = Family::new_with_constructor(buckets);
        let batches = Histogram::new(exponential_buckets(1.0, 2.0, 5));
        metrics.register(|registry| {
            registry.register("pictures", "Pictures by the verdict on them", pictures.clone());
            registry.register("picture_seconds", "Time of a picture by stage", seconds.clone());
            registry.register("picture_batch", "Pictures that were read together", batches.clone());
        });
        Self { pictures, seconds, batches }
    }

    /// Counts a picture that was answered.
    pub(crate) fn answered(&self, quality: Quality, times: &Times) {
        let verdict = quality.as_str_name().trim_start_matches("QUALITY_");
        self.pictures.get_or_create(&Verdict { verdict }).inc();
        for (stage, ms) in [
            ("receive", times.receive_ms),
            ("decode", times.decode_ms),
            ("wait", times.wait_ms),
            ("judge", times.judge_ms),
            ("read", times.read_ms),
        ] {
            self.seconds.get_or_create(&Stage { stage }).observe(f64::from(ms) / 1000.0);
        }
    }

    /// Counts a file that was refused.
    pub(crate) fn refused(&self) {
        self.pictures.get_or_create(&Verdict { verdict: "REFUSED" }).inc();
    }

    pub(crate) fn batch(&self, pictures: usize) {
        self.batches.observe(pictures as f64);
    }
}
