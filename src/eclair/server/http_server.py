"""The HTTP server: uvicorn's configuration, and the protocol of each connection."""

from __future__ import annotations

import asyncio
import ssl

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from eclair.server.peer import PEER, Peer

SHUTDOWN_TIMEOUT_S = 3
"""The time that open connections have to end by themselves."""


class HttpProtocol(HttpToolsProtocol):
    """A connection that gives its requests the peer."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]  # as uvicorn's own
        super().connection_made(transport)
        self.app_state = {**self.app_state, PEER: Peer.from_transport(transport)}


def server_config(app: ASGIApp, tls: ssl.SSLContext | None = None) -> uvicorn.Config:
    """Configure uvicorn to serve `app`, over https if there is a TLS context."""
    return uvicorn.Config(
        app,
        http=HttpProtocol,
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
        ssl_context_factory=None if tls is None else lambda config, default: tls,
    )
