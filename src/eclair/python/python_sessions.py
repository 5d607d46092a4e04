"""Live sessions: the interpreters of the conversations that used Python last. They are a cache of what is stored."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import shutil
import sysconfig
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from eclair.python.python_protocol import (
    MONTY_PROTOCOL,
    TIMEOUT_S,
    WASI_PROTOCOL,
    CodePrinted,
    CodeResult,
    CodeRun,
    FileRemoved,
    FileWritten,
    Interpreter,
    RunCode,
)
from eclair.sandbox.pool import SandboxPool, SandboxWorker
from eclair.sandbox.protocol import Rejected, SandboxError

ReportPrinted = Callable[[str], None]
"""Gets the last lines that code has printed so far."""

MAX_SESSIONS = 4
IDLE_S = 900.0
GRACE_S = 30.0
"""Time beyond that of a call for a process to answer."""

_FAULTS = {
    "timeout": "TimeoutError: the code took too much time",
    "memory": "MemoryError: the code took too much memory",
    "crash": "The interpreter crashed.",
    "death": "The interpreter was ended, most likely since the code took too much memory.",
}


@dataclass(slots=True)
class SessionResult:
    """Results of a call. The session is gone when it `is_over`."""

    run: CodeRun
    written: list[FileWritten] = field(default_factory=list[FileWritten])
    removed: list[str] = field(default_factory=list[str])


class PythonSession:
    """An interpreter in a process of its own.

    `versions` are the stored files that it has, by name, and `given` the folders of given files. `number` is that of
    the call whose variables it has.
    """

    def __init__(self, interpreter: Interpreter, worker: SandboxWorker[RunCode, CodeResult]) -> None:
        self.interpreter: Interpreter = interpreter
        self.versions: dict[str, int] = {}
        self.number = 0
        self.given: dict[str, Mapping[str, bytes]] = {}
        self.used = time.monotonic()
        self.lock = asyncio.Lock()
        self.stack = contextlib.AsyncExitStack()
        self._worker = worker

    @property
    def is_alive(self) -> bool:
        return self._worker.is_alive

    async def run(self, request: RunCode, report: ReportPrinted | None = None) -> SessionResult:
        """Run code; faults of the process become the error of a session that is over."""
        result = SessionResult(CodeRun("", _FAULTS["death"], is_over=True))
        try:
            async with contextlib.aclosing(self._worker.ask(request, total_timeout_s=TIMEOUT_S + GRACE_S)) as found:
                async for each in found:
                    match each:
                        case CodePrinted(text):
                            if report is not None:
                                report(text)
                        case FileWritten():
                            result.written.append(each)
                        case FileRemoved(name):
                            result.removed.append(name)
                        case CodeRun():
                            result.run = each
        except SandboxError as error:
            result.run = CodeRun("", _FAULTS[error.fault], is_over=True)
        except Rejected as error:
            result.run = CodeRun("", error.message, is_over=True)
        return result


class PythonSessions:
    """The sessions by conversation: at most `MAX_SESSIONS`, each until it was idle for `IDLE_S`."""

    def __init__(self, tools: Path) -> None:
        self._pools: dict[Interpreter, SandboxPool[RunCode, CodeResult]] = {
            "monty": SandboxPool(MONTY_PROTOCOL, linger=True, reuse=False, programs=(_monty_program(),)),
            "wasi": SandboxPool(WASI_PROTOCOL, linger=True, reuse=False, scratch=True, readable=(str(tools),)),
        }
        self._sessions: dict[str, PythonSession] = {}
        self._opening = asyncio.Lock()
        self._sweeper: asyncio.Task[None] | None = None

    def find(self, key: str) -> PythonSession | None:
        """Return the live session of a conversation."""
        found = self._sessions.get(key)
        return found if found is not None and found.is_alive else None

    async def open(self, key: str, interpreter: Interpreter) -> PythonSession:
        """Start a session in place of any before; the one that was idle longest makes room."""
        await self.end(key)
        async with self._opening:
            while len(self._sessions) >= MAX_SESSIONS:
                idle = [each for each in self._sessions if not self._sessions[each].lock.locked()]
                if not idle:
                    break
                await self.end(min(idle, key=lambda each: self._sessions[each].used))
            stack = contextlib.AsyncExitStack()
            worker = await stack.enter_async_context(self._pools[interpreter].worker())
            session = self._sessions[key] = PythonSession(interpreter, worker)
            session.stack = stack
        if self._sweeper is None:
            self._sweeper = asyncio.create_task(self._sweep(), name="end idle Python sessions")
        return session

    @contextlib.asynccontextmanager
    async def single(self, interpreter: Interpreter) -> AsyncGenerator[PythonSession]:
        """Have a session for the block alone: it makes none of the others end."""
        async with self._pools[interpreter].worker() as worker:
            yield PythonSession(interpreter, worker)

    async def end(self, key: str) -> None:
        """End a session, if there is one."""
        if (session := self._sessions.pop(key, None)) is not None:
            await session.stack.aclose()

    async def end_all(self, interpreter: Interpreter) -> None:
        """End all sessions of an interpreter."""
        for key in [key for key, each in self._sessions.items() if each.interpreter == interpreter]:
            await self.end(key)

    async def close(self) -> None:
        """End all sessions and their processes."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.wait([self._sweeper])
        for key in list(self._sessions):
            await self.end(key)
        for pool in self._pools.values():
            await pool.close()

    @contextlib.asynccontextmanager
    async def using(self, session: PythonSession) -> AsyncGenerator[None]:
        """Keep a session from being ended within the block, as one call at a time uses it."""
        async with session.lock:
            session.used = time.monotonic()
            try:
                yield
            finally:
                session.used = time.monotonic()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(IDLE_S / 15)
            for key, session in list(self._sessions.items()):
                if not session.lock.locked() and time.monotonic() - session.used > IDLE_S:
                    await self.end(key)


@functools.cache
def monty_version() -> str:
    """Return the interpreter's name and version, for which alone variables are kept."""
    return f"monty {metadata.version('pydantic-monty-client')}"


def _monty_program() -> str:
    """Return the path of the interpreter, which its package installs beside Python."""
    here = Path(sysconfig.get_path("scripts"), "monty")
    return os.environ.get("MONTY_BIN") or (str(here) if here.exists() else shutil.which("monty") or str(here))
