"""The embedded engine as a reranker, with a tiny model of random weights."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

import eclair.documents.reranker as reranker_module
from eclair.documents.reranker import FIRST_TEXTS, EngineReranker, InstalledReranker, choose_reranker
from eclair.errors import EngineBroken, EngineUnavailable, ModelMissing
from eclair.llm.local.local_reranker import LocalReranker
from eclair.llm.registry import Registry
from eclair.models.catalog import load_entries
from eclair.models.installed import installed_models
from eclair.settings import Settings
from tests.documents.tiny_reranker import write_tiny_reranker

TEXTS = ("bread costs two euros", "the baker is away " * 300, "of cheese", "")


@pytest.fixture
def model(settings: Settings) -> Path:
    path = settings.data_dir / "models" / "tiny-reranker.Q8_0.gguf"
    path.parent.mkdir(parents=True)
    write_tiny_reranker(path)
    return path


@pytest.fixture
async def local(settings: Settings) -> AsyncGenerator[LocalReranker]:
    reranker = LocalReranker(settings)
    yield reranker
    await reranker.close()
    assert not engines()


def engines() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if any("llama_server" in word for word in child.cmdline())]


async def test_the_embedded_engine_ranks_and_is_started_again(model: Path, local: LocalReranker) -> None:
    assert local.is_installed
    scores = await local.rerank("what does bread cost?", TEXTS)
    assert len(scores) == len(set(scores)) == len(TEXTS)
    (engine,) = engines()
    assert await local.rerank("what does bread cost?", TEXTS[::-1]) == pytest.approx(scores[::-1], abs=1e-3)
    os.kill(engine.pid, signal.SIGKILL)
    with pytest.raises(EngineUnavailable):
        await local.rerank("what?", TEXTS)
    assert await local.rerank("what does bread cost?", TEXTS) == pytest.approx(scores, abs=1e-3)


async def test_a_file_that_is_no_model_changes_no_order(model: Path, settings: Settings) -> None:
    whole = await asyncio.to_thread(model.read_bytes)
    await asyncio.to_thread(model.write_bytes, whole[:-20_000])
    broken = LocalReranker(settings)
    with pytest.raises(EngineBroken, match="does not load"):
        await broken.rerank("what?", TEXTS)
    await broken.close()
    await asyncio.to_thread(model.write_bytes, b"GGUF" + bytes(100))
    local = LocalReranker(settings)
    with pytest.raises(ModelMissing, match="not a GGUF file"):
        await local.rerank("what?", TEXTS)
    await local.close()
    reranker = choose_reranker(replace(settings, embedded=True), Registry([]))
    assert isinstance(reranker, InstalledReranker)
    assert reranker.is_enabled
    assert await reranker.rank("what?", TEXTS) == [0, 1, 2, 3]
    await asyncio.to_thread(model.unlink)
    assert not reranker.is_enabled
    await reranker.close()


async def test_no_search_waits_for_it_to_load_and_it_reads_what_it_can_in_time(model: Path, settings: Settings) -> None:
    reranker = InstalledReranker(settings)
    texts = [*TEXTS, *(f"text {number}" for number in range(20))]
    assert await reranker.rank("what does bread cost?", texts) == list(range(len(texts)))
    async with asyncio.timeout(60):
        while (order := await reranker.rank("what does bread cost?", texts)) == list(range(len(texts))):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert sorted(order) == list(range(len(texts)))
    assert order[FIRST_TEXTS:] == list(range(FIRST_TEXTS, len(texts)))
    assert reranker.is_enabled
    await reranker.close()


async def test_a_machine_that_is_too_slow_for_it_gives_it_up(
    model: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reranker_module, "LOCAL_RERANK_S", 1e-6)
    reranker = InstalledReranker(settings)
    async with asyncio.timeout(60):
        while reranker.is_enabled:
            await reranker.rank("what does bread cost?", TEXTS)
            await asyncio.sleep(0.05)
    await reranker.close()


def test_it_is_offered_for_no_answers(model: Path, settings: Settings) -> None:
    assert installed_models(load_entries(settings.catalog), settings.data_dir) == {}


def test_the_settings_choose(settings: Settings) -> None:
    registry = Registry([])
    assert choose_reranker(replace(settings, embedded=True, reranker="off"), registry) is None
    assert choose_reranker(replace(settings, embedded=False), registry) is None
    assert isinstance(choose_reranker(replace(settings, reranker="bge"), registry), EngineReranker)
