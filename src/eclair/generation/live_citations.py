"""Checks citations while an answer streams: finished sentences in, verdicts out.

`citations` decides what supports a sentence; this module only decides when to ask, so that no word waits for a check.
"""

from __future__ import annotations

import asyncio
from collections import deque

from eclair.citations.checker import CitationChecker
from eclair.citations.computed_lines import ComputedLines
from eclair.citations.evidence import Doubtful, Supported
from eclair.generation.citation_review import OpenDoubt, cited
from eclair.schema.events import Cited, FigureComputed
from eclair.schema.events import Doubted as DoubtedEvent
from eclair.schema.messages import ComputedFigure, Doubt
from eclair.text.sentences import SentenceSplitter

CitationEvent = Cited | DoubtedEvent | FigureComputed
MAX_CONCURRENT_CHECKS = 4


class StreamingCitationChecker:
    """Checks the sentences of one answer. `close` cancels the checks under way.

    Without a `checker` no passage is cited and nothing doubted. Figures without a citation may be `computed`.
    With `holds_open` the doubts that name no difference are held back, to be looked at again in `open_doubts`.
    """

    def __init__(
        self, checker: CitationChecker | None, computed: ComputedLines | None = None, *, holds_open: bool = False
    ) -> None:
        self._checker = checker
        self._computed = computed
        self._holds_open = holds_open
        self.open_doubts: list[OpenDoubt] = []
        self._slots = asyncio.Semaphore(MAX_CONCURRENT_CHECKS)
        self._texts: dict[int, str] = {}
        self._sentences: dict[int, SentenceSplitter] = {}
        self._tasks: deque[asyncio.Task[CitationEvent | None]] = deque()

    def skip(self, index: int, text: str) -> None:
        """Add the beginning of a part that needs no check, or had one already."""
        self._begin(index).add(text)
        self._texts[index] = text

    def add(self, index: int, text: str) -> None:
        """Add text to part `index`; its finished sentences are checked."""
        sentences = self._begin(index)
        self._texts[index] += text
        self._check(index, sentences.add(text))

    def ready(self) -> list[CitationEvent]:
        """Return the verdicts that are ready, in the order of the sentences."""
        marks: list[CitationEvent] = []
        while self._tasks and self._tasks[0].done():
            mark = self._tasks.popleft().result()
            marks += [mark] if mark is not None else []
        return marks

    async def finish(self) -> list[CitationEvent]:
        """Check the remaining text at the end of the answer; return the remaining verdicts."""
        for index, sentences in self._sentences.items():
            self._check(index, sentences.finish())
        await asyncio.gather(*self._tasks)
        return self.ready()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, index: int) -> SentenceSplitter:
        self._texts.setdefault(index, "")
        return self._sentences.setdefault(index, SentenceSplitter())

    def _check(self, index: int, spans: list[tuple[int, int]]) -> None:
        for start, end in spans:
            self._tasks.append(asyncio.create_task(self._verdict(index, start, end), name="check a sentence"))

    async def _verdict(self, index: int, start: int, end: int) -> CitationEvent | None:
        text = self._texts[index]
        async with self._slots:
            verdict = await self._checker.check(text[start:end], text[:start]) if self._checker is not None else None
            if self._computed and (self._checker is None or isinstance(verdict, Doubtful)):
                found = await asyncio.to_thread(self._computed.find, text[start:end])
                if found is not None:
                    return FigureComputed(ComputedFigure(index, start, end, found.call, found.text))
        match verdict:
            case Supported():
                return cited(index, start, end, verdict)
            case Doubtful(about=about, passage=passage, nearest=nearest):
                doubt = Doubt(index, start, end, about, passage)
                if self._holds_open and not about and nearest is not None:
                    self.open_doubts.append(OpenDoubt(doubt, text[start:end], nearest))
                    return None
                return DoubtedEvent(doubt)
            case None:
                return None
