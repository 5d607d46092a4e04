"""One log line a request, with its id: all of them with `access_log`, otherwise those that were refused.

A line has the route's template instead of the path, and no query: addresses hold ids and words of people.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eclair.live_settings import LiveSettings
from eclair.server.lazy_routes import ROUTE_MODULES, route_prefix
from eclair.server.request_counts import COUNTS_KEY, RequestCounts
from eclair.util.log_context import ACCESS_LOGGER, REQUEST_ID, log_fields
from eclair.util.tracing import CURRENT_SPAN

if TYPE_CHECKING:
    from eclair.network.telemetry import OpenTelemetrySpan, Telemetry

REQUEST_ID_HEADER = b"x-request-id"
GIVEN_ID_HEADERS = frozenset({REQUEST_ID_HEADER, b"x-client-request-id"})
REFUSED_STATUSES = frozenset({401, 403, 429})
MAX_REFUSALS_PER_SECOND = 20
"""Further ones are counted by the next line: a stranger must not fill the disk."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Others are counted together: a client may invent any number."""

_SANE_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")

log = logging.getLogger(ACCESS_LOGGER)


class RequestLog:
    """ASGI middleware, the outermost: gives each request an id, and logs what became of it."""

    def __init__(self, inner: ASGIApp, settings: LiveSettings, telemetry: Telemetry | None) -> None:
        self._inner = inner
        self._telemetry = telemetry
        self._settings = settings
        self._counts = RequestCounts()
        self._second = 0
        self._refusals = 0
        self._left_out = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        id = _request_id(scope)
        scope.setdefault("state", {})[COUNTS_KEY] = self._counts
        token = REQUEST_ID.set(id)
        began = time.perf_counter()
        span = self._begin_span(scope, id)
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *_reply_headers(scope, id, time.perf_counter() - began)]
            await send(message)

        try:
            await self._inner(scope, receive, send_with_id)
        finally:
            self._log(scope, status, time.perf_counter() - began)
            if span is not None:
                _end_span(span, scope, status)
            REQUEST_ID.reset(token)

    def _begin_span(self, scope: Scope, id: str) -> OpenTelemetrySpan | None:
        """Begin the request's span, which what it causes belongs to; None without traces."""
        if self._telemetry is None:
            return None
        parent = next((str(value, "latin-1") for name, value in scope["headers"] if name == b"traceparent"), None)
        span = self._telemetry.begin_request(parent)
        span.set("eclair.request_id", id)
        CURRENT_SPAN.set(span)
        return span

    def _log(self, scope: Scope, status: int, seconds: float) -> None:
        route, method = route_template(scope), _method(scope)
        self._counts.counts[method, route, status] += 1
        self._counts.seconds.observe(seconds)
        is_refused = status in REFUSED_STATUSES
        if not (self._settings.current.access_log or (is_refused and self._may_log_refusal())):
            return
        milliseconds = round(seconds * 1000, 1)
        fields: dict[str, str | int | float | bool | None] = {
            "method": method,
            "route": route,
            "status": status,
            "milliseconds": milliseconds,
        }
        if self._left_out:
            fields["refusals_left_out"], self._left_out = self._left_out, 0
        message = f"{method} {route} {status} {milliseconds} ms"
        log_fields(log, logging.WARNING if is_refused else logging.INFO, message, fields)

    def _may_log_refusal(self) -> bool:
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._refusals = second, 0
        self._refusals += 1
        self._left_out += self._refusals > MAX_REFUSALS_PER_SECOND
        return self._refusals <= MAX_REFUSALS_PER_SECOND


def _method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in METHODS else "-"


def _end_span(span: OpenTelemetrySpan, scope: Scope, status: int) -> None:
    route, method = route_template(scope), _method(scope)
    span.rename(f"{method} {route}")
    span.set("http.request.method", method)
    span.set("http.route", route)
    span.set("http.response.status_code", status)
    span.end(str(status) if status >= 500 else None)


def route_template(scope: Scope) -> str:
    """Return the path of the route that answered, such as `/api/runs/{id}`; else its known beginning, or `-`."""
    route = scope.get("route")
    template = getattr(route, "path_format", None) or getattr(route, "path", None)
    if isinstance(template, str):
        return template
    prefix = route_prefix(scope["path"])
    return f"/{prefix}" if prefix in ROUTE_MODULES else "-"


def _request_id(scope: Scope) -> str:
    """Return the id that the client or a proxy gave the request, if it looks sane, or a new one."""
    for name, value in scope["headers"]:
        if name in GIVEN_ID_HEADERS and _SANE_ID.fullmatch(value):
            return str(value, "ascii")
    return secrets.token_hex(8)


def _reply_headers(scope: Scope, id: str, seconds: float) -> list[tuple[bytes, bytes]]:
    """Return the request's id, and what OpenAI's and Anthropic's clients look for besides."""
    encoded = id.encode()
    headers = [(REQUEST_ID_HEADER, encoded)]
    if scope["path"].startswith("/v1/messages"):
        headers.append((b"request-id", encoded))
    elif scope["path"].startswith("/v1/"):
        headers.append((b"openai-processing-ms", b"%d" % round(seconds * 1000)))
    return headers
