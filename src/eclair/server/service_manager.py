"""Tells systemd when a server or worker is ready, stops, and is alive (sd_notify); does nothing elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import time
from collections.abc import AsyncGenerator

log = logging.getLogger(__name__)


class ServiceManager:
    """The notification socket of systemd, if this process has one. A lost message is logged and costs nothing else."""

    def __init__(self, address: str | None, watchdog_s: float | None = None) -> None:
        self._address = f"\0{address[1:]}" if address is not None and address.startswith("@") else address
        self._watchdog_s = watchdog_s
        self._status = ""

    @classmethod
    def from_environment(cls) -> ServiceManager:
        """Take systemd's variables out of the environment, so that no child answers for this process."""
        address = os.environ.pop("NOTIFY_SOCKET", None)
        period, pid = os.environ.pop("WATCHDOG_USEC", ""), os.environ.pop("WATCHDOG_PID", None)
        is_watched = period.isdecimal() and int(period) > 0 and pid in (None, str(os.getpid()))
        return cls(address, int(period) / 1e6 if is_watched else None)

    def notify(self, *assignments: str) -> None:
        """Send assignments such as `READY=1`."""
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
                line.sendto("\n".join(assignments).encode(), self._address)
        except OSError as error:
            log.warning("systemd could not be told %s: %s.", assignments[0], error.strerror)

    def reloading(self) -> None:
        """Report that the settings are being read again."""
        self.notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def reloaded(self, fault: str | None) -> None:
        """Report that this has ended, and why nothing changed if there was a fault."""
        self.notify("READY=1", f"STATUS={self._status if fault is None else f'Settings not reloaded: {fault}'}")

    @contextlib.asynccontextmanager
    async def running(self, status: str) -> AsyncGenerator[None]:
        """Report the service as ready, then as alive while the event loop turns, and as stopping at the end."""
        self._status = status
        self.notify("READY=1", f"STATUS={self._status}")
        beating = asyncio.create_task(self._beat(), name="watchdog") if self._watchdog_s is not None else None
        try:
            yield
        finally:
            if beating is not None:
                beating.cancel()
                await asyncio.wait([beating])
            self.notify("STOPPING=1")

    async def _beat(self) -> None:
        assert self._watchdog_s is not None
        while True:
            self.notify("WATCHDOG=1")
            await asyncio.sleep(self._watchdog_s / 3)
