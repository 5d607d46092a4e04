"""The HTTP server: uvicorn's configuration."""

from __future__ import annotations

import resource
import ssl

import uvicorn
from starlette.types import ASGIApp

from eclair.live_settings import LiveSettings
from eclair.server.connection_limit import ConnectionLimit
from eclair.server.http_protocol import HttpProtocol

SHUTDOWN_TIMEOUT_S = 3
"""The time that open connections have to end by themselves."""
MAX_CONNECTIONS = 8192
MAX_OPEN_FILES = 16_384


def server_config(app: ASGIApp, settings: LiveSettings, tls: ssl.SSLContext | None = None) -> uvicorn.Config:
    """Configure uvicorn to serve `app`, over https if there is a TLS context."""

    class LimitedProtocol(HttpProtocol):
        limit = ConnectionLimit(max_connections(), settings)

    return uvicorn.Config(
        app,
        http=LimitedProtocol,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
        ssl_context_factory=None if tls is None else lambda config, default: tls,
    )


def max_connections() -> int:
    """Return the limit of connections, which leaves half of the files that may be open for everything else."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MAX_CONNECTIONS if files == resource.RLIM_INFINITY else min(MAX_CONNECTIONS, files // 2)


def raise_file_limit() -> None:
    """Let this process have as many files and connections open as the system allows, within reason."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(MAX_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
