"""The checks of one answer against its passages, which may become more while it is made."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial

from eclair.citations.checker import CitationChecker
from eclair.citations.claims import makes_claim
from eclair.citations.computed_lines import ComputedLines
from eclair.generation.citation_review import can_review, review_doubts
from eclair.generation.live_citations import CitationEvent, StreamingCitationChecker
from eclair.generation.usage import AskModel
from eclair.llm.base import Engine
from eclair.schema.events import Doubted
from eclair.schema.messages import Message, Passage
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.text.sentences import split_sentences
from eclair.util.background import IdleScheduler

MakeChecker = Callable[[Sequence[Passage]], CitationChecker]

CALCULATING_TOOLS = frozenset({"run_python", "run_skill_script", "calculate", "calculate_dates"})
"""Tools whose results are figures that they worked out."""


def begins_unsupported(answer: Message) -> bool:
    """Tell whether no source or calculation supports the first sentence of an answer that makes a claim."""
    for index, part in enumerate(answer.parts):
        if part.kind != "text":
            continue
        for start, end in split_sentences(part.text):
            if makes_claim(part.text[start:end]):
                marks = (*answer.citations, *answer.computed_figures)
                return not any(each.index == index and start < each.end and each.start < end for each in marks)
    return False


class AnswerChecks:
    """Checks an answer by what `make` returns for its passages, or not at all.

    With `reviews_doubts` the model itself looks again at what no passage supports by its words, if it can. Figures that
    calculations gave are known too; those `asked` about need no source.
    """

    def __init__(self, make: MakeChecker | None, asked: str = "", *, reviews_doubts: bool) -> None:
        self._make = make
        self._computed = ComputedLines(asked)
        self._reviews_doubts = reviews_doubts
        self._checker: StreamingCitationChecker | None = None
        self._made: CitationChecker | None = None
        self.passages: tuple[Passage, ...] = ()

    @property
    def is_checking(self) -> bool:
        return self._checker is not None

    def begin(self, passages: Sequence[Passage], model: Model) -> None:
        """Have what follows checked against these passages."""
        self.passages = tuple(passages)
        if self._make is not None and passages:
            holds_open = self._reviews_doubts and can_review(model)
            self._made = self._make(passages)
            self._checker = StreamingCitationChecker(self._made, self._computed, holds_open=holds_open)

    def add_results(self, answer: Message) -> None:
        """Know the figures of the calculations that an answer had made so far."""
        calls = {call.call for call in answer.calls if call.tool in CALCULATING_TOOLS and call.outcome == "done"}
        for part in answer.parts:
            if part.kind == "tool_result" and part.id in calls:
                self._computed.add(part.id, part.text)
        if self._computed and self._checker is None:
            self._checker = StreamingCitationChecker(None, self._computed)

    async def add_passages(self, found: Sequence[Passage], model: Model) -> Sequence[CitationEvent]:
        """Have what follows checked against further passages, too; return the verdicts on what came before."""
        before, made = self._checker, self._made
        verdicts = await before.finish() if before is not None else []
        known = {passage.number for passage in self.passages}
        self.begin((*self.passages, *(each for each in found if each.number not in known)), model)
        if before is not None and self._checker is not None:
            self._checker.open_doubts += before.open_doubts
        if made is not None and self._made is not None:
            self._made.follow(made)
        return verdicts

    def skip(self, index: int, text: str) -> None:
        """Add the beginning of a part that needs no check."""
        if self._checker is not None:
            self._checker.skip(index, text)

    def add(self, index: int, text: str) -> None:
        """Add text to part `index`; its finished sentences are checked."""
        if self._checker is not None:
            self._checker.add(index, text)

    def ready(self) -> Sequence[CitationEvent]:
        """Return the verdicts that are ready."""
        return self._checker.ready() if self._checker is not None else ()

    def drop(self) -> None:
        """Check nothing that follows."""
        self._checker = None

    async def finish(
        self,
        principal: Principal,
        engine: Engine,
        model: Model,
        ask: AskModel,
        idle: IdleScheduler,
        *,
        may_review: bool,
    ) -> AsyncGenerator[CitationEvent, None]:
        """Yield the last verdicts; with `may_review` the model looks again at open doubts."""
        if self._checker is None:
            return
        for verdict in await self._checker.finish():
            yield verdict
        doubts = self._checker.open_doubts
        left: Sequence[CitationEvent] = [Doubted(each.doubt) for each in doubts]
        if doubts and may_review and can_review(model):
            left = await review_doubts(doubts, partial(ask, principal, engine, model), model, idle.next_answer)
        for verdict in left:
            yield verdict

    async def close(self) -> None:
        """Cancel the checks under way."""
        if self._checker is not None:
            await self._checker.close()
