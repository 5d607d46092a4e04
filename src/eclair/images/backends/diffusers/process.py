"""The process that draws: one model, one picture at a time, no network, gone when its standard input is closed.

It takes `wire.Order`s, the first of them a `Load`, and answers with `wire.Report`s. While it works it says every few
seconds that it does.
"""

from __future__ import annotations

import contextlib
import os
import queue
import resource
import sys
import threading
from collections.abc import Callable
from typing import Protocol

from eclair.images.backends.diffusers import wire
from eclair.images.backends.diffusers.painter import Check, Fault, Painter, Tell
from eclair.images.backends.diffusers.wire import Alive, Draw, Failed, Load, Loaded, Made, Step, Stop, Stopped
from eclair.util.parent_connection import ParentConnection

NICE = 5
"""Answers are made before pictures are."""

BEAT = 5.0
"""Seconds between two signs of life."""


class Paints(Protocol):
    """What draws in such a process."""

    @property
    def loaded(self) -> Loaded: ...

    def draw(self, order: Draw, tell: Tell) -> bytes:
        """The picture as PNG. Raises Fault, and what the check raises."""
        ...


Opened = Callable[[Load, Check, Callable[[int], None]], Paints]
"""Loads a model as `Painter.load` does."""


class Halt(Exception):
    """The job is to stop."""


class Process:
    def __init__(self, parent: ParentConnection[wire.Order, wire.Report], opened: Opened) -> None:
        self._opened = opened
        self._parent = parent
        self._orders = queue.Queue[Load | Draw]()
        self._stopped = 0
        """The last job that is to stop; those before it have ended or are to stop too."""
        self._job = 0
        self._done = 0
        self._busy = threading.Event()

    def run(self) -> None:
        """Serve until standard input ends."""
        threading.Thread(target=self._listen, daemon=True).start()
        threading.Thread(target=self._beat, daemon=True).start()
        order = self._orders.get()
        assert isinstance(order, Load)
        self._busy.set()
        try:
            painter = self._opened(order, self._check, _bound)
        except Fault as fault:
            self._fail(0, fault.trouble, fault.message)
            threading.Event().wait()  # until the parent closes standard input
            return
        except Exception as error:
            self._fail(0, "broken", f"{type(error).__name__}: {error}", error)
            threading.Event().wait()
            return
        sys.addaudithook(_refuse_programs)
        self._parent.send(painter.loaded)
        while True:
            self._busy.clear()
            order = self._orders.get()
            self._busy.set()
            assert isinstance(order, Draw)
            self._draw(painter, order)

    def _draw(self, painter: Paints, order: Draw) -> None:
        self._job, self._done = order.job, 0
        try:
            self._check()
            image = painter.draw(order, self._tell)
        except Halt:
            self._parent.send(Stopped(order.job, self._done))
        except Fault as fault:
            self._fail(order.job, fault.trouble, fault.message)
        except Exception as error:
            self._fail(order.job, "broken", f"{type(error).__name__}: {error}", error)
        else:
            self._parent.send(Made(order.job, (image,)))

    def _fail(self, job: int, trouble: wire.Trouble, message: str, error: Exception | None = None) -> None:
        if error is not None:
            sys.excepthook(type(error), error, error.__traceback__)
            sys.stderr.flush()
        self._parent.send(Failed(job, trouble, message[:300]))

    def _tell(self, done: int, of: int, preview: bytes) -> None:
        self._done = done
        self._parent.send(Step(self._job, done, of, (preview,)))

    def _check(self) -> None:
        if 0 < self._job <= self._stopped:
            raise Halt

    def _listen(self) -> None:
        """Take orders while the main thread works; the end of them is the end of this process, whatever it does."""
        try:
            while (order := self._parent.read()) is not None:
                match order:
                    case Stop(job=job):
                        self._stopped = max(self._stopped, job)
                    case Load() | Draw():
                        self._orders.put(order)
        finally:
            os._exit(0)

    def _beat(self) -> None:
        pause = threading.Event()
        while self._busy.wait():
            self._parent.send(Alive())
            pause.wait(BEAT)


def main(opened: Opened = Painter.load) -> None:
    parent = ParentConnection(wire.ORDERS, wire.REPORTS)
    os.nice(NICE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.addaudithook(_refuse_network)
    Process(parent, opened).run()


def _bound(memory: int) -> None:
    """Bound what the process may take for data, in bytes, where that is wished."""
    if memory and hasattr(resource, "RLIMIT_DATA"):
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        most = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
        with contextlib.suppress(ValueError):  # macOS bounds no such thing
            resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def _refuse_network(event: str, _: tuple[object, ...]) -> None:
    if event in ("socket.connect", "socket.getaddrinfo", "socket.bind", "socket.sendto"):
        raise PermissionError("pictures are drawn without a network")


def _refuse_programs(event: str, _: tuple[object, ...]) -> None:
    if event in ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system", "os.fork", "os.forkpty"):
        raise PermissionError("pictures are drawn without other programs")
