"""Readings of long documents that are under way, so that a person can have the answer before their end."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """Options of reading documents for an answer.

    `run` is the answer's run. With `thorough`, all of their text is read, however long that takes. `resumes` is an
    interrupted run, whose notes are used.
    """

    run: str | None = None
    thorough: bool = False
    resumes: str | None = None


READ_AS_USUAL = ReadingOptions()


class Readings:
    """The readings of this process, by run."""

    def __init__(self) -> None:
        self._enough: dict[str, asyncio.Event] = {}

    @contextmanager
    def under_way(self, run: str | None) -> Generator[asyncio.Event]:
        """Provide the event that is set once enough has been read."""
        enough = asyncio.Event()
        if run is None:
            yield enough
            return
        self._enough[run] = enough
        try:
            yield enough
        finally:
            self._enough.pop(run, None)

    def finish(self, run: str) -> None:
        """Have the answer rest on what was read so far. Does nothing if the run reads nothing here."""
        if (enough := self._enough.get(run)) is not None:
            enough.set()
