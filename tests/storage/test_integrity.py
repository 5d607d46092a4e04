from __future__ import annotations

from eclair.storage.base import Storage
from tests.storage.conftest import Opener
from tests.support import conversation


async def test_a_check_finds_a_sound_storage_and_is_due_again_a_day_later(storage: Storage) -> None:
    await conversation(storage)
    assert storage.integrity.is_check_due
    await storage.integrity.check()
    assert not storage.integrity.is_check_due
    assert storage.integrity.damage is None


async def test_a_storage_that_was_closed_has_ended_cleanly(storage: Storage, opener: Opener) -> None:
    other = opener()
    await other.close()
    assert not storage.integrity.has_ended_uncleanly
