"""Refuses what would be stored while the data folder takes no writes."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from eclair.errors import StoreError
from eclair.server.auth import Respond

READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class ReadOnly:
    """ASGI middleware that lets only requests through that read; `reason` is the sentence for the others."""

    def __init__(self, app: ASGIApp, reason: str, respond: Respond) -> None:
        self._app = app
        self._reason = reason
        self._respond = respond

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in READING_METHODS:
            await self._respond(scope, StoreError(self._reason))(scope, receive, send)
        else:
            await self._app(scope, receive, send)
