"""`/mcp`: Éclair as an MCP server over streamable HTTP. Each message is authenticated as requests of `/v1` are."""

from __future__ import annotations

from typing import cast

from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from eclair.app import App
from eclair.schema.principal import Principal
from eclair.server.auth import principal_of
from eclair.server.mcp.exchanges import Exchanges
from eclair.server.mcp.handlers import McpHandlers, McpRequest


def router(app: App) -> APIRouter:
    api = APIRouter()
    exchanges = Exchanges(McpHandlers(app, _find_principal).server())

    async def exchange(request: Request) -> Response:
        return _Exchange(exchanges)

    api.add_route("/mcp", exchange, methods=["POST"], include_in_schema=False)
    return api


class _Exchange(Response):
    """A response that reads the request itself, and may be a stream."""

    def __init__(self, exchanges: Exchanges) -> None:
        super().__init__()
        self._exchanges = exchanges

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._exchanges.serve(scope, receive, send)


def _find_principal(request: McpRequest) -> Principal:
    """Return for whom the HTTP request of a message acts."""
    return principal_of(cast(Request, request.request).scope)
