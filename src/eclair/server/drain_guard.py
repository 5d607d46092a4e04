"""Refuses what would begin an answer while Éclair is about to end."""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from eclair.errors import Draining
from eclair.server.auth import Respond
from eclair.server.client_limits import is_costly


class DrainGuard:
    """ASGI middleware that refuses costly requests once `is_draining`; all others, and what runs, go on."""

    def __init__(self, app: ASGIApp, is_draining: Callable[[], bool], respond: Respond) -> None:
        self._app = app
        self._is_draining = is_draining
        self._respond = respond

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._is_draining() and is_costly(scope):
            await self._respond(scope, Draining())(scope, receive, send)
        else:
            await self._app(scope, receive, send)
