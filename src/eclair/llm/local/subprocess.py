"""The embedded engine's process, seen from its parent.

`llama_server` is what it runs; `model_process` decides when it is restarted.
"""

from __future__ import annotations

import contextlib
import platform
from collections.abc import AsyncGenerator
from pathlib import Path

from eclair.llm.local.llama_server import OPTIONS_CODEC, REPLY_CODEC, LlamaServerOptions, ServerFailed, Serving
from eclair.util.child_environment import child_environment
from eclair.util.child_process import ChildProcess, python_module
from eclair.util.frames import FrameError

OPENMP_ENVIRONMENT = {"GOMP_SPINCOUNT": "1000"}
"""Threads of a batch spin for some microseconds while they wait, then sleep.

OpenMP's default, to spin for long, collapses beside a busy neighbor (four answers together: 32 tokens per second, 46
with this); never to spin makes eight answers together hardly faster than one (x 1.2, x 2.0 with this)."""


class LlamaSubprocess:
    """Our llama.cpp server; its log goes to a file."""

    def __init__(self, process: ChildProcess[LlamaServerOptions, Serving | ServerFailed], key: str) -> None:
        self.key = key
        self._process = process

    @classmethod
    @contextlib.asynccontextmanager
    async def started(cls, options: LlamaServerOptions, logs: Path) -> AsyncGenerator[LlamaSubprocess]:
        """Start a process with these options; leaving the block ends it."""
        process = await ChildProcess[LlamaServerOptions, Serving | ServerFailed].start(
            python_module("eclair.llm.local.llama_server"),
            OPTIONS_CODEC,
            REPLY_CODEC,
            env={**OPENMP_ENVIRONMENT, **child_environment()},
            log_file=logs / f"{options.name}.log",
        )
        try:
            with contextlib.suppress(ConnectionError):  # it has died; `reply` tells
                await process.send(options)
            yield cls(process, options.key)
        finally:
            await process.stop()

    @property
    def pid(self) -> int | None:
        return self._process.pid

    async def reply(self) -> Serving | ServerFailed | None:
        """Return the process's reply once it serves or fails; None if it ends before that."""
        try:
            return await self._process.receive()
        except (EOFError, FrameError):
            return None

    async def wait(self) -> None:
        """Wait until the process has ended."""
        await self._process.wait()

    def kill(self) -> None:
        """Kill it, even if it is stopped; `wait` returns then."""
        self._process.kill()

    def last_words(self) -> str:
        """Return why it ended, by its exit status and log, as part of a sentence."""
        return self._process.last_words()


def describe_missing_engine(detail: str) -> str:
    """Return the sentence for a platform without the engine's package."""
    where = f"{platform.system()} on {platform.machine()}, Python {platform.python_version()}"
    return (
        f"The embedded engine is not there for this platform ({where}; {detail}); install the package xllamacpp, or "
        "name another engine in the settings and set `embedded` to false."
    )
