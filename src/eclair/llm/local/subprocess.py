"""The embedded engine's process as its parent holds it.

What it runs is `llama_server`'s affair, when it is started anew is `model_process`'s.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncGenerator
from pathlib import Path

from eclair.llm.local.llama_server import ORDERS, REPLIES, LlamaServerOptions, Refused, Serving
from eclair.util.child_process import ChildProcess, python_module
from eclair.util.frames import FrameError

OPENMP_ENVIRONMENT = {"GOMP_SPINCOUNT": "1000"}
"""Threads that work on a batch spin for some microseconds while they wait for each other, then sleep. Spinning for
long, as OpenMP has it by default, collapses beside a busy neighbour (four answers together: 32 tokens a second, with
this 46); never spinning makes eight answers together hardly faster than one (x 1.2, with this x 2.0)."""


class LlamaSubprocess:
    """A llama.cpp server of ours; its log is kept in a file."""

    def __init__(self, process: ChildProcess[LlamaServerOptions, Serving | Refused], key: str) -> None:
        self.key = key
        self._process = process

    @classmethod
    @contextlib.asynccontextmanager
    async def started(cls, order: LlamaServerOptions, logs: Path) -> AsyncGenerator[LlamaSubprocess]:
        """A process at work on `order`; leaving the block ends it."""
        process = await ChildProcess[LlamaServerOptions, Serving | Refused].start(
            python_module("eclair.llm.local.llama_server"),
            ORDERS,
            REPLIES,
            env={**OPENMP_ENVIRONMENT, **os.environ},
            log_file=logs / f"{order.name}.log",
        )
        try:
            with contextlib.suppress(ConnectionError):  # it has died, which its reply tells
                await process.send(order)
            yield cls(process, order.key)
        finally:
            await process.stop()

    @property
    def pid(self) -> int | None:
        return self._process.pid

    async def reply(self) -> Serving | Refused | None:
        """Return what the process says once it serves or knows that it cannot; None where it ends before that."""
        try:
            return await self._process.receive()
        except (EOFError, FrameError):
            return None

    async def wait(self) -> None:
        """Return when the process has ended."""
        await self._process.wait()

    def last_words(self) -> str:
        """Return why it ended, as far as its exit status and its log tell, for the middle of a sentence."""
        return self._process.last_words()
