"""Pools of sandboxed processes, forked from one warm host.

`worker` is the inside of such a process; the protocol names the module that does the work.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import signal
import time
from collections.abc import AsyncGenerator, Coroutine, Sequence
from typing import Any, Generic

from eclair.sandbox.host_process import Channel, HostGone, HostProcess
from eclair.sandbox.protocol import (
    GiveUp,
    RequestDone,
    RequestFailed,
    RequestT,
    ResultT,
    SandboxError,
    SandboxProtocol,
)
from eclair.util.frames import FrameError

log = logging.getLogger(__name__)

HOST_IDLE_S = 120.0
"""An idle host stays this long, if its pool may linger."""

WORKER_IDLE_S = 120.0
READING_NICENESS = 8
"""Answers have priority: an engine has three times as much of the processor (`ENGINE_NICENESS`)."""
OLD_WORKER_REQUESTS = 200
"""From then on a process is replaced at its next rest, so that leaks of its libraries don't add up."""
MAX_REQUESTS_PER_WORKER = 400
"""Then it is replaced although it had no rest, as where thousands of documents are read."""
REST_S = 10.0
"""A process that rests for so long is in the middle of nothing."""
STOP_TIMEOUT_S = 3.0
"""Time for a process to give up a request."""


class SandboxPool(Generic[RequestT, ResultT]):
    """Processes that speak a protocol: one per request (`run_once`), or one for many (`worker`).

    The host ends with the last process or, with `linger`, a while later; then `close` must be called. With `scratch`,
    each process has a folder for temporary files, which is removed with it. It opens no other file than those of its
    request (`SandboxProtocol.input_paths`), the `readable` ones and Python's packages, and starts no other program
    than `programs`. Without `reuse`, nobody gets a process that somebody else had. `niceness` is that of the system: 0
    for what is as urgent as an answer.
    """

    def __init__(
        self,
        protocol: SandboxProtocol[RequestT, ResultT],
        *,
        max_processes: int | None = None,
        linger: bool = False,
        scratch: bool = False,
        readable: Sequence[str] = (),
        programs: Sequence[str] = (),
        reuse: bool = True,
        niceness: int = READING_NICENESS,
        host_idle_s: float = HOST_IDLE_S,
        worker_idle_s: float | None = None,
    ) -> None:
        self._protocol = protocol
        self._slots = asyncio.Semaphore(max_processes) if max_processes is not None else contextlib.nullcontext()
        self._linger = linger
        self._scratch = scratch
        self._readable = readable
        self._programs = programs
        self._reuse = reuse
        self._niceness = niceness
        self._host_idle_s = host_idle_s
        self._worker_idle_s = worker_idle_s
        self._host: asyncio.Task[HostProcess] | None = None
        self._idle: list[SandboxWorker[RequestT, ResultT]] = []
        self._busy = set[SandboxWorker[RequestT, ResultT]]()
        self._active = 0
        self._timer: asyncio.TimerHandle | None = None
        self._endings = set[asyncio.Task[object]]()

    async def run_once(self, request: RequestT, *, timeout_s: float) -> ResultT:
        """Run a request in a process of its own, and return its single result. Raises Rejected and SandboxError."""
        async with self._slots, self._using_host():
            try:
                async with asyncio.timeout(timeout_s):
                    return await self._run_once(request)
            except TimeoutError:
                raise SandboxError("timeout") from None

    @contextlib.asynccontextmanager
    async def worker(self) -> AsyncGenerator[SandboxWorker[RequestT, ResultT]]:
        """Lend a process. It is reused if it has answered every request in full or given it up, and ended otherwise."""
        async with self._slots, self._using_host():
            worker = self._idle_worker() or await self._start()
            self._busy.add(worker)
            try:
                yield worker
            finally:
                await asyncio.shield(self._in_background(self._take_back(worker)))

    async def _take_back(self, worker: SandboxWorker[RequestT, ResultT]) -> None:
        stays = self._linger and self._reuse
        if stays and self._protocol.stoppable and not worker.is_reusable:
            await worker.stop()
        self._busy.discard(worker)
        stays = stays and worker.is_reusable and not worker.is_ending
        if stays and worker.requests < MAX_REQUESTS_PER_WORKER:
            idle_s = self._worker_idle_s or WORKER_IDLE_S
            if worker.requests >= OLD_WORKER_REQUESTS:
                idle_s = min(REST_S, idle_s)
            self._idle.append(worker)
            worker.timer = asyncio.get_running_loop().call_later(idle_s, self._retire, worker)
        else:
            await worker.end()

    async def warm(self) -> None:
        """Start a process if there is none, so that the next request needn't wait for it."""
        if not self._idle and not self._busy:
            async with self.worker():
                pass

    async def close(self) -> None:
        """End the processes and their host."""
        self._stop_timer()
        workers = [*self._idle, *self._busy]
        self._idle.clear()
        for worker in workers:
            await worker.end()
        await self._end_host()
        await self._settle()

    async def _run_once(self, request: RequestT) -> ResultT:
        try:
            return await self._attempt(request)
        except HostGone:
            return await self._attempt(request)

    async def _attempt(self, request: RequestT) -> ResultT:
        worker = await self._start()
        try:
            async with contextlib.aclosing(worker.ask(request)) as results:
                return await anext(results)
        except StopAsyncIteration:
            raise SandboxError("crash") from None
        finally:
            self._in_background(worker.end())

    async def _start(self) -> SandboxWorker[RequestT, ResultT]:
        try:
            channel = await (await self._started_host()).fork()
        except HostGone:
            channel = await (await self._started_host()).fork()
        return SandboxWorker(self._protocol, channel)

    def _idle_worker(self) -> SandboxWorker[RequestT, ResultT] | None:
        while self._idle:
            worker = self._idle.pop()
            worker.stop_timer()
            if worker.is_alive:
                return worker
            self._in_background(worker.end())
        return None

    def _retire(self, worker: SandboxWorker[RequestT, ResultT]) -> None:
        if worker in self._idle:
            self._idle.remove(worker)
            self._in_background(worker.end())
            if not self._active and not self._idle:
                self._in_background(self._end_host())

    @contextlib.asynccontextmanager
    async def _using_host(self) -> AsyncGenerator[None]:
        self._active += 1
        self._stop_timer()
        try:
            yield
        finally:
            self._active -= 1
            if not self._active and not self._idle:
                if self._linger:
                    self._timer = asyncio.get_running_loop().call_later(self._host_idle_s, self._leave)
                else:
                    await self._end_host()
                    await self._settle()

    def _leave(self) -> None:
        self._in_background(self._end_host())

    async def _started_host(self) -> HostProcess:
        if (
            self._host is not None
            and self._host.done()
            and (self._host.exception() or not self._host.result().is_alive)
        ):
            await self._end_host()
        if self._host is None:
            starting = HostProcess.start(
                self._protocol.module,
                niceness=self._niceness,
                scratch=self._scratch,
                readable=self._readable,
                programs=self._programs,
            )
            self._host = asyncio.create_task(starting, name=f"host of {self._protocol.module}")
        return await asyncio.shield(self._host)

    async def _end_host(self) -> None:
        host, self._host = self._host, None
        if host is not None:
            with contextlib.suppress(OSError):  # it could not be started
                await (await host).end()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _settle(self) -> None:
        while self._endings:
            await asyncio.wait(self._endings)

    def _in_background(self, work: Coroutine[Any, Any, object]) -> asyncio.Task[object]:
        task = asyncio.create_task(work, name=f"end of {self._protocol.module}")
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)
        return task


