//! A server span per call, joined to the caller's trace (W3C trace context). Only the method and the code are
//! recorded: no payload, no metadata, no status message. Baggage is neither read nor sent.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, Status, TraceContextExt, TraceFlags, TraceId, TraceState};
use tonic::Code;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::methods::Method;
use super::metrics::code_name;

/// Header of the W3C trace context.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The span of a call that arrived; disabled for probes.
pub fn server_span(method: &'static Method, headers: &HeaderMap) -> Span {
    if method.infrastructure {
        return Span::none();
    }
    let span = tracing::info_span!(
        target: "wenzhen::rpc",
        "rpc",
        otel.name = method.name.as_str(),
        otel.kind = "server",
        rpc.system = "grpc",
    );
    if EXPORTED.load(Ordering::Relaxed)
        && !span.is_disabled()
        && let Some(parent) = headers.get(TRACEPARENT).and_then(parse)
    {
        // Fails only where no OpenTelemetry layer is installed, and then there is no trace to join.
        let _ = span.set_parent(Context::new().with_remote_span_context(parent));
    }
    span
}

/// Records how the call ended. Faults of ours are logged as errors, everything else for debugging only.
pub fn finish(span: &Span, method: &Method, code: Code, elapsed: Duration) {
    span.set_attribute("rpc.grpc.status_code", i64::from(i32::from(code)));
    let elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
    let name = method.name.as_str();
    if matches!(code, Code::Internal | Code::Unknown | Code::DataLoss) {
        span.set_status(Status::error(code_name(code)));
        tracing::error!(target: "wenzhen::rpc", parent: span, method = name, code = code_name(code), elapsed_us, "call failed");
    } else {
        tracing::debug!(target: "wenzhen::rpc", parent: span, method = name, code = code_name(code), elapsed_us, "call");
    }
}

/// Traces leave this process: spans have a context worth passing on.
static EXPORTED: AtomicBool = AtomicBool::new(false);

/// From now on, calls carry the context of their span.
pub fn export() {
    EXPORTED.store(true, Ordering::Relaxed);
}

/// The `traceparent` of the current span; none where nothing is traced.
pub fn traceparent() -> Option<HeaderValue> {
    if !EXPORTED.load(Ordering::Relaxed) {
        return None;
    }
    let current = Span::current();
    if current.is_disabled() {
        return None;
    }
    let context = current.context();
    let span = context.span();
    let span = span.span_context();
    if !span.is_valid() {
        return None;
    }
    let text = format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), span.trace_flags().to_u8());
    HeaderValue::try_from(text).ok()
}

/// `version-traceid-parentid-flags` in lower-case hexadecimal; a higher version may have more parts.
fn parse(value: &HeaderValue) -> Option<SpanContext> {
    let mut parts = value.to_str().ok()?.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hexadecimal = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let shaped = version.len() == 2 && trace.len() == 32 && span.len() == 16 && flags.len() == 2;
    if !shaped || ![version, trace, span, flags].into_iter().all(hexadecimal) {
        return None;
    }
    if version == "ff" || (version == "00" && parts.next().is_some()) {
        return None;
    }
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    Some(SpanContext::new(trace, span, flags, true, TraceState::NONE)).filter(SpanContext::is_valid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_well_formed_parent_is_joined() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let context = parse(&HeaderValue::from_static(good)).unwrap();
        assert!(context.is_sampled() && context.is_remote());
        assert_eq!(context.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
        for bad in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert!(parse(&HeaderValue::from_static(bad)).is_none(), "{bad}");
        }
    }

    #[test]
    fn nothing_is_sent_where_nothing_is_traced() {
        assert_eq!(traceparent(), None);
    }
}
