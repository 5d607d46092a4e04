"""Metrics of calls to models, named as OpenTelemetry's conventions for generative AI name them.

They are taken from the spans of the calls as these end.
"""

from __future__ import annotations

from opentelemetry.context import Context
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricsData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

import eclair

TOKEN_BOUNDS = tuple(float(4**power) for power in range(14))
SECOND_BOUNDS = tuple(0.01 * 2**power for power in range(14))
FIRST_CHUNK_BOUNDS = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Upper bounds of the buckets, in tokens and seconds."""

OPERATION, MODEL = "gen_ai.operation.name", "gen_ai.request.model"
FIRST_EVENT = "first_token"
"""The event of a span at which the model's first token had come."""


class GenAIMetrics(SpanProcessor):
    """Counts the calls to models whose spans end: how long they took, to the first token too, and their tokens."""

    def __init__(self, resource: Resource) -> None:
        self._reader = InMemoryMetricReader()
        self._provider = MeterProvider([self._reader], resource, shutdown_on_exit=False)
        meter = self._provider.get_meter("eclair", eclair.__version__)
        self._duration = meter.create_histogram(
            "gen_ai.client.operation.duration",
            "s",
            "Time of a call to a model.",
            explicit_bucket_boundaries_advisory=SECOND_BOUNDS,
        )
        self._first_chunk = meter.create_histogram(
            "gen_ai.client.operation.time_to_first_chunk",
            "s",
            "Time to the first token of a call to a model.",
            explicit_bucket_boundaries_advisory=FIRST_CHUNK_BOUNDS,
        )
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            "{token}",
            "Tokens of a call to a model, as the engine counts them.",
            explicit_bucket_boundaries_advisory=TOKEN_BOUNDS,
        )

    def on_start(self, span: Span, parent_context: Context | None = None) -> None: ...

    def on_end(self, span: ReadableSpan) -> None:
        facts = span.attributes or {}
        if OPERATION not in facts or span.start_time is None or span.end_time is None:
            return
        about = {name: facts[name] for name in (OPERATION, MODEL) if name in facts}
        fault = {"error.type": facts["error.type"]} if "error.type" in facts else {}
        self._duration.record((span.end_time - span.start_time) / 1e9, about | fault)
        for event in span.events:
            if event.name == FIRST_EVENT:
                self._first_chunk.record((event.timestamp - span.start_time) / 1e9, about)
        for kind in ("input", "output"):
            if isinstance(count := facts.get(f"gen_ai.usage.{kind}_tokens"), int):
                self._tokens.record(count, about | {"gen_ai.token.type": kind})

    def read(self) -> MetricsData | None:
        """Return the counts since the start; None while nothing was counted."""
        return self._reader.get_metrics_data()

    def close(self) -> None:
        self._provider.shutdown()
