from __future__ import annotations

from dataclasses import replace

import pytest

from eclair.errors import InvalidInput
from eclair.storage.base import Storage
from eclair.storage.web_settings import StoredWebSettings
from tests.storage.helpers import ME

CHOSEN = StoredWebSettings(
    services=("searxng", "wikipedia"),
    searxng="http://127.0.0.1:8888",
    keys={"mojeek": b"\x00encrypted"},
    policy="eu",
    hosts=("example.eu",),
)


async def test_nothing_is_chosen_at_first(storage: Storage) -> None:
    assert await storage.web_settings.get_web_settings() == StoredWebSettings()


async def test_what_was_chosen_is_read_back_by_every_process(storage: Storage, other: Storage) -> None:
    assert await storage.web_settings.edit_web_settings(ME, lambda _: CHOSEN) == CHOSEN
    assert await other.web_settings.get_web_settings() == CHOSEN
    await other.web_settings.edit_web_settings(ME, lambda chosen: replace(chosen, keys={}))
    assert await storage.web_settings.get_web_settings() == replace(CHOSEN, keys={})


async def test_an_edit_that_fails_changes_nothing(storage: Storage) -> None:
    def refuse(chosen: StoredWebSettings) -> StoredWebSettings:
        raise InvalidInput(f"{chosen.searxng} cannot be edited.")

    await storage.web_settings.edit_web_settings(ME, lambda _: CHOSEN)
    with pytest.raises(InvalidInput):
        await storage.web_settings.edit_web_settings(ME, refuse)
    assert await storage.web_settings.get_web_settings() == CHOSEN
