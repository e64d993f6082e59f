//! Logs to standard error and traces to an OTLP collector.
//!
//! No patient text by construction: this crate's layers record method and code only, the libraries that could print
//! frames or headers are held at warnings whatever the filter says, and a panic is logged by its place, never by its
//! message (a slice out of bounds quotes the string it was cutting).

use std::io::IsTerminal;
use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tokio::runtime::Runtime;
use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{EnvFilter, FilterExt, ParseError, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::config::{LogArgs, LogFormat, OtlpArgs};

/// Libraries whose debug output holds frames, headers or bodies.
const QUIET: [&str; 8] = ["h2", "hyper", "hyper_util", "tonic", "tower", "axum", "rustls", "opentelemetry"];
/// Longest wait for the last spans when the process ends.
const FLUSH: Duration = Duration::from_secs(3);

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The log filter is malformed.
    #[error("log filter")]
    Filter(#[from] ParseError),
    /// The OTLP exporter could not be built.
    #[error("OTLP exporter")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// The exporter's runtime could not be started.
    #[error("exporter runtime")]
    Runtime(#[from] std::io::Error),
    /// A subscriber was installed before.
    #[error("telemetry was already set up")]
    Twice(#[from] TryInitError),
}

/// Flushes spans when it is dropped; keep it to the end of `main`.
#[derive(Debug, Default)]
#[must_use = "dropping this ends the export of traces"]
pub struct TelemetryGuard {
    _traces: Option<Traces>,
}

#[derive(Debug)]
struct Traces {
    provider: SdkTracerProvider,
    // Dropped after the provider has flushed.
    _runtime: Background,
}

/// A runtime that may be dropped anywhere: a plain one panics when it is dropped inside another.
#[derive(Debug)]
struct Background(Option<Runtime>);

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Installs logging, tracing and the panic hook for the process.
///
/// # Errors
/// On a malformed filter or endpoint, and when called twice.
pub fn init(log: &LogArgs, otlp: &OtlpArgs, service_name: &str) -> Result<TelemetryGuard, TelemetryError> {
    let filter =
        EnvFilter::builder().parse(&log.log_filter)?.and(filter_fn(harmless).with_max_level_hint(LevelFilter::TRACE));
    let traces = otlp.otlp_endpoint.as_deref().map(|url| exporter(url, otlp.sample_ratio, service_name)).transpose()?;
    if traces.is_some() {
        crate::layers::trace::export();
    }
    let spans = traces.as_ref().map(|traces: &Traces| {
        tracing_opentelemetry::layer()
            .with_tracer(traces.provider.tracer(service_name.to_owned()))
            .with_location(false)
            .with_threads(false)
            .with_filter(LevelFilter::INFO)
    });
    tracing_subscriber::registry().with(spans).with(lines(log.log_format).with_filter(filter)).try_init()?;
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panic");
    }));
    Ok(TelemetryGuard { _traces: traces })
}

/// Whether an event or span cannot hold a frame, a header or a body.
fn harmless(metadata: &Metadata<'_>) -> bool {
    let library = metadata.target().split("::").next().unwrap_or_default();
    *metadata.level() <= Level::WARN || !QUIET.contains(&library)
}

fn lines<S>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match format {
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
        // Colours stay as they are by default (NO_COLOR is heeded) unless nobody would see them.
        LogFormat::Pretty if std::io::stderr().is_terminal() => lines.boxed(),
        LogFormat::Pretty => lines.with_ansi(false).boxed(),
    }
}

/// The exporter's connection lives on a runtime of its own: on the service's, the flush at the end could wait for a
/// worker that waits for the flush.
fn exporter(url: &str, ratio: f64, service: &str) -> Result<Traces, TelemetryError> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("otlp").enable_all().build()?;
    let handle = runtime.handle().clone();
    let runtime = Background(Some(runtime));
    let entered = handle.enter();
    let exporter = SpanExporter::builder().with_tonic().with_endpoint(url).with_timeout(FLUSH).build()?;
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(ratio))))
        .with_resource(Resource::builder().with_service_name(service.to_owned()).build())
        .build();
    drop(entered);
    Ok(Traces { provider, _runtime: runtime })
}

impl Drop for Traces {
    fn drop(&mut self) {
        // A collector that is away must not keep the process; the spans are lost then.
        let _ = self.provider.shutdown_with_timeout(FLUSH);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::subscriber::set_default;

    #[test]
    fn libraries_that_print_frames_are_held_at_warnings() {
        let counted = std::sync::Arc::new(parking_lot::Mutex::new(Vec::new()));
        let seen = std::sync::Arc::clone(&counted);
        let filter = EnvFilter::builder().parse("trace,h2::codec=trace").unwrap().and(filter_fn(move |metadata| {
            let passes = harmless(metadata);
            if passes {
                seen.lock().push((metadata.target().to_owned(), *metadata.level()));
            }
            passes
        }));
        let lines = tracing_subscriber::fmt::layer().with_writer(std::io::sink).with_filter(filter);
        let _installed = set_default(tracing_subscriber::registry().with(lines));
        tracing::trace!(target: "h2::codec::framed_write", "frame");
        tracing::debug!(target: "tonic", "header");
        tracing::warn!(target: "h2::proto", "flood");
        tracing::trace!(target: "h2o_is_not_h2", "ours");
        let seen = counted.lock();
        let targets: Vec<_> = seen.iter().map(|(target, _)| target.as_str()).collect();
        assert_eq!(targets, ["h2::proto", "h2o_is_not_h2"]);
    }
}
