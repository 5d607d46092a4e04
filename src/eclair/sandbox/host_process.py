"""The parent's side of a sandbox host: start it, fork and end processes."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import shutil
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence

from eclair.sandbox.descriptors import hand_over
from eclair.sandbox.host import NUMBER, STATUS
from eclair.sandbox.protocol import SandboxError
from eclair.util.child_environment import child_environment
from eclair.util.child_process import LogTail
from eclair.util.scratch import ScratchFolder

END_TIMEOUT_S = 10.0
"""Time for a host to end; it may still be importing."""

RETRY_S = 0.005
"""Pause while the host's socket is full."""

_QUIET = {"MALLOC_ARENA_MAX": "2", "OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
"""Threads that libraries start on their own take address space, which is limited."""


class HostGone(SandboxError):
    """The host died, and its processes with it."""

    def __init__(self) -> None:
        super().__init__("death")


class Channel:
    """The parent's connection to one process."""

    def __init__(
        self,
        host: HostProcess,
        number: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        files: socket.socket,
    ) -> None:
        self.reader = reader
        self.writer = writer
        self._files = files
        self._host = host
        self._number = number
        self._ending: asyncio.Task[int | None] | None = None

    @property
    def is_ending(self) -> bool:
        return self._ending is not None

    def log_tail(self) -> str:
        """Return the last lines that the host and its processes wrote to standard error."""
        return " / ".join(self._host.log_tail.lines)

    def hand_over(self, paths: Sequence[str]) -> None:
        """Open the files of the next request for the process. Raises OSError if it has ended."""
        hand_over(self._files, paths)

    async def end(self) -> int | None:
        """Kill the process. Return its exit status, None if the host is gone."""
        if self._ending is None:
            self.writer.transport.abort()
            self._files.close()
            self._ending = asyncio.create_task(self._host.end_process(self._number), name="end of a sandbox")
        return await asyncio.shield(self._ending)


class HostProcess:
    def __init__(self, process: Process, line: socket.socket, scratch: ScratchFolder | None) -> None:
        assert process.stderr is not None
        self.log_tail = LogTail()
        self._process = process
        self._line = line
        self._scratch = scratch
        self._numbers = itertools.count(1)
        self._has_hung_up = False
        self._endings: dict[int, asyncio.Future[int | None]] = {}
        self._listener = asyncio.create_task(self._listen(), name="exit statuses of sandboxes")
        self._log = asyncio.create_task(self.log_tail.read(process.stderr), name="log of sandboxes")

    @classmethod
    async def start(
        cls, module: str, *, niceness: int, scratch: bool, readable: Sequence[str] = (), programs: Sequence[str] = ()
    ) -> HostProcess:
        """Start a host for a module, whose processes may open the `readable` files and start the `programs`.

        Raises OSError.
        """
        folder = ScratchFolder("sandbox") if scratch else None
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            with theirs:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-P", "-m", "eclair.sandbox.host", module),
                    *(str(niceness), str(folder.path) if folder is not None else "", *readable, "--", *programs),
                    stdin=theirs.fileno(),
                    stdout=DEVNULL,
                    stderr=PIPE,
                    env=child_environment(**_QUIET),
                )
        except BaseException:
            ours.close()
            if folder is not None:
                folder.remove()
            raise
        return cls(process, ours, folder)

    @property
    def is_alive(self) -> bool:
        return not self._has_hung_up and not self._listener.done()

    async def fork(self) -> Channel:
        """Start a process. Raises HostGone."""
        number = next(self._numbers)
        ours, theirs = socket.socketpair()
        files, their_files = socket.socketpair(type=socket.SOCK_DGRAM)
        try:
            with theirs, their_files:
                await self._send(number, theirs, their_files)
            reader, writer = await asyncio.open_unix_connection(sock=ours)
        except BaseException as error:
            ours.close()
            files.close()
            if isinstance(error, OSError):
                raise HostGone from None
            raise
        return Channel(self, number, reader, writer, files)

    async def end_process(self, number: int) -> int | None:
        """Kill a process. Return its exit status, None if the host is gone."""
        ended = self._endings[number] = asyncio.get_running_loop().create_future()
        try:
            if not self.is_alive:
                return None
            await self._send(-number)
            return await ended
        except OSError:
            return None
        finally:
            del self._endings[number]
            if self._scratch is not None:
                folder = self._scratch.path / str(number)
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def end(self) -> None:
        """End the host and its processes."""
        self._listener.cancel()
        await asyncio.wait([self._listener])
        self._line.close()
        try:
            async with asyncio.timeout(END_TIMEOUT_S):
                await self._process.wait()
                await asyncio.shield(self._log)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            self._log.cancel()
            await self._process.wait()
        if self._scratch is not None:
            await asyncio.to_thread(self._scratch.remove)

    async def _send(self, number: int, *sockets: socket.socket) -> None:
        """Send a number, with the sockets of a new process. Raises OSError."""
        descriptors = [each.fileno() for each in sockets]
        while True:
            try:
                socket.send_fds(self._line, [NUMBER.pack(number)], descriptors)
                return
            except BlockingIOError:
                await asyncio.sleep(RETRY_S)
            except ConnectionError:
                self._has_hung_up = True  # the listener learns of it only when the loop gets to it
                raise

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        data = b""
        try:
            while received := await loop.sock_recv(self._line, 4096):
                data += received
                while len(data) >= STATUS.size:
                    number, status = STATUS.unpack(data[: STATUS.size])
                    data = data[STATUS.size :]
                    if (ended := self._endings.get(number)) is not None and not ended.done():
                        ended.set_result(status)
        except ConnectionError:
            pass  # the host is gone
        finally:
            for ended in self._endings.values():
                if not ended.done():
                    ended.set_result(None)
