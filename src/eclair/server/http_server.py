"""The HTTP server: uvicorn's configuration."""

from __future__ import annotations

import resource
import ssl

import uvicorn
from starlette.types import ASGIApp

from eclair.server.http_protocol import HttpProtocol

SHUTDOWN_TIMEOUT_S = 3
"""The time that open connections have to end by themselves."""
MAX_CONNECTIONS = 2048
MAX_OPEN_FILES = 8192


def server_config(app: ASGIApp, tls: ssl.SSLContext | None = None) -> uvicorn.Config:
    """Configure uvicorn to serve `app`, over https if there is a TLS context."""
    return uvicorn.Config(
        app,
        http=HttpProtocol,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_max_connections(),
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
        ssl_context_factory=None if tls is None else lambda config, default: tls,
    )


def _max_connections() -> int:
    """Leave half of the files that may be open for everything else."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MAX_CONNECTIONS if files == resource.RLIM_INFINITY else min(MAX_CONNECTIONS, files // 2)


def raise_file_limit() -> None:
    """Let this process have as many files and connections open as the system allows, within reason."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(MAX_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
