"""Pages that answer by a label and a value fit the question; those that only share a word with it don't."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

import pytest
import pytest_asyncio

from eclair.documents.embeddings import E5Embedder
from eclair.schema.messages import Passage
from eclair.web import web_relevance
from eclair.web.web_relevance import RelevanceCheck
from tests.web.fitting_pages import (
    HELD_OUT_ANSWERING,
    HELD_OUT_OTHERS,
    TUNED_ANSWERING,
    TUNED_OTHERS,
    Fitting,
)


@pytest_asyncio.fixture
async def embedder() -> AsyncGenerator[E5Embedder]:
    made = E5Embedder()
    yield made
    await made.close()


async def fits(embedder: E5Embedder, page: Fitting) -> bool:
    question, title, heading, text = page
    text = f"{heading}\n{text}"
    passage = Passage(1, "page_1", title, 1, "", (heading,), 0, len(text), text, url="https://e.org/")
    check = RelevanceCheck(question, embedder)
    try:
        return await check.is_relevant([passage])
    finally:
        await check.close()


@pytest.mark.parametrize(
    ("answering", "others"),
    [(TUNED_ANSWERING, TUNED_OTHERS), (HELD_OUT_ANSWERING, HELD_OUT_OTHERS)],
    ids=["tuned", "held out"],
)
async def test_pages_that_answer_fit(
    embedder: E5Embedder, monkeypatch: pytest.MonkeyPatch, answering: Sequence[Fitting], others: Sequence[Fitting]
) -> None:
    monkeypatch.setattr(web_relevance, "TIMEOUT_S", 30.0)  # however busy the machine is
    assert [page[0] for page in answering if not await fits(embedder, page)] == []
    assert [page[0] for page in others if await fits(embedder, page)] == []
