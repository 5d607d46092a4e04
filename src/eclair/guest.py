"""Guests: foreign bytes are read once, in a process of ours that is bounded, has no network and is gone afterwards.

What is read is the affair of the module that the process runs: it calls `enter` first of all, and answers on what that
gives. Where many files are read one after the other, `documents.parsing` keeps processes warm.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import sys
from typing import BinaryIO

NICE = 5
"""Answers are made before anything is read."""

GRACE = 10
"""Seconds beyond those of the processor for which an answer is waited for."""

_QUIET = {"MALLOC_ARENA_MAX": "2", "OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
_FORBIDDEN = ("socket.connect", "socket.getaddrinfo", "socket.bind", "subprocess.Popen", "os.exec", "os.system")


async def ask(module: str, order: bytes, seconds: float) -> bytes:
    """What the module says to `order`: nothing, or half of it, where it died. Raises TimeoutError."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        module,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, **_QUIET},
        start_new_session=True,  # Ctrl-C in a terminal goes to its whole group
    )
    try:
        async with asyncio.timeout(seconds + GRACE):
            out, _ = await process.communicate(order)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return out


def enter(memory: int, seconds: int) -> BinaryIO:
    """Bound this process, which may then write no file and call nobody; where its answer is to go. `memory` is bytes of
    address space, which is what a system can bound."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no answer
    os.nice(NICE)
    for which, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError):  # macOS bounds no address space
            resource.setrlimit(which, (most, most))
    sys.addaudithook(_refuse)
    return out


def _refuse(event: str, _: tuple[object, ...]) -> None:
    if event in _FORBIDDEN:
        raise PermissionError("a file is read without network and other programs")
