"""Makes requests plain before anything looks at them: no slash at the end of a path, HEAD as GET, bodies inflated."""

from __future__ import annotations

import zlib
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eclair.errors import EclairError, InvalidInput, UnsupportedEncoding

INTERFACES = ("/api/", "/v1/", "/scim/", "/metrics", "/mcp")
MAX_PIECE_BYTES = 1 << 20
"""The most that is inflated at once, so that a small body can't fill the memory."""

_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
_ENCODINGS = frozenset({b"gzip", b"x-gzip", b"deflate"})


class PlainRequests:
    """ASGI middleware. Limits of bodies that are set further in hold for inflated ones."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            _strip_slash(scope)
            receive = _inflated(scope, receive)
            if scope["method"] == "HEAD":
                scope["method"] = "GET"
                receive, send = _without_body(scope, receive, send)
        await self._app(scope, receive, send)


def _strip_slash(scope: Scope) -> None:
    """Take the slashes off the end of an interface's path; a redirect would name the scheme before the proxy."""
    path = scope["path"].rstrip("/")
    if path != scope["path"] and path.startswith(INTERFACES):
        scope["path"] = path
        scope["raw_path"] = scope["raw_path"].rstrip(b"/")


def _inflated(scope: Scope, receive: Receive) -> Receive:
    """Return a `receive` that inflates the body, if its headers say that it is compressed."""
    encoding = next((value.lower() for name, value in scope["headers"] if name == b"content-encoding"), b"identity")
    if encoding in (b"identity", b""):
        return receive
    if encoding not in _ENCODINGS:
        return _Refusal(UnsupportedEncoding("The body is compressed in another way than gzip; send it as it is."))
    scope["headers"] = [pair for pair in scope["headers"] if pair[0] not in (b"content-encoding", b"content-length")]
    return _Inflater(receive)


def _without_body(scope: Scope, receive: Receive, send: Send) -> tuple[Receive, Send]:
    """Wrap both so that the reply ends with its headers; a stream is told that its client has left."""
    has_begun = False

    async def receive_until_begun() -> Message:
        return {"type": "http.disconnect"} if has_begun else await receive()

    async def send_head(message: Message) -> None:
        nonlocal has_begun
        if message["type"] == "http.response.start":
            has_begun = True
            scope["method"] = "HEAD"
            await send(message)
            await send({"type": "http.response.body", "body": b""})

    return receive_until_begun, send_head


class _Refusal:
    """Implements `Receive` for a body that can't be read."""

    def __init__(self, error: EclairError) -> None:
        self._error = error

    async def __call__(self) -> Message:
        raise self._error


class _Inflater:
    """Implements `Receive`: inflates a body piece by piece."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._inflater: Any = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._rest = b""
        self._has_output = False
        self._has_come = False

    async def __call__(self) -> Message:
        if not (self._rest or self._has_output):
            message = await self._receive()
            if message["type"] != "http.request" or self._has_come:
                return message
            self._rest, self._has_come = message.get("body", b""), not message.get("more_body", False)
        piece = self._inflate()
        has_more = bool(self._rest) or self._has_output or not self._has_come
        if not (has_more or self._inflater.eof):
            raise InvalidInput("The gzip body breaks off; send it again.")
        return {"type": "http.request", "body": piece, "more_body": has_more}

    def _inflate(self) -> bytes:
        """Inflate the next piece. A gzip file may have several parts, each compressed on its own."""
        if self._inflater.eof and self._rest:
            self._inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
        try:
            piece: bytes = self._inflater.decompress(self._rest, MAX_PIECE_BYTES)
        except zlib.error:
            raise InvalidInput("The body is not gzip, as its Content-Encoding says; check what was sent.") from None
        self._rest = self._inflater.unconsumed_tail or self._inflater.unused_data
        self._has_output = len(piece) == MAX_PIECE_BYTES and not self._inflater.eof
        return piece
