"""Traces and metrics by OpenTelemetry, sent to a collector (OTLP over HTTP, as JSON) through the outbound gate.

Imported only where a collector is set. The library's own exporters open connections of their own, so they aren't used.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import eclair
from eclair.errors import EclairError
from eclair.network.client import HttpClient
from eclair.network.gate import CallContext, OutboundGate
from eclair.network.genai_metrics import GenAIMetrics
from eclair.network.otlp import encode_histograms, encode_spans
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.util.rare_log import RareLog
from eclair.util.tracing import Attribute, TraceSpan

EXPORT_INTERVAL_S = 5.0
METRICS_EVERY = 3
"""Metrics are sent with one export in so many."""
MAX_WAITING_SPANS = 8192
"""Further ones are dropped, oldest first."""
MAX_SPANS_PER_EXPORT = 2048
EXPORT_TIMEOUT_S = 10.0
LAST_EXPORT_TIMEOUT_S = 2.0
"""The time for what is left when Éclair ends."""
TRACES, METRICS = "/v1/traces", "/v1/metrics"
NO_SUCH_ROUTE = (404, 405, 501)
"""Replies of a collector that takes no metrics, as some only take traces."""

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


class Telemetry:
    """Begins spans of requests, and sends those that have ended and what they count. Call `start` before use."""

    def __init__(self, settings: Settings, gate: OutboundGate) -> None:
        assert settings.otlp_endpoint is not None
        self._base = settings.otlp_endpoint.removesuffix(TRACES)
        self._client = HttpClient(settings.otlp_endpoint, settings.otlp_key, gate=gate)
        self._spans = _EndedSpans()
        self._resource = Resource({"service.name": "eclair", "service.version": eclair.__version__})
        self._metrics: GenAIMetrics | None = GenAIMetrics(self._resource)
        self._provider = TracerProvider(resource=self._resource, shutdown_on_exit=False)
        self._provider.add_span_processor(self._spans)
        self._provider.add_span_processor(self._metrics)
        self._tracer = self._provider.get_tracer("eclair", eclair.__version__)
        self._log = RareLog(log)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._export_periodically(), name="telemetry")

    async def close(self) -> None:
        """Send what is left."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._export_spans(LAST_EXPORT_TIMEOUT_S)
        await self._export_metrics(LAST_EXPORT_TIMEOUT_S)
        await self._client.close()
        self._provider.shutdown()

    def begin_request(self, parent: str | None) -> OpenTelemetrySpan:
        """Begin the span of a request; `parent` is its `traceparent` header."""
        carrier = {} if parent is None else {"traceparent": parent}
        context = TraceContextTextMapPropagator().extract(carrier, Context())
        return OpenTelemetrySpan(self._tracer, self._tracer.start_span("request", context, SpanKind.SERVER))

    async def _export_periodically(self) -> None:
        for number in itertools.count(1):
            await asyncio.sleep(EXPORT_INTERVAL_S)
            await self._export_spans(EXPORT_TIMEOUT_S)
            if number % METRICS_EVERY == 0:
                await self._export_metrics(EXPORT_TIMEOUT_S)

    async def _export_spans(self, timeout_s: float) -> None:
        """Send the spans that have ended; those that can't be sent are lost, which the log says."""
        while spans := self._spans.take_some(MAX_SPANS_PER_EXPORT):
            status = await self._post(TRACES, lambda some=spans: encode_spans(self._resource, some), timeout_s)
            if status is not None and status >= 300:
                self._log.warn("status", f"Traces are lost: {self._base}{TRACES} answers with {status}.")

    async def _export_metrics(self, timeout_s: float) -> None:
        """Send the metrics, whose counts are since the start: an export that fails loses nothing but time."""
        if self._metrics is None or (data := self._metrics.read()) is None:
            return
        status = await self._post(METRICS, lambda: encode_histograms(self._resource, data), timeout_s)
        if status in NO_SUCH_ROUTE:
            log.info("The collector at %s takes no metrics, so it gets traces alone.", self._base)
            self._metrics = None
        elif status is not None and status >= 300:
            self._log.warn("metrics", f"Metrics can't be sent: {self._base}{METRICS} answers with {status}.")

    async def _post(self, path: str, encode: Callable[[], bytes], timeout_s: float) -> int | None:
        """Send a body; return the reply's status, None where there was no reply, which the log says."""
        body = await asyncio.to_thread(encode)
        context = CallContext(LOCAL_PRINCIPAL, "trace")
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._client.post(f"{self._base}{path}", body, context=context) as reply,
            ):
                return reply.status
        except (EclairError, TimeoutError) as error:
            why = error.message if isinstance(error, EclairError) else f"{self._base}{path} took too long."
            self._log.warn("error", f"Telemetry can't be sent: {why}")
            return None


class _EndedSpans(SpanProcessor):
    """Spans that have ended and wait to be sent."""

    def __init__(self) -> None:
        self._waiting: deque[ReadableSpan] = deque(maxlen=MAX_WAITING_SPANS)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None: ...

    def on_end(self, span: ReadableSpan) -> None:
        self._waiting.append(span)

    def take_some(self, most: int) -> list[ReadableSpan]:
        return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
