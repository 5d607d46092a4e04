"""Serve until told to stop: take the port, open the core, say where it is, and leave nothing half done."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from pathlib import Path

import uvicorn

from eclair.core import Core, open_core
from eclair.errors import PortInUse, SettingsError
from eclair.server.app import create_app
from eclair.server.guard import is_loopback
from eclair.settings import Settings

GRACE = 3
"""Seconds that open connections get to end by themselves."""


async def serve(settings: Settings, ready: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM. `ready` is called with the address once requests are answered.

    Raises PortInUse, SettingsError where no key protects an open address, and what `open_core` raises.
    """
    if not is_loopback(settings.host) and settings.api_key is None:
        raise SettingsError(
            f"{settings.host} can be reached from other machines, so a key is needed; "
            "set ECLAIR_API_KEY, or keep to 127.0.0.1."
        )
    listener = _listen(settings.host, settings.port)
    with listener:
        async with open_core(settings) as core:
            config = uvicorn.Config(
                create_app(core),
                loop="uvloop",
                http="httptools",
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                timeout_graceful_shutdown=GRACE,
            )
            await _Server(config, core, ready).serve(sockets=[listener])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, core: Core, ready: Callable[[str], None]) -> None:
        super().__init__(config)
        self._core = core
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if sockets:
            host, port = sockets[0].getsockname()[:2]
            self._ready(f"http://{f'[{host}]' if ':' in host else host}:{port}")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the answers at work first: their followers' connections then close by themselves."""
        await self._core.runs.close()
        await super().shutdown(sockets=sockets)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        if isinstance(error, PermissionError):
            raise PortInUse(f"Port {port} needs more rights than this user has; choose another (--port).") from error
        if isinstance(error, socket.gaierror) or "assign" in str(error):
            raise SettingsError(f"{host} is no address of this machine; set `host` to one that is.") from error
        raise PortInUse(f"Port {port} is in use{_holder(port)}; stop that, or choose another (--port).") from error
    listener.setblocking(False)
    return listener


def _holder(port: int) -> str:
    """Who listens on that port, as far as this system tells: ` by NAME (process N)`, or nothing."""
    try:
        inodes = {
            fields[9]
            for table in ("/proc/net/tcp", "/proc/net/tcp6")
            for fields in (line.split() for line in Path(table).read_text().splitlines()[1:])
            if fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port
        }
        for link in Path("/proc").glob("[0-9]*/fd/*"):
            try:
                target = str(link.readlink())
            except OSError:
                continue
            if target.removeprefix("socket:[").removesuffix("]") in inodes:
                process = link.parts[2]
                name = Path(f"/proc/{process}/comm").read_text().strip()
                return f" by {name} (process {process})"
    except OSError as error:
        logging.getLogger(__name__).debug("who holds port %d is unknown: %s", port, error)
    return ""
