"""The second port, at which programs look for Ollama."""

from __future__ import annotations

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

GREETING = "Ollama is running"
"""The reply by which some programs know Ollama."""


class OllamaPort:
    """ASGI middleware that greets like Ollama at the root of this port; all else is as at the first port."""

    def __init__(self, inner: ASGIApp, port: int) -> None:
        self._inner = inner
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asks_root = scope["type"] == "http" and scope["path"] == "/" and scope["method"] == "GET"
        if asks_root and scope["server"][1] == self._port:
            await PlainTextResponse(GREETING)(scope, receive, send)
        else:
            await self._inner(scope, receive, send)
