"""Several retrievers as one, and one for several answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from eclair.citations.checker import CitationChecker
from eclair.generation.sources import (
    NO_LEAD,
    ClosestQuotes,
    CompositeRetriever,
    Finding,
    Lead,
    PassageNumbers,
    Quote,
    QuoteMarkFilter,
    SharedRetriever,
    combine,
)
from eclair.llm.base import Engine
from eclair.llm.scripted import ScriptedEngine
from eclair.schema.events import SourceFound
from eclair.schema.messages import Citation, Message, Passage
from eclair.schema.models import Model

MODEL = Model("m", "Muse", "fake")
QUOTED = Lead((Quote("Bread rises.", Citation(0, 0, 12, 1, "Bread rises.", 0, 12, 1.0)),))
NOTHING = Lead(("Nothing was found.",), is_complete=True, refuses=True)
TABLE = Lead(("| a | b |", *QUOTED.texts), is_complete=True)


def passage(number: int, file: str = "a", start: int = 0) -> Passage:
    return Passage(number, file, file, 1, None, (), start, start + 5, "words")


@dataclass
class Fake:
    """Finds these passages, begins with that, and counts how often it is asked."""

    passages: Sequence[Passage] = ()
    begins: Lead = NO_LEAD
    ends: ClosestQuotes = ()
    asked: list[str] = field(default_factory=list[str])

    async def retrieve(self, engine: Engine, model: Model) -> AsyncGenerator[Finding, None]:
        self.asked.append("retrieve")
        for each in self.passages:
            await asyncio.sleep(0)
            yield SourceFound(each)

    async def lead(self, model: Model) -> Lead:
        self.asked.append("lead")
        return self.begins

    async def closest_quotes(self, model: Model) -> ClosestQuotes:
        self.asked.append("closest_quotes")
        return self.ends

    def checker(self, passages: Sequence[Passage]) -> CitationChecker:
        return CitationChecker(passages, None)


async def found(retriever: SharedRetriever | CompositeRetriever | Fake) -> list[Finding]:
    return [finding async for finding in retriever.retrieve(ScriptedEngine(), MODEL)]


async def test_what_several_find_comes_in_their_order() -> None:
    one, other = Fake([passage(1)]), Fake([passage(2), passage(3)])
    assert await found(CompositeRetriever(one, other)) == [SourceFound(passage(number)) for number in (1, 2, 3)]


async def test_one_source_says_that_nothing_was_found_only_if_no_other_has_passages() -> None:
    """A feed's entries, or a page of the web, may answer what a file does not, and the other way round."""
    for one, other in ((Fake(begins=NOTHING), Fake([passage(1)])), (Fake([passage(1)]), Fake(begins=NOTHING))):
        both = CompositeRetriever(one, other)
        await found(both)
        assert await both.lead(MODEL) == NO_LEAD
    for lead in (QUOTED, TABLE):
        both = CompositeRetriever(Fake([passage(1)]), Fake([passage(2)], lead))
        await found(both)
        assert await both.lead(MODEL) == lead
    both = CompositeRetriever(Fake([passage(1)], NOTHING), Fake([passage(2)], NOTHING))
    await found(both)
    assert await both.lead(MODEL) == NOTHING


async def test_a_quote_leads_whoever_has_it() -> None:
    assert await CompositeRetriever(Fake(begins=NOTHING), Fake(begins=QUOTED)).lead(MODEL) == QUOTED
    assert await CompositeRetriever(Fake(), Fake(begins=QUOTED)).lead(MODEL) == QUOTED
    assert await CompositeRetriever(Fake(), Fake(begins=NOTHING)).lead(MODEL) == NOTHING
    assert await CompositeRetriever(Fake(), Fake()).lead(MODEL) == NO_LEAD


async def test_the_first_that_has_any_quotes_what_is_closest() -> None:
    first, second, third = Fake(), Fake(ends=QUOTED.texts), Fake(ends=("Other.",))
    assert await CompositeRetriever(first, second, third).closest_quotes(MODEL) == QUOTED.texts
    assert (first.asked, second.asked, third.asked) == (["closest_quotes"], ["closest_quotes"], [])


async def test_what_is_closest_is_looked_for_once_for_several_answers() -> None:
    one = Fake()
    shared = SharedRetriever(one)
    assert [await shared.closest_quotes(MODEL) for _ in range(3)] == [(), (), ()]
    assert one.asked == ["closest_quotes"]


async def test_nobody_is_asked_for_a_quote_once_there_is_one() -> None:
    last = Fake(begins=QUOTED)
    await CompositeRetriever(Fake(begins=QUOTED), last).lead(MODEL)
    assert last.asked == []


async def test_several_answers_retrieve_once() -> None:
    fake = Fake([passage(1), passage(2)], QUOTED)
    shared = SharedRetriever(fake)
    both = await asyncio.gather(found(shared), found(shared))
    assert both[0] == both[1] == [SourceFound(passage(1)), SourceFound(passage(2))]
    assert await shared.lead(MODEL) == await shared.lead(MODEL) == QUOTED
    assert fake.asked == ["retrieve", "lead"]


def test_one_retriever_stays_as_it_is() -> None:
    fake = Fake()
    assert combine(None, fake, None) is fake
    assert combine(None) is None
    assert isinstance(combine(fake, Fake()), CompositeRetriever)


def test_a_passage_keeps_its_number_in_the_conversation() -> None:
    before = Message("m", "c", None, "assistant", (), 1, passages=(passage(3, "b"),))
    numbers = PassageNumbers([before])
    assert [each.number for each in numbers.assign([passage(0, "a"), passage(0, "b")])] == [4, 3]
    assert [each.number for each in numbers.assign([passage(0, "c"), passage(0, "a")])] == [5, 4]


def test_the_marks_of_quotes_are_left_out_wherever_the_pieces_are_cut() -> None:
    text = "> Not a quote.\n>> Nor this: 3 > 2\n  > or that"
    for cut in range(len(text)):
        marks = QuoteMarkFilter()
        assert marks.filter(text[:cut]) + marks.filter(text[cut:]) == "Not a quote.\nNor this: 3 > 2\n  or that"
