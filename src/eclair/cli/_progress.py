"""Progress counters on a status line of the terminal."""

from __future__ import annotations

import time

from eclair.cli._terminal import Terminal

REFRESH_INTERVAL_S = 0.1
BAR_WIDTH = 24


class ProgressCounter:
    """Shows a count, with a bar if the total is known. Silent without a terminal."""

    def __init__(self, terminal: Terminal, doing: str) -> None:
        self._terminal = terminal
        self._doing = doing
        self._shown = 0.0

    def show(self, done: int, total: int | None = None) -> None:
        now = time.monotonic()
        if now - self._shown < REFRESH_INTERVAL_S and done != total:
            return
        self._shown = now
        if total is None:
            self._terminal.status(f"{self._doing} {done:,}…")
        else:
            bar = draw_bar(done / total if total else 1.0)
            self._terminal.status(f"{self._doing} {bar} {done:,} of {total:,}")


def draw_bar(part: float) -> str:
    """Draw a bar of which `part` (0 to 1) is done."""
    done = round(part * BAR_WIDTH)
    return "━" * done + "─" * (BAR_WIDTH - done)
