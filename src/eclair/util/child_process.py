"""Long-running processes of ours: start them, exchange frames, end them.

`parent_connection` is the other side. Untrusted bytes belong in a `sandbox`.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from eclair.util.child_environment import child_environment
from eclair.util.frames import Codec

RequestT = TypeVar("RequestT")
ResultT = TypeVar("ResultT")

STOP_TIMEOUT_S = 2.0
"""Time to end by itself, and again after being terminated."""

MAX_LOG_FILE_BYTES = 1 << 20
MAX_LOG_LINES = 30


class ChildProcess(Generic[RequestT, ResultT]):
    """A process that takes requests on standard input and returns results on standard output.

    Its standard error is kept: the last lines in `log_tail`, all of it in a log file if there is one.
    """

    def __init__(
        self, process: Process, requests: Codec[RequestT], results: Codec[ResultT], log: RollingLog | None
    ) -> None:
        assert process.stderr is not None
        self.log_tail = LogTail()
        self._process = process
        self._requests = requests
        self._results = results
        self._receiving: asyncio.Task[ResultT] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._log = asyncio.create_task(self.log_tail.read(process.stderr, log), name=f"log of process {process.pid}")

    @classmethod
    async def start(
        cls,
        command: Sequence[str | Path],
        requests: Codec[RequestT],
        results: Codec[ResultT],
        *,
        env: Mapping[str, str] | None = None,
        log_file: Path | None = None,
    ) -> ChildProcess[RequestT, ResultT]:
        """Start a command, with `env` or else the usual environment of children. Raises OSError."""
        log = RollingLog(log_file) if log_file is not None else None
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=env if env is not None else child_environment()
            )
        except BaseException:
            if log is not None:
                log.close()
            raise
        return cls(process, requests, results, log)

    @property
    def pid(self) -> int | None:
        """The process id; None once it has ended."""
        return self._process.pid if self._process.returncode is None else None

    @property
    def exit_status(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return self._process.returncode

    async def send(self, request: RequestT) -> None:
        """Send a request. Raises ConnectionError where the process has ended."""
        assert self._process.stdin is not None
        self._process.stdin.write(self._requests.encode(request))
        await self._process.stdin.drain()

    async def receive(self) -> ResultT:
        """Return the next result, in full even if the previous call was cancelled.

        Raises EOFError where the process has ended, and FrameError.
        """
        if self._receiving is None:
            assert self._process.stdout is not None
            result = self._results.receive(self._process.stdout)
            self._receiving = asyncio.create_task(result, name=f"result of process {self._process.pid}")
        receiving = self._receiving
        try:
            return await asyncio.shield(receiving)
        except ConnectionError as error:
            raise EOFError from error
        except asyncio.CancelledError:
            if receiving.cancelled():  # by `stop`
                raise EOFError from None
            raise
        finally:
            if receiving.done():
                self._receiving = None

    async def wait(self) -> int:
        """Wait until it has ended, and return its exit status."""
        status = await self._process.wait()
        await asyncio.wait([self._log], timeout=STOP_TIMEOUT_S)  # its children may still write there
        return status

    async def stop(self) -> None:
        """Close its standard input, which ends it; otherwise terminate it, and then kill it."""
        if self._ending is None:
            self._ending = asyncio.create_task(self._stop(), name=f"end of process {self._process.pid}")
        await asyncio.shield(self._ending)

    def kill(self) -> None:
        """Kill it at once, if it still runs."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    def last_words(self) -> str:
        """Return why it ended, by its exit status and log, for the middle of a sentence."""
        status = self.exit_status
        words: list[str] = []
        if status is not None:
            words.append(f"signal {-status}" if status < 0 else f"exit status {status}")
        if self.log_tail.lines:
            words.append(f"its log ends with: {self.log_tail.lines[-1][:200]}")
        return "; ".join(words) or "it does not say why"

    async def _stop(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        for harder in (self._process.terminate, self._process.kill):
            try:
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await self._process.wait()
                break
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    harder()
        if (receiving := self._receiving) is not None:
            await asyncio.wait([receiving], timeout=STOP_TIMEOUT_S)
            receiving.cancel()
            await asyncio.wait([receiving])
        await self._process.stdout.read()  # asyncio waits forever where a pipe still holds what nobody has read
        await self._process.wait()
        await self._log


class LogTail:
    """The last lines of a process's standard error."""

    def __init__(self) -> None:
        self.lines = deque[str](maxlen=MAX_LOG_LINES)

    async def read(self, stderr: asyncio.StreamReader, log: RollingLog | None = None) -> None:
        """Read standard error until it is closed. All of it goes to `log`, which is closed then."""
        rest = b""
        try:
            while chunk := await stderr.read(65536):
                if log is not None:
                    log.write(chunk)
                *lines, rest = (rest + chunk).split(b"\n")
                self.lines += [text for line in lines if (text := line.decode(errors="replace").strip())]
                rest = rest[-4096:]
        finally:
            if log is not None:
                log.close()


class RollingLog:
    """A log file that starts over above `MAX_LOG_FILE_BYTES`, keeping the previous one as `.1`."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._file = path.open("ab")

    def write(self, chunk: bytes) -> None:
        if self._file.tell() > MAX_LOG_FILE_BYTES:
            self._file.close()
            self._path.replace(self._path.with_suffix(".log.1"))
            self._file = self._path.open("ab")
        self._file.write(chunk)
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def python_module(module: str) -> tuple[str, ...]:
    """Return the command that runs a module of ours."""
    return (sys.executable, "-P", "-m", module)
