//! What is counted of certificates and handshakes.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// No labels: a family shows nothing until it has a value, where a bare gauge would show zero.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Bare {}

/// `wenzhen_tls_certificate_expiry_seconds` (since 1970; absent without a certificate),
/// `wenzhen_tls_reloads_total{outcome}` and `wenzhen_tls_handshakes_total{outcome}`. Clones share the counts.
#[derive(Clone, Default)]
pub struct TlsMetrics {
    expiry: Family<Bare, Gauge>,
    reloads: Family<Outcome, Counter>,
    handshakes: Family<Outcome, Counter>,
}

impl TlsMetrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let expiry = "When the certificate in use expires, in seconds since 1970";
        registry.register("tls_certificate_expiry_seconds", expiry, self.expiry.clone());
        registry.register("tls_reloads", "Exchanges of certificates, by outcome", self.reloads.clone());
        registry.register("tls_handshakes", "Handshakes of callers, by outcome", self.handshakes.clone());
    }

    pub(super) fn expires(&self, at: Option<i64>) {
        if let Some(at) = at {
            self.expiry.get_or_create(&Bare {}).set(at);
        }
    }

    pub(super) fn reloaded(&self, outcome: &'static str) {
        self.reloads.get_or_create(&Outcome { outcome }).inc();
    }

    pub(crate) fn handshake(&self, outcome: &'static str) {
        self.handshakes.get_or_create(&Outcome { outcome }).inc();
    }
}
