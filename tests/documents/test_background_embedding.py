from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import numpy as np
import pytest
from numpy import float32
from numpy.typing import NDArray

import eclair.documents.background_embedding as background
from eclair.app import open_app
from eclair.documents.background_embedding import BackgroundEmbedder
from eclair.documents.embeddings import EmbeddingKind, Turn
from eclair.errors import (
    EmbeddingRefused,
    EngineBroken,
    EngineBusy,
    EngineRefused,
    EngineUnavailable,
    KeyRefused,
)
from eclair.network.gate import PRINCIPAL
from eclair.schema.principal import Principal
from eclair.settings import EngineSettings, Settings
from eclair.storage.base import Storage
from eclair.storage.chunks import SearchScope
from eclair.util.background import IdleScheduler
from tests.llm.servers import Speaking, reply
from tests.llm.standin import Call, standing_in
from tests.storage.helpers import ME, OTHER, SHA, cut, file, paged, read
from tests.support import lay_database


class OneByOne:
    """Embeds a text a turn, and keeps the order."""

    name = "one-by-one"

    def __init__(self, *, fails: bool = False) -> None:
        self.texts: list[str] = []
        self.fails = fails
        self.busy = 0
        self.poor: set[str] = set()
        self.faults: dict[str, Exception] = {}
        """By text, the faults of the engine."""
        self.failures = 0
        self.acted_for: list[Principal] = []

    async def embed(
        self, texts: Sequence[str], kind: EmbeddingKind, *, soon: bool = True, turn: Turn | None = None
    ) -> NDArray[float32]:
        assert (kind, soon) == ("passage", False)
        for text in texts:
            if turn is not None:
                await turn()
            if PRINCIPAL.get().id in self.poor:
                raise EmbeddingRefused("Your budget is used up.")
            if self.fails:
                raise EngineUnavailable("It is down.")
            if self.busy:
                self.busy -= 1
                raise EngineBusy("Too many questions wait.", retry_after=0.01)
            if (fault := self.faults.get(text)) is not None:
                self.failures += 1
                raise fault
            self.texts.append(text)
            self.acted_for.append(PRINCIPAL.get())
        return np.ones((len(texts), 1), np.float32)

    async def wake(self) -> None: ...

    async def close(self) -> None: ...


class Background:
    """A background embedder over a store, and its last word on how far it is."""

    def __init__(self, storage: Storage, *, fails: bool = False) -> None:
        self.idle, self.embedder, self.ended = IdleScheduler(), OneByOne(fails=fails), asyncio.Event()
        self.work = BackgroundEmbedder(storage, self.embedder, self.idle, self._notify, self._find)

    async def _find(self, owner: str) -> Principal | None:
        return None if owner == "locked" else Principal(owner, groups=frozenset({"readers"}))

    def _notify(self, ended: bool) -> None:
        if ended:
            self.ended.set()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        task = asyncio.create_task(self.work.run())
        self.work.resume()
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])


@pytest.fixture
async def made(storage: Storage) -> Background:
    await read(storage, ["one", "two"])
    await read(storage, ["three"], "file_b", OTHER)
    return Background(storage)


async def test_it_waits_while_an_answer_is_made(storage: Storage, made: Background) -> None:
    with made.idle.answering():
        async with made.running():
            await asyncio.sleep(0.05)
            assert made.embedder.texts == []
    async with made.running(), asyncio.timeout(30):
        await made.ended.wait()
        while (await storage.documents.get_state(SHA)).embedded < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert made.embedder.texts == ["Head\nthree", "Head\none", "Head\ntwo"]


async def test_answers_without_end_do_not_hold_it_up_for_ever(
    storage: Storage, made: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "MAX_IDLE_WAIT_S", 0.01)
    with made.idle.answering():
        async with made.running(), asyncio.timeout(30):
            while (await storage.documents.get_state(SHA)).embedded < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_what_is_asked_comes_first(storage: Storage, made: Background) -> None:
    made.work.prefer(SearchScope(ME, files=("file_a",)))
    async with made.running(), asyncio.timeout(30):
        while (await storage.documents.get_state(OTHER)).embedded < 1:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert made.embedder.texts == ["Head\none", "Head\ntwo", "Head\nthree"]


