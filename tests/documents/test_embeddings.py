from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Sequence

import numpy as np
import pytest

from eclair.documents.embeddings import E5Embedder, EngineEmbedder, choose_embedder
from eclair.errors import EngineBroken
from eclair.llm.base import Embeddings
from eclair.llm.registry import Registry
from eclair.llm.scripted import ScriptedEngine
from eclair.settings import Settings
from tests.support import has_walls

LONG = "The committee may extend the period where the work cannot be done in time. " * 12


@pytest.fixture
async def e5() -> AsyncGenerator[E5Embedder]:
    embedder = E5Embedder()
    yield embedder
    await embedder.close()


async def test_texts_of_one_meaning_are_near_in_any_language(e5: E5Embedder) -> None:
    passages = await e5.embed(
        [
            "Die Kündigungsfrist beträgt drei Monate.",
            "Le chat dort sur le canapé.",
            "The baker bakes bread every morning.",
        ],
        "passage",
    )
    queries = await e5.embed(["How long is the notice period?", "Où dort le chat ?", "Wer bäckt das Brot?"], "query")
    assert passages.shape == (3, 384)
    assert np.allclose(np.linalg.norm(passages, axis=1), 1, atol=1e-3)
    assert (queries @ passages.T).argmax(axis=1).tolist() == [0, 1, 2]


async def test_many_texts_are_as_one_by_one_and_odd_ones_do_no_harm(e5: E5Embedder) -> None:
    texts = ["", "a\0b", "\ud800", *(f"text {i}" for i in range(20)), LONG * 4]
    together = await e5.embed(texts, "passage")
    assert together.shape == (24, 384)
    assert np.isfinite(together).all()
    alone = [await e5.embed([text], "passage") for text in texts[3:6]]
    assert np.allclose(together[3:6], np.concatenate(alone), atol=1e-2)
    assert len(await e5.embed([], "query")) == 0


async def test_what_is_wanted_soon_waits_for_nothing_else(e5: E5Embedder) -> None:
    await e5.embed(["warm"], "query")
    later = asyncio.create_task(e5.embed([LONG] * 24, "passage", soon=False))
    await asyncio.sleep(0)
    await e5.embed(["How long is the period?"], "query")
    await e5.embed(["Three months."], "passage")
    assert not later.done()
    assert len(await later) == 24


async def test_it_is_of_the_session_in_which_others_come_before_it(e5: E5Embedder) -> None:
    await e5.embed(["warm"], "query")
    assert e5.pid is not None
    assert os.getsid(e5.pid) == os.getsid(0)


async def test_it_has_walls_around_it(e5: E5Embedder) -> None:
    await e5.embed(["warm"], "query")
    assert e5.pid is not None
    assert has_walls(e5.pid)


async def test_a_process_that_died_is_started_again(e5: E5Embedder) -> None:
    await e5.embed(["warm"], "query")
    assert e5.pid is not None
    asked = asyncio.create_task(e5.embed([LONG] * 24, "passage", soon=False))
    await asyncio.sleep(0.05)
    os.kill(e5.pid, signal.SIGKILL)
    with pytest.raises(EngineBroken, match="signal 9"):
        await asked
    assert len(await e5.embed(["again"], "query")) == 1


async def test_what_is_cancelled_leaves_others_alone(e5: E5Embedder) -> None:
    asked = asyncio.create_task(e5.embed([LONG] * 24, "passage", soon=False))
    await asyncio.sleep(0.05)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert len(await e5.embed(["one"], "passage")) == 1


async def test_the_process_ends_when_nothing_is_asked_of_it() -> None:
    embedder = E5Embedder(idle=0.01)
    await embedder.embed(["one"], "query")
    async with asyncio.timeout(30):
        while embedder.pid is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert len(await embedder.embed(["two"], "query")) == 1
    await embedder.close()
    assert embedder.pid is None


class Listening(ScriptedEngine):
    """Keeps what it is asked to embed."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    async def embed(self, model: str, texts: Sequence[str], dimensions: int | None) -> Embeddings:
        self.asked += texts
        return Embeddings([[3.0, 4.0] for _ in texts], 1)


async def test_a_model_of_an_engine_embeds() -> None:
    engine = Listening()
    embedder = choose_embedder(Settings(embedder="scripted"), Registry([engine]))
    assert isinstance(embedder, EngineEmbedder)
    vectors = await embedder.embed(["a", "b"], "passage")
    assert vectors.tolist() == [[pytest.approx(0.6), pytest.approx(0.8)]] * 2
    assert engine.asked == ["a", "b"]
    await embedder.close()


@pytest.mark.parametrize(
    ("model", "query", "passage"),
    [
        ("multilingual-e5-base", "query: x", "passage: x"),
        ("nomic-embed-text-v1.5", "search_query: x", "search_document: x"),
        ("bge-m3", "x", "x"),
    ],
)
async def test_each_model_is_given_the_prefix_that_it_learned(
    model: str, query: str, passage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Listening()
    registry = Registry([engine])
    found = await registry.resolve("scripted")

    async def resolve(name: str) -> object:
        assert name == model
        return found

    monkeypatch.setattr(registry, "resolve_for_house", resolve)
    embedder = EngineEmbedder(registry, model)
    await embedder.embed(["x"], "query")
    await embedder.embed(["x"], "passage")
    assert engine.asked == [query, passage]


def test_there_may_be_none() -> None:
    assert choose_embedder(Settings(embedder="off"), Registry([])) is None
    assert isinstance(choose_embedder(Settings(), Registry([])), E5Embedder)
