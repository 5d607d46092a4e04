"""Refuses what would begin an answer while Éclair is about to end."""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from eclair.errors import Draining
from eclair.server.auth import Respond
from eclair.server.client_limits import is_costly
from eclair.server.lazy_routes import route_prefix

CONVERSATIONS = "api/conversations"
CONVERSATION_WORK = frozenset({"follow-ups", "python"})
"""Ends of paths beneath a conversation that take a model or a sandbox; `Runs` refuses turns by itself."""
SMALL_WORK = frozenset({"cancel", "count_tokens", "input_tokens"})
"""Ends of other paths that begin nothing."""


class DrainGuard:
    """ASGI middleware that refuses what takes a model, a sandbox or the web once `is_draining`; all else goes on."""

    def __init__(self, app: ASGIApp, is_draining: Callable[[], bool], respond: Respond) -> None:
        self._app = app
        self._is_draining = is_draining
        self._respond = respond

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._is_draining() and begins_work(scope):
            await self._respond(scope, Draining())(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def begins_work(scope: Scope) -> bool:
    """Tell whether a request would begin what a process that is about to end can't finish."""
    if not is_costly(scope):
        return False
    last = scope["path"].rpartition("/")[2]
    return last in CONVERSATION_WORK if route_prefix(scope["path"]) == CONVERSATIONS else last not in SMALL_WORK
