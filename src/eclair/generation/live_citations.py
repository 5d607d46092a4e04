"""Checks an answer while it streams: each finished sentence goes to the checker, whose verdicts are events in order.

What supports a sentence is the affair of `citations`; here is when it is asked, so that no word waits for it.
"""

from __future__ import annotations

import asyncio
from collections import deque

from eclair.citations.checker import Checker
from eclair.citations.types import Doubted, Supported
from eclair.schema.events import Cited
from eclair.schema.events import Doubted as DoubtedEvent
from eclair.schema.messages import Citation, Doubt
from eclair.text.sentences import Sentences

Mark = Cited | DoubtedEvent
MOST = 4
"""Sentences that are checked at the same time."""


class Checks:
    """Sentences of one answer on their way through its checker. `close` gives up those that are."""

    def __init__(self, checker: Checker) -> None:
        self._checker = checker
        self._places = asyncio.Semaphore(MOST)
        self._texts: dict[int, str] = {}
        self._sentences: dict[int, Sentences] = {}
        self._tasks: deque[asyncio.Task[Mark | None]] = deque()

    def known(self, index: int, text: str) -> None:
        """The beginning of a part that was checked before."""
        self._begin(index).add(text)
        self._texts[index] = text

    def text(self, index: int, text: str) -> None:
        """More words of part `index`."""
        sentences = self._begin(index)
        self._texts[index] += text
        self._check(index, sentences.add(text))

    def ready(self) -> list[Mark]:
        """The verdicts that are there, in the order of the sentences."""
        marks: list[Mark] = []
        while self._tasks and self._tasks[0].done():
            mark = self._tasks.popleft().result()
            marks += [mark] if mark is not None else []
        return marks

    async def rest(self) -> list[Mark]:
        """The verdicts that are still to come, now that the answer has ended."""
        for index, sentences in self._sentences.items():
            self._check(index, sentences.finish())
        await asyncio.gather(*self._tasks)
        return self.ready()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, index: int) -> Sentences:
        self._texts.setdefault(index, "")
        return self._sentences.setdefault(index, Sentences())

    def _check(self, index: int, spans: list[tuple[int, int]]) -> None:
        for start, end in spans:
            self._tasks.append(asyncio.create_task(self._verdict(index, start, end), name="check a sentence"))

    async def _verdict(self, index: int, start: int, end: int) -> Mark | None:
        text = self._texts[index]
        async with self._places:
            verdict = await self._checker.check(text[start:end], text[:start])
        match verdict:
            case Supported():
                return Cited(
                    Citation(
                        index,
                        start,
                        end,
                        verdict.passage,
                        verdict.quote,
                        verdict.start,
                        verdict.end,
                        verdict.support,
                        verdict.page,
                        verdict.label,
                    )
                )
            case Doubted(about=about, passage=passage):
                return DoubtedEvent(Doubt(index, start, end, about, passage))
            case None:
                return None
