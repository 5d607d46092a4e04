"""The checks of an answer that rests on passages and on calculations."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest

from eclair.citations.checker import CitationChecker
from eclair.generation.answer_checks import AnswerChecks
from eclair.generation.citation_review import can_review
from eclair.generation.usage import ask_uncounted
from eclair.llm.base import Delta, Engine, Request, Text
from eclair.llm.scripted import ScriptedEngine
from eclair.schema.events import Cited, Doubted, FigureComputed
from eclair.schema.messages import Call, Message, Part, Passage
from eclair.schema.models import Model
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.util.background import IdleScheduler

if TYPE_CHECKING:
    from numpy.typing import NDArray

MODEL = Model("m", "Muse", "fake")
TOWER = "The tower of Lyon is 40 metres high."
PASSAGES = (Passage(1, "file", "tower.txt", 1, None, (), 0, len(TOWER), TOWER),)
QUESTION = "How high are two and a half towers?"
CALCULATED = Message(
    "a",
    "c",
    None,
    "assistant",
    (Part("tool_call", "{}", "call_1", "calculate"), Part("tool_result", "2.5 * 40 m = 100 m", "call_1", "calculate")),
    1,
    calls=(Call("call_1", "calculate", "compute", "Calculate", False, "", outcome="done"),),
)


def checker(passages: Sequence[Passage]) -> CitationChecker:
    return CitationChecker(passages, None, QUESTION)


async def verdicts(checks: AnswerChecks, text: str) -> list[tuple[type, str]]:
    """Check a text; each verdict with its sentence."""
    checks.add(2, text)
    found = checks.finish(LOCAL_PRINCIPAL, ScriptedEngine(), MODEL, ask_uncounted, IdleScheduler(), may_review=False)
    marks: list[tuple[type, str]] = []
    async for each in found:
        mark = each.citation if isinstance(each, Cited) else each.doubt if isinstance(each, Doubted) else each.figure
        marks.append((type(each), text[mark.start : mark.end].strip()))
    await checks.close()
    return marks


async def test_a_calculated_figure_is_not_without_a_source_beside_documents() -> None:
    checks = AnswerChecks(checker, QUESTION, reviews_doubts=False)
    checks.begin(PASSAGES, MODEL)
    checks.add_results(CALCULATED)
    said = f"{TOWER} Two and a half of them measure 100 metres. Nobody lives on floor 77."
    assert await verdicts(checks, said) == [
        (Cited, TOWER),
        (FigureComputed, "Two and a half of them measure 100 metres."),
        (Doubted, "Nobody lives on floor 77."),
    ]


async def test_without_documents_nothing_is_doubted() -> None:
    checks = AnswerChecks(None, QUESTION, reviews_doubts=False)
    checks.begin((), MODEL)
    checks.add_results(CALCULATED)
    assert await verdicts(checks, "They measure 100 metres. Nobody lives on floor 77.") == [
        (FigureComputed, "They measure 100 metres.")
    ]


async def test_without_a_calculation_nothing_is_marked() -> None:
    checks = AnswerChecks(None, QUESTION, reviews_doubts=False)
    checks.begin((), MODEL)
    assert await verdicts(checks, "They measure 100 metres.") == []


LOCAL = replace(MODEL, parameters=1.5)
PARAPHRASE = "Our landmark measures 40 metres."


@pytest.mark.parametrize(("reply", "is_cited"), [("yes", True), ("no", False)])
async def test_a_paraphrase_that_the_model_confirms_is_cited(reply: str, is_cited: bool) -> None:
    async def ask(principal: Principal, engine: Engine, model: Model, request: Request) -> AsyncGenerator[Delta, None]:
        assert request.purpose == "review"
        yield Text(f'"{reply}"')

    checks = AnswerChecks(checker, QUESTION, reviews_doubts=True)
    checks.begin(PASSAGES, LOCAL)
    checks.add(0, f"So it is. {PARAPHRASE}")
    verdicts = checks.finish(LOCAL_PRINCIPAL, ScriptedEngine(), LOCAL, ask, IdleScheduler(), may_review=True)
    found = [each async for each in verdicts]
    assert len(found) == 1
    if is_cited:
        assert isinstance(found[0], Cited)
        assert (found[0].citation.passage, found[0].citation.quote) == (1, TOWER)
    else:
        assert isinstance(found[0], Doubted)


@pytest.mark.parametrize(("rate", "can"), [(None, True), (400.0, True), (60.0, False)])
def test_a_model_that_reads_too_slowly_is_not_asked(rate: float | None, can: bool) -> None:
    assert can_review(replace(LOCAL, reading_rate=rate)) == can


class CountingEmbedder:
    """Embeds all texts alike, and keeps those of passages."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> NDArray[np.float32]:
        self.texts += texts
        return np.ones((len(texts), 1), np.float32)


async def test_further_passages_are_embedded_once() -> None:
    embedder = CountingEmbedder()
    checks = AnswerChecks(
        lambda passages: CitationChecker(passages, embedder, QUESTION), QUESTION, reviews_doubts=False
    )
    checks.begin(PASSAGES, MODEL)
    checks.add(0, "Bananas are yellow. ")
    bridge = "The bridge of Lyon is 300 metres long."
    further = Passage(2, "other", "bridge.txt", 1, None, (), 0, len(bridge), bridge)
    await checks.add_passages([further], MODEL)
    assert (Cited, bridge) in await verdicts(checks, f"Bananas are green. {bridge}")
    assert (embedder.texts.count(TOWER), embedder.texts.count(bridge)) == (1, 1)
