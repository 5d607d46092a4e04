"""What a process of ours has of its parent: requests in, results out.

It ends when its standard input does, so that it never outlives its parent. The parent's side is `child_process`.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from eclair.util.frames import Codec

Request = TypeVar("Request")
Result = TypeVar("Result")


class ParentConnection(Generic[Request, Result]):
    """The process's own side: requests in, results out, from any thread.

    From here on, what libraries print goes to standard error, and Ctrl-C is the parent's to handle.
    """

    def __init__(self, requests: Codec[Request], results: Codec[Result]) -> None:
        self._requests = requests
        self._results = results
        self._in = os.fdopen(os.dup(0), "rb")
        self._out = os.fdopen(os.dup(1), "wb")
        self._lock = threading.Lock()
        os.dup2(2, 1)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def read(self) -> Request | None:
        """Return the next request; None where the parent has closed the line, or is gone."""
        return self._requests.read(self._in)

    def send(self, result: Result) -> None:
        data = self._results.encode(result)
        with self._lock:
            self._out.write(data)
            self._out.flush()

    def die_with_parent(self, end: Callable[[], object] = lambda: os._exit(0)) -> None:
        """Call `end` when the parent closes the line; there are no more requests."""

        def watch() -> None:
            while os.read(self._in.fileno(), 4096):
                pass
            end()

        threading.Thread(target=watch, daemon=True).start()
