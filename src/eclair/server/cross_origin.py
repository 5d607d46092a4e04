"""Requests of pages from other origins that `cors_origins` names: CORS headers and preflights."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Message, Scope, Send

from eclair.server.plain_requests import INTERFACES

ANY_ORIGIN = "*"
OPAQUE_ORIGIN = "null"
"""The origin of sandboxed frames and local files, which anyone can make: `*` doesn't stand for it."""

METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
EXPOSED_HEADERS = "content-disposition, mcp-session-id, openai-processing-ms, request-id, retry-after, x-request-id"
PREFLIGHT_MAX_AGE_S = 600


class CrossOrigin:
    """The origins that may use the interfaces with a key."""

    def __init__(self, origins: tuple[str, ...]) -> None:
        self._origins = frozenset(origins)

    def admits(self, scope: Scope, headers: Headers) -> bool:
        """Tell whether a foreign page's request is for an interface, and from an origin that may use it."""
        origin = headers.get("origin", "")
        is_any = ANY_ORIGIN in self._origins and origin != OPAQUE_ORIGIN
        return scope["path"].startswith(INTERFACES) and (is_any or origin in self._origins)

    def preflight(self, headers: Headers) -> Response:
        """Build the answer to a browser that asks whether a page may send a request."""
        allowed = {
            "Access-Control-Allow-Methods": METHODS,
            "Access-Control-Max-Age": str(PREFLIGHT_MAX_AGE_S),
            "Cache-Control": "no-store",
        }
        if (names := headers.get("access-control-request-headers")) is not None:
            allowed["Access-Control-Allow-Headers"] = names
        if headers.get("access-control-request-private-network") == "true":
            allowed["Access-Control-Allow-Private-Network"] = "true"
        return Response(status_code=204, headers=allowed)

    def add_headers(self, headers: Headers, send: Send) -> Send:
        """Wrap `send` so that the page may read the reply."""
        readable = [
            (b"access-control-allow-origin", headers["origin"].encode("latin-1")),
            (b"access-control-expose-headers", EXPOSED_HEADERS.encode()),
            (b"vary", b"Origin"),
        ]

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *readable]
            await send(message)

        return sending
