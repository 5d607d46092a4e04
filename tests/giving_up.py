"""A sandbox of the tests that gives up a request when nobody wants it any more, or takes its time with that."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from eclair.sandbox.protocol import ProcessLimits, Rejected, SandboxProtocol
from eclair.sandbox.worker import Stopping, serve_stoppable
from eclair.util.frames import Codec


@dataclass(frozen=True, slots=True)
class Work:
    """Yield once, then work for some seconds, of which `stubborn` ones can't be given up; or find it `too_large`."""

    seconds: float = 0.0
    stubborn: float = 0.0
    too_large: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    number: int


PROTOCOL = SandboxProtocol(__name__, Codec(Work), (Step,), stoppable=True)


def main() -> None:
    serve_stoppable(PROTOCOL, Worker, lambda _: ProcessLimits(1 << 30, 10.0, renewed=True))


class Worker:
    def __init__(self, stopping: Stopping) -> None:
        self._stopping = stopping
        self._handled = 0

    def __call__(self, work: Work) -> Iterator[Step]:
        self._handled += 1
        yield Step(self._handled)
        if work.too_large:
            raise Rejected("too long", "too_large")
        time.sleep(work.stubborn)
        ended = threading.Event()
        with self._stopping.calling(ended.set):
            if ended.wait(work.seconds):
                raise RuntimeError("terminated")
        yield Step(-self._handled)
