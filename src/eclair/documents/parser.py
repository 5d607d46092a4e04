"""Files become pages in processes of their own: warm, bounded, replaced when a file ends one.

What is read out of which kind of file is `readers`' affair.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import deque
from collections.abc import AsyncGenerator
from pathlib import Path

from eclair.documents import worker_protocol
from eclair.documents.limits import Limits
from eclair.errors import NotFound, TooLarge, UnreadableFile, UserError
from eclair.schema.documents import About, Opened, Page, Prepared, Remarked

log = logging.getLogger(__name__)

READER = 2
"""Rises when files are read otherwise than before, so that those that were read are read anew."""

WARM = 120
"""Seconds for which a process without work is kept."""

FILES = 200
"""Files after which a process is replaced, so that what its libraries lose does not add up."""

SLOW = 1 << 20
"""Bytes of a message from which it is decoded beside the event loop."""

QUIET = {"MALLOC_ARENA_MAX": "2", "OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
"""Threads that libraries start of themselves take address space, which is bounded."""


class Parser:
    """Reads `workers` files at once in processes that run `module`, and makes pictures of pages beside that. The
    network `labels` names what is in photos, if it is there."""

    def __init__(
        self,
        limits: Limits = Limits(),  # noqa: B008
        workers: int = 1,
        module: str = "eclair.documents.worker",
        labels: Path | None = None,
    ) -> None:
        self._limits = limits
        self._labels = os.fspath(labels) if labels is not None else None
        self._reading = _Pool(workers, module)
        self._looking = _Pool(1, module)

    async def read(self, path: Path, name: str, *, after: int = 0) -> AsyncGenerator[Opened | Page | Remarked]:
        """The file's pages as they are read, `Opened` first; `after` pages are known and not read again.

        Closing the generator ends the work at once. Raises UnreadableFile and TooLarge with a sentence that calls the
        file `name`.
        """
        order = worker_protocol.Order(os.fspath(path), name, self._limits, after, labels=self._labels)
        async with contextlib.aclosing(self._pieces(order)) as pieces:
            async for piece in pieces:
                if not isinstance(piece, About):
                    yield piece

    async def page(self, path: Path, name: str, served: worker_protocol.Served) -> tuple[str, About, tuple[Page, ...]]:
        """A page of the web that was `served` into a file, whole: its type, what it says of itself, and its pages.
        Raises as `read` does; cancelling ends the work at once."""
        media, about, pages = served.media, About(), list[Page]()
        order = worker_protocol.Order(os.fspath(path), name, self._limits, served=served)
        async with contextlib.aclosing(self._pieces(order)) as pieces:
            async for piece in pieces:
                match piece:
                    case Opened():
                        media = piece.media
                    case About():
                        about = piece
                    case Page():
                        pages.append(piece)
                    case Remarked():
                        pass
        return media, about, tuple(pages)

    async def warm(self) -> None:
        """Start a process if there is none, so that the next file need not wait for it."""
        await self._reading.warm()

    async def _pieces(self, order: worker_protocol.Order) -> AsyncGenerator[Opened | Page | Remarked | About]:
        async with self._reading.worker() as worker:
            messages = worker.ask(order)
            async with contextlib.aclosing(messages):
                async for data in messages:
                    message = await _decoded(data, order.name)
                    match message:
                        case worker_protocol.Done():
                            worker.rest()
                            return
                        case worker_protocol.Fault():
                            if message.kind != "large":  # what ran out of memory has little left
                                worker.rest()
                            raise _error(message)
                        case _:
                            yield message

    async def picture(self, path: Path, name: str, page: int, width: int) -> bytes:
        """Page `page` as a PNG `width` pixels wide. Raises NotFound where there is no such page or it has no fixed
        form, UnreadableFile and TooLarge."""
        data = await self._one(worker_protocol.Order(os.fspath(path), name, self._limits, page=page, width=width), b"P")
        return data[1:]

    async def prepared(self, path: Path, name: str, side: int) -> Prepared:
        """A picture as a model is shown it that uses so many pixels of its longer `side`. Raises as `picture` does."""
        data = await self._one(
            worker_protocol.Order(os.fspath(path), name, self._limits, side=side), worker_protocol.PREPARED
        )
        try:
            return worker_protocol.decode_prepared(data)
        except (ValueError, TypeError) as error:
            raise _damaged(name) from error

    async def _one(self, order: worker_protocol.Order, kind: bytes) -> bytes:
        """The one message of that kind with which an order is answered."""
        async with self._looking.worker() as worker:
            messages = worker.ask(order)
            async with contextlib.aclosing(messages):
                data = await anext(messages)
            worker.rest()
        if data.startswith(kind):
            return data
        message = await _decoded(data, order.name)
        assert isinstance(message, worker_protocol.Fault)
        raise _error(message)

    async def close(self) -> None:
        """End the processes, whatever they are doing."""
        await self._reading.close()
        await self._looking.close()


class _Pool:
    """So many processes at most; those without work wait for a while."""

    def __init__(self, size: int, module: str) -> None:
        self._module = module
        self._places = asyncio.Semaphore(size)
        self._idle: list[_Worker] = []
        self._busy = set[_Worker]()
        self._ending = set[asyncio.Task[None]]()

    @contextlib.asynccontextmanager
    async def worker(self) -> AsyncGenerator[_Worker]:
        """A process to oneself. It is ended at leaving unless it was told to `rest`."""
        async with self._places:
            worker = await self._take()
            self._busy.add(worker)
            try:
                yield worker
            finally:
                self._busy.discard(worker)
                if worker.resting and worker.served < FILES:
                    self._idle.append(worker)
                    worker.timer = asyncio.get_running_loop().call_later(WARM, self._let_go, worker)
                else:
                    await worker.end()

    async def warm(self) -> None:
        if not self._idle and not self._busy:
            async with self.worker():
                pass

    async def close(self) -> None:
        workers = [*self._idle, *self._busy]
        self._idle.clear()
        for worker in workers:
            await worker.end()
        if self._ending:
            await asyncio.wait(self._ending)

    async def _take(self) -> _Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.timer is not None:
                worker.timer.cancel()
            if worker.alive:
                return worker
            await worker.end()
        return await _Worker.start(self._module)

    def _let_go(self, worker: _Worker) -> None:
        if worker in self._idle:
            self._idle.remove(worker)
            task = asyncio.create_task(worker.end(), name="end of a reading process")
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)


class _Worker:
    """One process: asked, listened to, ended."""

    def __init__(self, process: asyncio.subprocess.Process, folder: str) -> None:
        self.resting = True
        self.served = 0
        self.timer: asyncio.TimerHandle | None = None
        self._process = process
        self._folder = folder
        self._lines = deque[str](maxlen=30)
        self._pump = asyncio.create_task(self._keep_log(), name="reading process's log")

    @classmethod
    async def start(cls, module: str) -> _Worker:
        folder = tempfile.mkdtemp(prefix="eclair-reading-")
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                module,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={**os.environ, **QUIET, "TMPDIR": folder},
            )
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return cls(process, folder)

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    def rest(self) -> None:
        """All that was asked has been answered."""
        self.resting = True

    async def ask(self, order: worker_protocol.Order) -> AsyncGenerator[bytes]:
        """The messages that answer the order, without end. Raises UnreadableFile when the process ends or waits too
        long."""
        self.resting = False
        self.served += 1
        self._lines.clear()
        assert self._process.stdin is not None
        with contextlib.suppress(ConnectionError):  # it has died: what it answers tells so
            self._process.stdin.write(worker_protocol.encode_order(order))
            await self._process.stdin.drain()
        left = order.limits.total_seconds
        while True:
            began = time.monotonic()
            try:
                async with asyncio.timeout(min(order.limits.seconds, left)):
                    data = await self._message()
            except TimeoutError:
                raise _too_slow(order) from None
            except (asyncio.IncompleteReadError, ConnectionError, ValueError):
                raise await self._gone(order) from None
            left -= time.monotonic() - began
            yield data

    async def _message(self) -> bytes:
        assert self._process.stdout is not None
        (length,) = worker_protocol.LENGTH.unpack(await self._process.stdout.readexactly(worker_protocol.LENGTH.size))
        if length > worker_protocol.LARGEST:
            raise ValueError("a message is too long")
        return await self._process.stdout.readexactly(length)

    async def _gone(self, order: worker_protocol.Order) -> UserError:
        """Why it has ended."""
        await self.end()
        status = self._process.returncode
        log.warning("The reading of %s ended its process (%s): %s", order.name, status, " / ".join(self._lines))
        if status == -signal.SIGXCPU:
            return _too_slow(order)
        return UnreadableFile(
            f"{order.name} cannot be read: it is damaged, or takes more than {order.limits.memory_mb:,} MB of memory; "
            "save it anew from the program that made it, or send it in parts."
        )

    async def end(self) -> None:
        """Kill the process, which holds nothing of worth, and remove what it unpacked."""
        if self.timer is not None:
            self.timer.cancel()
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        assert self._process.stdout is not None
        with contextlib.suppress(RuntimeError):  # somebody still listens
            await self._process.stdout.read()  # asyncio waits for ever where a pipe still holds what nobody has read
        await self._process.wait()
        await self._pump
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def _keep_log(self) -> None:
        assert self._process.stderr is not None
        rest = b""
        while chunk := await self._process.stderr.read(65536):
            *lines, rest = (rest + chunk).split(b"\n")
            self._lines += [text for line in lines if (text := line.decode(errors="replace").strip())]
            rest = rest[-4096:]


def _too_slow(order: worker_protocol.Order) -> UnreadableFile:
    return UnreadableFile(
        f"{order.name} takes too long to read (more than {order.limits.seconds:.0f} s for a page, or "
        f"{order.limits.total_seconds / 3600:.0f} h in all); save it anew from the program that made it, or send it in "
        "parts."
    )


async def _decoded(data: bytes, name: str) -> worker_protocol.Message:
    try:
        return (
            await asyncio.to_thread(worker_protocol.decode, data) if len(data) > SLOW else worker_protocol.decode(data)
        )
    except (ValueError, TypeError, KeyError) as error:
        raise _damaged(name) from error


def _damaged(name: str) -> UnreadableFile:
    return UnreadableFile(f"{name} is damaged and cannot be read; save it anew from the program that made it.")


def _error(fault: worker_protocol.Fault) -> UserError:
    match fault.kind:
        case "unreadable":
            return UnreadableFile(fault.message)
        case "large":
            return TooLarge(fault.message)
        case "missing":
            return NotFound(fault.message)
