//! What a channel counts. Labels are targets as configured and gRPC codes: nothing that a caller or a patient says.

use std::fmt;
use std::sync::{Arc, OnceLock};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tonic::Code;
use wenzhen_service::Metrics;
use wenzhen_service::layers::metrics::code_name;

use crate::balanced::Endpoints;
use crate::target::Target;

/// gRPC codes, 0 to 16.
const CODES: usize = 17;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct TargetLabels {
    target: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StateLabels {
    target: String,
    state: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CallLabels {
    target: String,
    code: &'static str,
}

/// The metrics of all channels of a process; clones share them. The default is registered nowhere.
#[derive(Clone, Debug, Default)]
pub struct ChannelMetrics {
    endpoints: Family<StateLabels, Gauge>,
    calls: Family<CallLabels, Counter>,
    retries: Family<TargetLabels, Counter>,
    ejections: Family<TargetLabels, Counter>,
}

impl ChannelMetrics {
    /// Registers `wenzhen_channel_endpoints{target,state}`, `wenzhen_channel_calls_total{target,code}`,
    /// `wenzhen_channel_retries_total{target}` and `wenzhen_channel_ejections_total{target}`. To be done once.
    pub fn register(metrics: &Metrics) -> Self {
        let made = Self::default();
        metrics.register(|registry: &mut Registry| {
            registry.register("channel_endpoints", "Endpoints by state", made.endpoints.clone());
            registry.register("channel_calls", "Calls by final gRPC code, retries not counted", made.calls.clone());
            registry.register("channel_retries", "Further attempts of calls", made.retries.clone());
            registry.register("channel_ejections", "Endpoints left out after failures", made.ejections.clone());
        });
        made
    }

    pub(crate) fn of(&self, target: &Target) -> Arc<TargetMetrics> {
        let target = target.to_string();
        let state = |state| self.endpoints.get_or_create(&StateLabels { target: target.clone(), state }).clone();
        let labels = TargetLabels { target: target.clone() };
        Arc::new(TargetMetrics {
            connecting: state("connecting"),
            ready: state("ready"),
            ejected: state("ejected"),
            calls: self.calls.clone(),
            codes: [const { OnceLock::new() }; CODES],
            retries: self.retries.get_or_create(&labels).clone(),
            ejections: self.ejections.get_or_create(&labels).clone(),
            target,
        })
    }
}

/// The handles of one target, looked up once.
#[derive(Debug)]
pub struct TargetMetrics {
    target: String,
    connecting: Gauge,
    ready: Gauge,
    ejected: Gauge,
    calls: Family<CallLabels, Counter>,
    codes: [OnceLock<Counter>; CODES],
    pub(crate) retries: Counter,
    pub(crate) ejections: Counter,
}

impl TargetMetrics {
    pub(crate) fn set(&self, endpoints: &Endpoints) {
        for (gauge, count) in [
            (&self.connecting, endpoints.connecting),
            (&self.ready, endpoints.ready),
            (&self.ejected, endpoints.ejected),
        ] {
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    fn ended(&self, code: Code) {
        let place = usize::try_from(i32::from(code)).unwrap_or(usize::MAX);
        if let Some(slot) = self.codes.get(place) {
            let labels = || CallLabels { target: self.target.clone(), code: code_name(code) };
            slot.get_or_init(|| self.calls.get_or_create(&labels()).clone()).inc();
        }
    }
}

/// Counts one call when it is dropped: CANCELLED, unless it was said how it ended, because then the caller has left.
pub struct Tally {
    metrics: Arc<TargetMetrics>,
    code: Code,
}

impl Tally {
    pub(crate) fn new(metrics: Arc<TargetMetrics>) -> Self {
        Self { metrics, code: Code::Cancelled }
    }

    pub(crate) fn ended(&mut self, code: Code) {
        self.code = code;
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        self.metrics.ended(self.code);
    }
}

impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tally").field("code", &self.code).finish_non_exhaustive()
    }
}