class SandboxWorker(Generic[RequestT, ResultT]):
    """One process of a pool."""

    def __init__(self, protocol: SandboxProtocol[RequestT, ResultT], channel: Channel) -> None:
        self.is_reusable = True
        self.requests = 0
        self._is_asked = False
        self.timer: asyncio.TimerHandle | None = None
        self._protocol = protocol
        self._channel = channel
        self._receiving: asyncio.Future[ResultT | RequestDone | RequestFailed] | None = None

    @property
    def is_ending(self) -> bool:
        return self._channel.is_ending

    @property
    def is_alive(self) -> bool:
        return not self._channel.reader.at_eof()

    async def ask(
        self, request: RequestT, *, result_timeout_s: float = math.inf, total_timeout_s: float = math.inf
    ) -> AsyncGenerator[ResultT]:
        """Yield the results of a request. Time that the consumer takes between results doesn't count.

        Raises Rejected and SandboxError.
        """
        self.is_reusable, self._is_asked = False, True
        self.requests += 1
        with contextlib.suppress(ConnectionError):  # it has died, which reading tells
            self._channel.hand_over(self._protocol.input_paths(request))
            self._channel.writer.write(self._protocol.requests.encode(request))
            await self._channel.writer.drain()
        left_s = total_timeout_s
        while True:
            began = time.monotonic()
            timeout_s = min(result_timeout_s, left_s)
            try:
                async with asyncio.timeout(timeout_s if timeout_s < math.inf else None):
                    message = await self._receive()
            except TimeoutError:
                raise SandboxError("timeout") from None
            except (asyncio.IncompleteReadError, ConnectionError, FrameError) as error:
                raise await self._error(error) from None
            left_s -= time.monotonic() - began
            match message:
                case RequestDone():
                    self._note_end(message)
                    return
                case RequestFailed():
                    self._note_end(message)
                    raise message.error()
                case result:
                    yield result

    async def stop(self) -> None:
        """Have the process give up what nobody wants any more. If it takes too long, it isn't reusable."""
        if not self._is_asked:
            return
        lost = (asyncio.IncompleteReadError, ConnectionError, FrameError, TimeoutError)
        with contextlib.suppress(*lost):
            async with asyncio.timeout(STOP_TIMEOUT_S):
                self._channel.writer.write(self._protocol.requests.encode(GiveUp()))
                await self._channel.writer.drain()
                while not isinstance(message := await self._receive(), RequestDone | RequestFailed):
                    pass
                self._note_end(message)

    def _note_end(self, end: RequestDone | RequestFailed) -> None:
        self._is_asked = False
        self.is_reusable = isinstance(end, RequestDone) or end.fault not in ("memory", "too_large")  # little is left

    async def _receive(self) -> ResultT | RequestDone | RequestFailed:
        """Return the next message. One that is on its way when this is cancelled comes with the next call."""
        if self._receiving is None:
            self._receiving = asyncio.ensure_future(self._protocol.results.receive(self._channel.reader))
            self._receiving.add_done_callback(_retrieve)
        await asyncio.wait([self._receiving])
        receiving, self._receiving = self._receiving, None
        return receiving.result()

    async def end(self) -> int | None:
        """Kill the process. Return its exit status, None if the host is gone."""
        self.stop_timer()
        return await self._channel.end()

    def stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()

    async def _error(self, cause: Exception) -> SandboxError | HostGone:
        """Return the reason for a missing result."""
        is_unexpected = not self._channel.is_ending
        status = await self.end()
        if status is None:
            return HostGone()
        if is_unexpected:
            log.warning(
                "A process of %s ended (%s, %s): %s", self._protocol.module, status, cause, self._channel.log_tail()
            )
        return SandboxError("timeout" if status == -signal.SIGXCPU else "death")


def _retrieve(message: asyncio.Future[Any]) -> None:
    """Keep asyncio from logging an error that nobody waits for any more."""
    if not message.cancelled():
        message.exception()
