"""Traces by OpenTelemetry: spans go to a collector (OTLP over HTTP, as JSON) through the outbound gate.

Imported only where a collector is set. The library's own exporters open connections of their own, so they aren't used.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import Any

import orjson
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import eclair
from eclair.errors import EclairError
from eclair.network.client import HttpClient
from eclair.network.gate import CallContext, OutboundGate
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.util.rare_log import RareLog
from eclair.util.tracing import Attribute, TraceSpan

EXPORT_INTERVAL_S = 5.0
MAX_WAITING_SPANS = 8192
"""Further ones are dropped, oldest first."""
MAX_SPANS_PER_EXPORT = 2048
EXPORT_TIMEOUT_S = 10.0
LAST_EXPORT_TIMEOUT_S = 2.0
"""The time for what is left when Éclair ends."""
PATH = "/v1/traces"

log = logging.getLogger(__name__)


class OpenTelemetrySpan:
    """A span of OpenTelemetry."""

    def __init__(self, tracer: Tracer, span: Any) -> None:
        self._tracer = tracer
        self._span = span

    def child(self, name: str) -> TraceSpan:
        started = self._tracer.start_span(name, set_span_in_context(self._span, Context()))
        return OpenTelemetrySpan(self._tracer, started)

    def set(self, name: str, value: Attribute | None) -> None:
        if value is not None:
            self._span.set_attribute(name, value)

    def mark(self, event: str) -> None:
        self._span.add_event(event)

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def end(self, fault: str | None = None) -> None:
        if fault is not None:
            self._span.set_attribute("error.type", fault)
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()


class Traces:
    """Begins spans of requests, and sends those that have ended. Call `start` before use."""

    def __init__(self, settings: Settings, gate: OutboundGate) -> None:
        assert settings.otlp_endpoint is not None
        self._url = settings.otlp_endpoint.removesuffix(PATH) + PATH
        self._client = HttpClient(settings.otlp_endpoint, settings.otlp_key, gate=gate)
        self._spans = _EndedSpans()
        resource = Resource({"service.name": "eclair", "service.version": eclair.__version__})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(self._spans)
        self._tracer = self._provider.get_tracer("eclair", eclair.__version__)
        self._log = RareLog(log)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._export_periodically(), name="traces")

    async def close(self) -> None:
        """Send what is left."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._export(LAST_EXPORT_TIMEOUT_S)
        await self._client.close()

    def begin_request(self, parent: str | None) -> OpenTelemetrySpan:
        """Begin the span of a request; `parent` is its `traceparent` header."""
        carrier = {} if parent is None else {"traceparent": parent}
        context = TraceContextTextMapPropagator().extract(carrier, Context())
        return OpenTelemetrySpan(self._tracer, self._tracer.start_span("request", context, SpanKind.SERVER))

    async def _export_periodically(self) -> None:
        while True:
            await asyncio.sleep(EXPORT_INTERVAL_S)
            await self._export()

    async def _export(self, timeout_s: float = EXPORT_TIMEOUT_S) -> None:
        """Send the spans that have ended; those that can't be sent are lost, which the log says."""
        while spans := self._spans.take_some(MAX_SPANS_PER_EXPORT):
            body = await asyncio.to_thread(encode, self._provider.resource, spans)
            context = CallContext(LOCAL_PRINCIPAL, "trace")
            try:
                async with (
                    asyncio.timeout(timeout_s),
                    self._client.post(self._url, body, context=context) as reply,
                ):
                    if reply.status >= 300:
                        self._log.warn("status", f"Traces are lost: {self._url} answers with {reply.status}.")
            except (EclairError, TimeoutError) as error:
                why = error.message if isinstance(error, EclairError) else f"{self._url} took too long."
                self._log.warn("error", f"Traces are lost: {why}")


class _EndedSpans(SpanProcessor):
    """Spans that have ended and wait to be sent."""

    def __init__(self) -> None:
        self._waiting: deque[ReadableSpan] = deque(maxlen=MAX_WAITING_SPANS)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None: ...

    def on_end(self, span: ReadableSpan) -> None:
        self._waiting.append(span)

    def take_some(self, most: int) -> list[ReadableSpan]:
        return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]


def encode(resource: Resource, spans: Sequence[ReadableSpan]) -> bytes:
    """Encode spans as the JSON of an `ExportTraceServiceRequest` (OTLP 1.x)."""
    scope = {"name": "eclair", "version": eclair.__version__}
    scope_spans = [{"scope": scope, "spans": [_span(span) for span in spans]}]
    attributes = _attributes(dict(resource.attributes))
    return orjson.dumps({"resourceSpans": [{"resource": {"attributes": attributes}, "scopeSpans": scope_spans}]})


def _span(span: ReadableSpan) -> dict[str, Any]:
    context = span.get_span_context()
    assert context is not None
    encoded = {
        **_ids(context),
        "name": span.name,
        "kind": span.kind.value + 1,
        "startTimeUnixNano": str(span.start_time),
        "endTimeUnixNano": str(span.end_time),
        "attributes": _attributes(dict(span.attributes or {})),
        "events": [{"timeUnixNano": str(event.timestamp), "name": event.name} for event in span.events],
        "status": {"code": span.status.status_code.value},
    }
    if span.parent is not None:
        encoded["parentSpanId"] = f"{span.parent.span_id:016x}"
    return encoded


def _ids(context: SpanContext) -> dict[str, str]:
    return {"traceId": f"{context.trace_id:032x}", "spanId": f"{context.span_id:016x}"}


def _attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": _value(value)} for name, value in values.items()]


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
