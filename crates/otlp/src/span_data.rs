//! A span as the collector's protocol has it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind as Kind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use ordain_model::Timestamp;
use ordain_ports::{Span, SpanKind};

/// A span as the exporter takes it.
pub(crate) fn span_data(span: Span, scope: &InstrumentationScope) -> SpanData {
    let attribute = |(name, value): (&'static str, String)| KeyValue::new(name, value);
    SpanData {
        span_context: SpanContext::new(
            TraceId::from(span.own.trace().get()),
            SpanId::from(span.own.span().get()),
            TraceFlags::default().with_sampled(span.own.is_sampled()),
            false,
            TraceState::NONE,
        ),
        parent_span_id: span.parent.map_or(SpanId::INVALID, |parent| SpanId::from(parent.get())),
        // The caller, or another process of the fleet.
        parent_span_is_remote: span.parent.is_some(),
        span_kind: match span.kind {
            SpanKind::Server => Kind::Server,
            SpanKind::Consumer => Kind::Consumer,
            SpanKind::Producer => Kind::Producer,
        },
        name: span.name.into(),
        start_time: time(span.begun),
        // A clock that was set back shows no span that ends before it begins.
        end_time: time(span.ended.max(span.begun)),
        attributes: span.attributes.into_iter().map(attribute).collect(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: if span.failed { Status::error("") } else { Status::Unset },
        instrumentation_scope: scope.clone(),
    }
}

fn time(time: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(u64::try_from(time.nanoseconds()).unwrap_or_default())
}
