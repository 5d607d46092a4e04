"""What the registry knows of its engines' models, and when it asks again."""

from __future__ import annotations

import asyncio

import pytest

from eclair.llm import registry
from eclair.llm.registry import Registry
from eclair.llm.scripted import ScriptedEngine
from eclair.schema.models import Model


class Shelf(ScriptedEngine):
    """An engine whose models change; it takes its time to list them."""

    def __init__(self) -> None:
        super().__init__()
        self.there = ["old"]
        self.listing = asyncio.Event()
        self.go_on = asyncio.Event()
        self.asked = 0

    async def models(self) -> list[Model]:
        self.asked += 1
        found = [Model(id, id, self.name) for id in self.there]
        self.listing.set()
        await self.go_on.wait()
        return found


async def test_a_wish_that_comes_while_models_are_listed_is_granted() -> None:
    shelf = Shelf()
    registry = Registry([shelf])
    listing = asyncio.create_task(registry.models())
    await shelf.listing.wait()
    shelf.there = ["new"]
    registry.refresh()
    later = asyncio.create_task(registry.models())
    await asyncio.sleep(0)
    shelf.go_on.set()
    assert [model.id for model in await listing] == ["old"]
    assert [model.id for model in await later] == ["new"]
    assert [model.id for model in await registry.models()] == ["new"]
    assert shelf.asked == 2


async def test_one_that_takes_long_holds_up_nobody_but_who_asks_for_its_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "LIST_TIMEOUT_S", 0.01)
    shelf = Shelf()
    shelf.name = "shelf"
    engines = Registry([ScriptedEngine(), shelf])
    assert [model.id for model in await engines.models()] == ["scripted"]
    assert (await engines.resolve("scripted"))[1].id == "scripted"
    asking = asyncio.create_task(engines.resolve("old"))
    await asyncio.sleep(0)
    shelf.go_on.set()
    assert (await asking)[0] is shelf
    assert shelf.asked == 1
    await engines.close()
