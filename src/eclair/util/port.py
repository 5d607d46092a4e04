"""Listens on a port, and finds the process that holds it if it is taken."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

from eclair.errors import PortInUse, SettingsError


@dataclass(frozen=True, slots=True)
class PortHolder:
    """A process that listens on a port; `command` is its command line."""

    pid: int
    name: str
    command: str


def listen(host: str, port: int, option: str = "--port") -> socket.socket:
    """Return a listening socket; `option` chooses another port.

    Raises PortInUse, and SettingsError for an address that isn't this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # else asyncio leaves TCP_NODELAY off
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        if isinstance(error, PermissionError):
            raise PortInUse(f"Port {port} needs more rights than this user has; choose another ({option}).") from error
        if isinstance(error, socket.gaierror) or "assign" in str(error):
            raise SettingsError(f"{host} isn't an address of this machine; set `host` to one that is.") from error
        held = find_holder(port)
        by = f" by {held.name} (process {held.pid})" if held else ""
        raise PortInUse(f"Port {port} is in use{by}; stop that, or choose another ({option}).") from error
    listener.setblocking(False)
    return listener


def find_holder(port: int) -> PortHolder | None:
    """Return the process that listens on a port, if the system tells."""
    try:
        inodes = {
            fields[9]
            for table in ("/proc/net/tcp", "/proc/net/tcp6")
            for fields in (line.split() for line in Path(table).read_text().splitlines()[1:])
            if fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port
        }
    except OSError:  # a system without /proc
        return None
    for link in Path("/proc").glob("[0-9]*/fd/*") if inodes else ():
        try:
            target = str(link.readlink())
            if target.startswith("socket:[") and target[8:-1] in inodes:
                process = link.parents[1]
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                return PortHolder(int(process.name), (process / "comm").read_text().strip(), command.strip())
        except OSError:  # it has ended, or is another user's
            continue
    return None
