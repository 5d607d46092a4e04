"""Readings that are under way, so that a person can have the answer before their end."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """Options of reading documents for an answer.

    `run` is the answer's run. With `thorough`, all of their text is read, however long that takes. `resumes` is an
    interrupted run, whose notes are used. For a model that calls tools on demand, code reads the files after
    `rules`, if none computes the answer, or after `passages`, if none of them answers; then no passage is shown.
    """

    run: str | None = None
    thorough: bool = False
    resumes: str | None = None
    code_after: Literal["nothing", "rules", "passages"] = "nothing"


READ_AS_USUAL = ReadingOptions()


class Readings:
    """The readings of this process, by run, and of one that has sub-agents also by their names."""

    def __init__(self) -> None:
        self._enough: dict[tuple[str, str | None], asyncio.Event] = {}

    @contextmanager
    def under_way(self, run: str | None, agent: str | None = None) -> Generator[asyncio.Event]:
        """Provide the event that is set once enough has been read."""
        enough = asyncio.Event()
        if run is None:
            yield enough
            return
        self._enough[run, agent] = enough
        try:
            yield enough
        finally:
            self._enough.pop((run, agent), None)

    def finish(self, run: str, agent: str | None = None) -> None:
        """Have the answer, or one sub-agent, rest on what was read so far.

        Does nothing if the run reads nothing here.
        """
        if (enough := self._enough.get((run, agent))) is not None:
            enough.set()
