"""Progress that a server tells in the middle of a call, within bounds: a share from 0 to 1, and a short line."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field

from eclair.schema.messages import CallProgress

MAX_CALL_S = 600.0
"""The most time that progress can give a call."""
MAX_TEXT_CHARS = 200

ReportCallProgress = Callable[[CallProgress], None]


@dataclass(slots=True)
class ProgressListener:
    """Implements the callback of the MCP library for one call: reports what can be shown, and leaves out the rest.

    Progress further than any before restarts the call's time limit, by `restart`.
    """

    report: ReportCallProgress
    restart: Callable[[], None]
    _furthest: float = field(default=-math.inf, init=False)

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:
        if progress > self._furthest:
            self._furthest = progress
            self.restart()
        if (read := read_progress(progress, total, message)) is not None:
            self.report(read)


def read_progress(done: float, total: float | None, text: str | None) -> CallProgress | None:
    """Return what a server told of a call, None if nothing of it can be shown.

    There is a share only of a total above 0; it ends at 1. The text is one line without control characters.
    """
    share = done / total if total is not None and math.isfinite(total) and total > 0 else math.nan
    line = "".join(" " if char.isspace() else char for char in (text or "")[: 4 * MAX_TEXT_CHARS])
    shown = " ".join("".join(char for char in line if unicodedata.category(char)[0] != "C").split())[:MAX_TEXT_CHARS]
    read = CallProgress(round(min(max(share, 0.0), 1.0), 3) if math.isfinite(share) else None, shown)
    return read if read.share is not None or read.text else None
