"""`/mcp`: Éclair as an MCP server over streamable HTTP. Each message is authenticated as requests of `/v1` are.

The SDK is imported with the first message: it takes most of a second, and a description of all routes needs none of it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from eclair.app import App
from eclair.schema.principal import Principal
from eclair.server.auth import principal_of

if TYPE_CHECKING:
    from eclair.server.mcp.exchanges import Exchanges


def router(app: App) -> APIRouter:
    api = APIRouter()
    opening = asyncio.Lock()
    opened: list[Exchanges] = []

    async def exchange(request: Request) -> Response:
        async with opening:
            if not opened:
                opened.append(await asyncio.to_thread(_open_exchanges, app))
        return _Exchange(opened[0])

    api.add_route("/mcp", exchange, methods=["POST"], include_in_schema=False)
    return api


def _open_exchanges(app: App) -> Exchanges:
    from eclair.server.mcp.exchanges import Exchanges
    from eclair.server.mcp.handlers import McpHandlers

    return Exchanges(McpHandlers(app, _find_principal).server())


class _Exchange(Response):
    """A response that reads the request itself, and may be a stream."""

    def __init__(self, exchanges: Exchanges) -> None:
        super().__init__()
        self._exchanges = exchanges

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._exchanges.serve(scope, receive, send)


def _find_principal(request: Any) -> Principal:
    """Return for whom the HTTP request of a message acts."""
    return principal_of(cast(Request, request.request).scope)
