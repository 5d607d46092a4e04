"""A process's connection to its parent: requests in, results out.

The process ends with its standard input, so that it never outlives its parent. `child_process` is the other side.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from eclair.util.frames import Codec

RequestT = TypeVar("RequestT")
ResultT = TypeVar("ResultT")


class ParentConnection(Generic[RequestT, ResultT]):
    """Reads requests and sends results, from any thread.

    From here on libraries print to standard error, and Ctrl-C is left to the parent.
    """

    def __init__(self, requests: Codec[RequestT], results: Codec[ResultT]) -> None:
        self._requests = requests
        self._results = results
        self._in = os.fdopen(os.dup(0), "rb")
        self._out = os.fdopen(os.dup(1), "wb")
        self._lock = threading.Lock()
        os.dup2(2, 1)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def read(self) -> RequestT | None:
        """Return the next request; None once the parent has closed the line or is gone."""
        return self._requests.read(self._in)

    def send(self, result: ResultT) -> None:
        data = self._results.encode(result)
        with self._lock:
            self._out.write(data)
            self._out.flush()

    def die_with_parent(self, end: Callable[[], object] = lambda: os._exit(0)) -> None:
        """Call `end` once the parent closes the line; there are no more requests."""

        def watch() -> None:
            while os.read(self._in.fileno(), 4096):
                pass
            end()

        threading.Thread(target=watch, daemon=True).start()
