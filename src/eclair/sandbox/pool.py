"""Guests: foreign bytes are read once, in a process of ours that is bounded, has no network and is gone afterwards.

What is read is the affair of the module that the process runs, which enters by `guest`. A host has imported it, and
forks for each order. Where many files are read one after the other, `documents.parsing` keeps processes for several.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import socket
import sys
from asyncio.subprocess import DEVNULL, Process

from eclair.sandbox.worker import NUMBER

GRACE = 10
"""Seconds beyond those of the processor for which an answer is waited for."""

SPARE = 120.0
"""Seconds for which a host waits for an order."""

_QUIET = {"MALLOC_ARENA_MAX": "2", "OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


class Guests:
    """Processes that run `module`, each for one order. Their host leaves with the last of them, or, if it may `stay`,
    `SPARE` seconds later: then `close` has to be called."""

    def __init__(self, module: str, stay: bool = False) -> None:
        self._module = module
        self._stay = stay
        self._host: asyncio.Task[_Host] | None = None
        self._asking = 0
        self._until: asyncio.TimerHandle | None = None
        self._leaving: asyncio.Task[None] | None = None

    async def ask(self, order: bytes, seconds: float) -> bytes:
        """What the module says to `order`: nothing, or half of it, where it died. Raises TimeoutError."""
        self._asking += 1
        self._stop_waiting()
        try:
            async with asyncio.timeout(seconds + GRACE):
                host = await self._hosted()
                answer = await host.ask(order)
                if not answer and not host.alive:
                    answer = await (await self._hosted()).ask(order)
                return answer
        finally:
            self._asking -= 1
            if not self._asking:
                await self._left()

    async def close(self) -> None:
        """End the host, and whom it has."""
        self._stop_waiting()
        host, self._host = self._host, None
        if host is not None:
            with contextlib.suppress(OSError):  # it could not begin
                await (await host).end()

    async def _hosted(self) -> _Host:
        if self._host is not None and self._host.done() and (self._host.exception() or not self._host.result().alive):
            await self.close()
        if self._host is None:
            self._host = asyncio.create_task(_Host.begin(self._module), name=f"host of {self._module}")
        return await asyncio.shield(self._host)

    async def _left(self) -> None:
        if not self._stay:
            await self.close()
            return
        self._stop_waiting()
        self._until = asyncio.get_running_loop().call_later(SPARE, self._leave)

    def _stop_waiting(self) -> None:
        if self._until is not None:
            self._until.cancel()
            self._until = None

    def _leave(self) -> None:
        self._leaving = asyncio.create_task(self.close(), name=f"end of the host of {self._module}")


class _Host:
    def __init__(self, process: Process, line: socket.socket) -> None:
        self._process = process
        self._line = line
        self._numbers = itertools.count(1)

    @classmethod
    async def begin(cls, module: str) -> _Host:
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "eclair.sandbox.worker", module),
                stdin=theirs.fileno(),
                stdout=DEVNULL,
                stderr=DEVNULL,
                env={**os.environ, **_QUIET},
            )
        return cls(process, ours)

    @property
    def alive(self) -> bool:
        """Whether it hears; its line says so before its end is known."""
        try:
            return self._line.recv(1, socket.MSG_DONTWAIT) != b""
        except BlockingIOError:
            return True
        except ConnectionError:
            return False

    async def ask(self, order: bytes) -> bytes:
        number = next(self._numbers)
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                socket.send_fds(self._line, [NUMBER.pack(number)], [theirs.fileno()])
        except OSError:  # the host is gone
            ours.close()
            return b""
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        try:
            writer.write(order)
            writer.write_eof()
            return await reader.read()
        except ConnectionError:
            return b""  # it died before it had read all
        finally:
            writer.transport.abort()
            with contextlib.suppress(OSError):  # the host is gone
                self._line.send(NUMBER.pack(-number))

    async def end(self) -> None:
        self._line.close()
        await self._process.wait()
