"""The embedded engine's process as its parent holds it: its log in a ring and a file, its end in our hands.

What it runs is `llama_process`' affair, when it is started anew is `resident`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from eclair.llm.local.llama_server import Order

LOG_LIMIT = 1 << 20
"""Bytes after which the log file begins anew."""

WAITING = {"GOMP_SPINCOUNT": "1000"}
"""Threads that work on a batch spin for some microseconds while they wait for each other, then sleep. Spinning for
long, as OpenMP has it by default, collapses beside a busy neighbour (four answers together: 32 tokens a second, with
this 46); never spinning makes eight answers together hardly faster than one (x 1.2, with this x 2.0)."""


class Child:
    """The engine's process: its log in a ring and a file, its end in our hands."""

    def __init__(self, process: asyncio.subprocess.Process, key: str, log_file: RollingLog) -> None:
        self.key = key
        self._process = process
        self._lines: deque[str] = deque(maxlen=40)
        self._log_file = log_file
        self._pump = asyncio.create_task(self._keep_log(), name="embedded engine's log")

    @classmethod
    @contextlib.asynccontextmanager
    async def started(cls, order: Order, logs: Path) -> AsyncGenerator[Child]:
        """A process at work on `order`; leaving the block ends it."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "eclair.llm.local.llama_server",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**WAITING, **os.environ},
        )
        child = cls(process, order.key, RollingLog(logs / f"{order.name}.log"))
        try:
            assert process.stdin is not None
            process.stdin.write(orjson.dumps(asdict(order)) + b"\n")
            yield child
        finally:
            await child._end()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process.returncode is None else None

    async def first_line(self) -> Any:
        """What the process says once it serves or knows that it cannot; None where it ends before that."""
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        return orjson.loads(line) if line else None

    async def wait(self) -> None:
        """Return when the process has ended."""
        await self._process.wait()

    def last_words(self) -> str:
        """Why it ended, as far as its exit status and the end of its log tell, for the middle of a sentence."""
        status = self._process.returncode
        words: list[str] = []
        if status is not None:
            words.append(f"signal {-status}" if status < 0 else f"exit status {status}")
        if self._lines:
            words.append(f"its log ends with: {self._lines[-1][:200]}")
        return "; ".join(words) or "it does not say why"

    async def _end(self) -> None:
        await end(self._process)
        await self._pump

    async def _keep_log(self) -> None:
        assert self._process.stderr is not None
        rest = b""
        while chunk := await self._process.stderr.read(65536):
            self._log_file.write(chunk)
            *lines, rest = (rest + chunk).split(b"\n")
            self._lines += [text for line in lines if (text := line.decode(errors="replace").strip())]
            rest = rest[-4096:]
        self._log_file.close()


class RollingLog:
    """A log file that begins anew when it is over `LOG_LIMIT`, keeping the one before as `.1`."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._file = path.open("ab")

    def write(self, chunk: bytes) -> None:
        if self._file.tell() > LOG_LIMIT:
            self._file.close()
            self._path.replace(self._path.with_suffix(".log.1"))
            self._file = self._path.open("ab")
        self._file.write(chunk)
        self._file.flush()

    def close(self) -> None:
        self._file.close()


async def end(process: asyncio.subprocess.Process) -> None:
    """Close a process's standard input, which it dies of; failing that terminate it, failing that kill it."""
    assert process.stdin is not None
    process.stdin.close()
    for harder in (process.terminate, process.kill):
        try:
            async with asyncio.timeout(2):
                await process.wait()
            break
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                harder()
    await process.wait()