async def test_it_says_why_it_fails(storage: Storage) -> None:
    await read(storage, ["one"])
    failing = Background(storage, fails=True)
    async with failing.running(), asyncio.timeout(30):
        while failing.work.error is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert failing.work.error == "It is down."


async def test_it_waits_for_an_engine_that_has_no_room(
    storage: Storage, made: Background, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(background, "RETRY_DELAY_S", 0.0)
    made.embedder.busy = 3
    async with made.running(), asyncio.timeout(30):
        while (await storage.documents.get_state(SHA)).embedded < 2:
            assert made.work.error is None
            await asyncio.sleep(0.01)
    assert made.embedder.busy == 0
    assert [record for record in caplog.records if record.levelname == "WARNING"] == []


@pytest.mark.parametrize("fault", [EngineRefused("It is too long."), EngineBroken("Its reply is no JSON.")])
async def test_a_document_that_an_engine_refuses_holds_up_no_other(
    storage: Storage, made: Background, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    monkeypatch.setattr(background, "RETRY_DELAY_S", 0.05)
    made.embedder.faults = {"Head\nthree": fault}  # which comes first
    async with made.running(), asyncio.timeout(30):
        while (await storage.documents.get_state(SHA)).embedded < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert (await storage.documents.get_state(OTHER)).embedded == 0
        made.embedder.faults = {}
        while (await storage.documents.get_state(OTHER)).embedded < 1:
            await asyncio.sleep(0.01)
            made.work.resume()
    assert made.work.error is None


async def test_a_refused_key_is_no_documents_fault(
    storage: Storage, made: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "RETRY_DELAY_S", 0.01)
    made.embedder.faults = dict.fromkeys(("Head\none", "Head\nthree"), KeyRefused("The key is wrong."))
    async with made.running(), asyncio.timeout(30):
        while made.embedder.failures < 16:  # noqa: ASYNC110  # which takes minutes where each attempt waits longer
            await asyncio.sleep(0.01)


async def test_it_acts_for_the_owner_and_waits_for_their_budget_alone(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "BUDGET_RETRY_S", 0.05)
    await storage.files.add_file(Principal("locked"), file("file_a", SHA, "locked"), 1)
    await storage.files.add_file(Principal("me"), file("file_b", OTHER), 1)
    for sha, text in ((SHA, "one"), (OTHER, "two")):
        await storage.documents.add_pages(sha, paged([text]), cut([text], sha), finished=True)
    made = Background(storage)
    made.embedder.poor = {"me"}
    async with made.running(), asyncio.timeout(30):
        while (await storage.documents.get_state(SHA)).embedded < 1:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert (await storage.documents.get_state(OTHER)).embedded == 0
        made.embedder.poor = set()
        while (await storage.documents.get_state(OTHER)).embedded < 1:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert [(each.id, each.groups) for each in made.embedder.acted_for] == [
        ("locked", frozenset()),
        ("me", frozenset({"readers"})),
    ]
    assert made.work.error is None


async def test_an_engine_embeds_as_many_documents_at_once_as_are_read(settings: Settings) -> None:
    together = asyncio.Barrier(3)

    async def embeddings(call: Call) -> None:
        await together.wait()
        rows = [{"index": place, "embedding": [0.1, 0.2]} for place, _ in enumerate(call.json["input"])]
        await reply(call, {"data": rows, "usage": {"prompt_tokens": 1}})

    async def text(content: str) -> AsyncGenerator[bytes]:
        yield content.encode()

    lay_database(settings.data_dir)
    async with standing_in() as standin:
        rack = Speaking(standin)
        standin.routes["/v1/embeddings"] = embeddings
        given = replace(settings, engines={"rack": EngineSettings(rack.url)}, embedder="muse")
        async with open_app(given, at_once=3) as app, asyncio.timeout(30):
            for name in ("one", "two", "three"):
                added = await app.ingestor.ingest(ME, f"{name}.txt", "text/plain", text(f"This is {name}."))
            while not (await app.storage.documents.get_state(added.file.sha256)).embedded:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
