"""Guests: foreign bytes are read once, in a process of ours that is bounded, has no network and is gone afterwards.

What is read is the affair of the module that the process runs, which enters by `guest`. Where many files are read one
after the other, `documents.parsing` keeps processes for several.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import Process

GRACE = 10
"""Seconds beyond those of the processor for which an answer is waited for."""

SPARE = 120.0
"""Seconds for which a process waits for an order."""

_QUIET = {"MALLOC_ARENA_MAX": "2", "OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


class Guests:
    """Processes that run `module`, each for one order. With `ahead`, the one for the next starts beside it and waits
    for `SPARE` seconds: then `close` has to be called."""

    def __init__(self, module: str, ahead: bool = False) -> None:
        self._module = module
        self._ahead = ahead
        self._spare: asyncio.Task[Process] | None = None
        self._until: asyncio.TimerHandle | None = None
        self._leaving = set[asyncio.Task[None]]()

    async def ask(self, order: bytes, seconds: float) -> bytes:
        """What the module says to `order`: nothing, or half of it, where it died. Raises TimeoutError."""
        process = await self._next()
        try:
            if self._ahead:
                self._start()
            async with asyncio.timeout(seconds + GRACE):
                out, _ = await process.communicate(order)
        finally:
            await _end(process)
        return out

    async def close(self) -> None:
        """End the process that waits."""
        self._leave()
        await asyncio.gather(*self._leaving)

    async def _next(self) -> Process:
        spare, self._spare = self._spare, None
        if spare is not None:
            process = await spare
            if process.returncode is None:
                return process
        return await _begun(self._module)

    def _start(self) -> None:
        if self._spare is None:
            self._spare = asyncio.ensure_future(_begun(self._module))
        if self._until is not None:
            self._until.cancel()
        self._until = asyncio.get_running_loop().call_later(SPARE, self._leave)

    def _leave(self) -> None:
        if self._until is not None:
            self._until.cancel()
        spare, self._spare, self._until = self._spare, None, None
        if spare is not None:
            leaving = asyncio.ensure_future(_gone(spare))
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)


async def _gone(spare: asyncio.Task[Process]) -> None:
    await _end(await spare)


async def _end(process: Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _begun(module: str) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        module,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, **_QUIET},
    )
