"""Encodes spans and metrics as OTLP 1.x in JSON, whose 64-bit numbers are strings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from opentelemetry.sdk.metrics.export import AggregationTemporality, Histogram, MetricsData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext

import eclair
from eclair.util.tracing import Attribute

SCOPE = {"name": "eclair", "version": eclair.__version__}


def encode_spans(resource: Resource, spans: Sequence[ReadableSpan]) -> bytes:
    """Return an `ExportTraceServiceRequest`."""
    scope_spans = [{"scope": SCOPE, "spans": [_span(span) for span in spans]}]
    return orjson.dumps({"resourceSpans": [{"resource": _resource(resource), "scopeSpans": scope_spans}]})


def encode_histograms(resource: Resource, data: MetricsData) -> bytes:
    """Return an `ExportMetricsServiceRequest` with the histograms of `data`; other metrics aren't encoded."""
    metrics = [
        {"name": metric.name, "unit": metric.unit, "description": metric.description, "histogram": _histogram(found)}
        for of_resource in data.resource_metrics
        for of_scope in of_resource.scope_metrics
        for metric in of_scope.metrics
        if isinstance(found := metric.data, Histogram)
    ]
    scope_metrics = [{"scope": SCOPE, "metrics": metrics}]
    return orjson.dumps({"resourceMetrics": [{"resource": _resource(resource), "scopeMetrics": scope_metrics}]})


def _histogram(histogram: Histogram) -> dict[str, Any]:
    is_cumulative = histogram.aggregation_temporality == AggregationTemporality.CUMULATIVE
    points = [
        {
            "attributes": _attributes((point.attributes or {}).items()),
            "startTimeUnixNano": str(point.start_time_unix_nano),
            "timeUnixNano": str(point.time_unix_nano),
            "count": str(point.count),
            "sum": point.sum,
            "min": point.min,
            "max": point.max,
            "bucketCounts": [str(count) for count in point.bucket_counts],
            "explicitBounds": list(point.explicit_bounds),
        }
        for point in histogram.data_points
    ]
    return {"aggregationTemporality": 2 if is_cumulative else 1, "dataPoints": points}


def _span(span: ReadableSpan) -> dict[str, Any]:
    context = span.get_span_context()
    assert context is not None
    encoded = {
        **_ids(context),
        "name": span.name,
        "kind": span.kind.value + 1,
        "startTimeUnixNano": str(span.start_time),
        "endTimeUnixNano": str(span.end_time),
        "attributes": _attributes((span.attributes or {}).items()),
        "events": [{"timeUnixNano": str(event.timestamp), "name": event.name} for event in span.events],
        "status": {"code": span.status.status_code.value},
    }
    if span.parent is not None:
        encoded["parentSpanId"] = f"{span.parent.span_id:016x}"
    return encoded


def _ids(context: SpanContext) -> dict[str, str]:
    return {"traceId": f"{context.trace_id:032x}", "spanId": f"{context.span_id:016x}"}


def _resource(resource: Resource) -> dict[str, Any]:
    return {"attributes": _attributes(resource.attributes.items())}


def _attributes(values: Iterable[tuple[str, Any]]) -> list[dict[str, Any]]:
    return [{"key": name, "value": _value(value)} for name, value in values]


def _value(value: Attribute) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case str():
            return {"stringValue": value}
