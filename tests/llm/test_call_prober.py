"""Models are probed once each: those of the embedded engine after they were loaded, others after an answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from unittest.mock import AsyncMock, Mock

import pytest

from eclair.errors import EngineUnavailable
from eclair.llm import call_prober
from eclair.llm.base import Engine
from eclair.llm.call_probe import CallSkill
from eclair.llm.call_prober import CallProber
from eclair.llm.call_skills import CallSkills
from eclair.schema.models import Model
from eclair.util.background import IdleScheduler

LOADED = Model("loaded", "loaded", "embedded", 4096)
SERVED = Model("served", "served", "rack", 4096)
SKILL = CallSkill("native", is_good=True)


class Probing:
    """A prober, the ids that were probed, and the error of those that fail."""

    def __init__(self, data_dir: Path) -> None:
        self.skills = CallSkills(data_dir)
        self.prober = CallProber(self.skills, IdleScheduler())
        self.probed: list[str] = []
        self.errors: dict[str, Exception] = {}
        self.embedded = Mock()
        self.embedded.name = "embedded"
        self.embedded.models = AsyncMock(return_value=[LOADED])

    async def probe(self, engine: Engine, model: Model) -> CallSkill:
        self.probed.append(model.id)
        if model.id in self.errors:
            raise self.errors[model.id]
        return SKILL

    def load(self) -> None:
        self.prober.note_loaded(self.embedded, LOADED.id)

    def answer(self) -> None:
        self.prober.note_answer(Mock(), SERVED)

    async def until(self, *probed: str) -> None:
        async with asyncio.timeout(20):
            while self.probed != [*probed]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


@pytest.fixture
async def probing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Probing]:
    probing = Probing(tmp_path)
    monkeypatch.setattr(call_prober, "probe_calls", probing.probe)
    monkeypatch.setattr(call_prober, "QUIET_S", 0.0)
    await probing.prober.start()
    yield probing
    await probing.prober.close()


async def test_a_model_that_is_loaded_again_and_again_is_probed_once(probing: Probing) -> None:
    for _ in range(3):
        probing.load()
    await probing.until("loaded")
    probing.load()
    probing.answer()
    await probing.until("loaded", "served")
    assert probing.embedded.models.await_count == 1


async def test_a_server_that_has_answered_does_not_wait_behind_what_was_loaded(
    probing: Probing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_prober, "QUIET_S", 30.0)
    probing.load()
    probing.answer()
    await probing.until("served")


async def test_what_is_known_or_gone_is_not_probed(probing: Probing) -> None:
    probing.skills.add(LOADED, SKILL)
    probing.load()
    async with asyncio.timeout(20):
        while not probing.embedded.models.await_count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    probing.prober.note_loaded(probing.embedded, "gone")
    async with asyncio.timeout(20):
        while probing.embedded.models.await_count < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    probing.answer()
    await probing.until("served")


async def test_a_model_that_was_unloaded_before_is_probed_once_it_is_loaded_again(probing: Probing) -> None:
    probing.errors["loaded"] = EngineUnavailable("loaded is not loaded.")
    probing.load()
    await probing.until("loaded")
    probing.answer()
    await probing.until("loaded", "served")
    probing.errors.clear()
    probing.load()
    await probing.until("loaded", "served", "loaded")
    assert probing.skills.knows(LOADED)
