"""Printed output of code that still runs: its last lines, sent a few times a second at most."""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Callable
from types import TracebackType

from eclair.python.python_protocol import CodePrinted

INTERVAL_S = 0.2
MAX_SHOWN_LINES = 12
MAX_SHOWN_CHARS = 1000
MAX_READ_CHARS = 4 * MAX_SHOWN_CHARS
"""More of an output's end need not be given."""

SendPrinted = Callable[[CodePrinted], None]


def shown_end(printed: str) -> str:
    """Return the last lines of what was printed, as a terminal shows them: at most `MAX_SHOWN_LINES`.

    A carriage return takes back its line, and other control characters are left out. `…` stands for what came before.
    """
    lines = [_shown_line(line) for line in printed[-MAX_READ_CHARS:].replace("\r\n", "\n").split("\n")]
    end = "\n".join(lines).rstrip()
    last = "\n".join(end.split("\n")[-MAX_SHOWN_LINES:])[-MAX_SHOWN_CHARS:]
    return last if len(last) == len(end) and len(printed) <= MAX_READ_CHARS else f"…\n{last}"


def _shown_line(line: str) -> str:
    last = line.rstrip("\r").rpartition("\r")[2]
    return "".join(char for char in last if char == "\t" or unicodedata.category(char)[0] != "C")


class OutputReporter:
    """Sends the end of what `printed` returns within the block, from a thread of its own, whenever it has changed."""

    def __init__(self, printed: Callable[[], str], send: SendPrinted) -> None:
        self._printed = printed
        self._send = send
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="printed output", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        sent = ""
        while not self._done.wait(INTERVAL_S):
            end = shown_end(self._printed())
            if end.strip() and end != sent:
                self._send(CodePrinted(end))
                sent = end
