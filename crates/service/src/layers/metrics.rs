//! Rate, errors and duration per method. The handles of a method are looked up once; a call then costs a few atomic
//! operations. Labels are methods of the descriptor set and gRPC codes, nothing that a caller can choose.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use tonic::Code;

use super::methods::{self, Method};
use crate::tls::TlsMetrics;

/// Upper bounds of the duration buckets, in seconds.
const BUCKETS: [f64; 15] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0, 30.0];
/// gRPC codes, 0 to 16.
const CODES: usize = 17;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct MethodLabels {
    method: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CodeLabels {
    method: &'static str,
    code: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ShedLabels {
    method: &'static str,
    reason: &'static str,
}

/// What admissions count: `wenzhen_admission_queue_depth{method}` and `wenzhen_admission_shed_total{method,reason}`.
/// Clones share the counts.
#[derive(Clone, Default)]
pub struct AdmissionMetrics {
    depth: Family<MethodLabels, Gauge>,
    shed: Family<ShedLabels, Counter>,
}

impl AdmissionMetrics {
    /// Calls that wait: one more, or one less.
    pub(super) fn depth(&self, method: &'static str, change: i64) {
        self.depth.get_or_create(&MethodLabels { method }).inc_by(change);
    }

    /// One more call was shed.
    pub(super) fn shed(&self, method: &'static str, reason: &'static str) {
        self.shed.get_or_create(&ShedLabels { method, reason }).inc();
    }
}

type DurationFamily = Family<MethodLabels, Histogram, fn() -> Histogram>;

/// The process's metrics; clones share one registry.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Mutex<Registry>,
    requests: Family<CodeLabels, Counter>,
    durations: DurationFamily,
    in_flight: Family<MethodLabels, Gauge>,
    admission: AdmissionMetrics,
    tls: TlsMetrics,
    /// One per known method, and one for all others.
    handles: Vec<OnceLock<Handles>>,
}

struct Handles {
    method: &'static str,
    codes: [OnceLock<Counter>; CODES],
    duration: Histogram,
    in_flight: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// A registry with the RPC metrics: `wenzhen_rpc_requests_total{method,code}`,
    /// `wenzhen_rpc_duration_seconds{method}`, `wenzhen_rpc_in_flight{method}`, and those of [`AdmissionMetrics`]
    /// and [`TlsMetrics`].
    pub fn new() -> Self {
        let requests = Family::default();
        let durations: DurationFamily = Family::new_with_constructor(|| Histogram::new(BUCKETS));
        let in_flight = Family::default();
        let admission = AdmissionMetrics::default();
        let mut registry = Registry::with_prefix("wenzhen");
        registry.register("rpc_requests", "Finished calls by method and gRPC code", requests.clone());
        registry.register_with_unit(
            "rpc_duration",
            "Time to the last frame of the response",
            Unit::Seconds,
            durations.clone(),
        );
        registry.register("rpc_in_flight", "Calls in flight", in_flight.clone());
        registry.register("admission_queue_depth", "Calls that wait for a permit", admission.depth.clone());
        registry.register("admission_shed", "Calls that were not admitted, by reason", admission.shed.clone());
        let tls = TlsMetrics::default();
        tls.register(&mut registry);
        let handles = (0..=methods::all().len()).map(|_| OnceLock::new()).collect();
        Self(Arc::new(Inner {
            registry: Mutex::new(registry),
            requests,
            durations,
            in_flight,
            admission,
            tls,
            handles,
        }))
    }

    /// Where admissions count; for an [`super::admission::Admission`] beside the guard's.
    pub fn admission(&self) -> AdmissionMetrics {
        self.0.admission.clone()
    }

    pub(crate) fn tls(&self) -> TlsMetrics {
        self.0.tls.clone()
    }

    /// Lets a service register metrics of its own; names get the prefix `wenzhen_`.
    pub fn register<T>(&self, with: impl FnOnce(&mut Registry) -> T) -> T {
        with(&mut self.0.registry.lock())
    }

    /// All metrics in the OpenMetrics text form.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = encode(&mut text, &self.0.registry.lock());
        text
    }

    /// Begins to measure a call. A call that is dropped before [`Meter::finish`] counts as CANCELLED: the caller left.
    pub fn begin(&self, method: &'static Method) -> Meter {
        let meter = Meter { metrics: self.clone(), method, started: Instant::now(), code: Code::Cancelled };
        if let Some(handles) = meter.handles() {
            handles.in_flight.inc();
        }
        meter
    }
}

/// Measures one call; it is recorded when this is dropped.
pub struct Meter {
    metrics: Metrics,
    method: &'static Method,
    started: Instant,
    code: Code,
}

impl Meter {
    /// Says how the call ended.
    pub fn finish(&mut self, code: Code) {
        self.code = code;
    }

    /// How the call ended, CANCELLED as long as it has not.
    pub fn code(&self) -> Code {
        self.code
    }

    /// Time since the call began.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn handles(&self) -> Option<&Handles> {
        let inner = &self.metrics.0;
        let method = self.method.name.as_str();
        inner.handles.get(self.method.index).map(|slot| {
            slot.get_or_init(|| Handles {
                method,
                codes: [const { OnceLock::new() }; CODES],
                duration: inner.durations.get_or_create(&MethodLabels { method }).clone(),
                in_flight: inner.in_flight.get_or_create(&MethodLabels { method }).clone(),
            })
        })
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        let Some(handles) = self.handles() else { return };
        handles.in_flight.dec();
        handles.duration.observe(self.started.elapsed().as_secs_f64());
        let place = usize::try_from(i32::from(self.code)).unwrap_or(usize::MAX);
        if let Some(slot) = handles.codes.get(place) {
            let requests = &self.metrics.0.requests;
            let labels = || CodeLabels { method: handles.method, code: code_name(self.code) };
            slot.get_or_init(|| requests.get_or_create(&labels()).clone()).inc();
        }
    }
}

/// A code as the gRPC specification spells it.
pub fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
