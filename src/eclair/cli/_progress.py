"""Shows how many of how many are done, on a line that is written over; where no person looks, nothing."""

from __future__ import annotations

import time

from eclair.cli._terminal import Terminal

OFTEN = 0.1
BAR = 24


class Counting:
    """One thing that is counted, such as conversations that are read."""

    def __init__(self, terminal: Terminal, doing: str) -> None:
        self._terminal = terminal
        self._doing = doing
        self._shown = 0.0

    def show(self, done: int, of: int | None = None) -> None:
        now = time.monotonic()
        if now - self._shown < OFTEN and done != of:
            return
        self._shown = now
        if of is None:
            self._terminal.status(f"{self._doing} {done:,}…")
        else:
            drawn = round(done / of * BAR) if of else BAR
            self._terminal.status(f"{self._doing} {'━' * drawn}{'─' * (BAR - drawn)} {done:,} of {of:,}")
