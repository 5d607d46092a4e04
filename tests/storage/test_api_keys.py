from __future__ import annotations

from dataclasses import replace

import pytest

from eclair.errors import Conflict, NotFound
from eclair.storage.api_keys import StoredApiKey
from eclair.storage.base import Storage
from tests.storage.helpers import ME, SOMEONE

KEY = StoredApiKey("key_a", "me", "laptop", b"\x01" * 32, 20)
OLDER = StoredApiKey("key_b", "me", "phone", b"\x02" * 32, 10, None, "v1", ("10.0.0.0/24",), 30)


async def test_keys_are_listed_oldest_first_for_their_owner_alone(storage: Storage, other: Storage) -> None:
    await storage.api_keys.add_key(ME, KEY)
    await storage.api_keys.add_key(ME, OLDER)
    assert await storage.api_keys.list_keys(ME) == [OLDER, KEY]
    assert await other.api_keys.list_keys(ME) == [OLDER, KEY]
    assert await storage.api_keys.list_keys(SOMEONE) == []


async def test_two_keys_of_one_owner_cannot_share_a_name(storage: Storage) -> None:
    await storage.api_keys.add_key(ME, KEY)
    with pytest.raises(Conflict, match="laptop"):
        await storage.api_keys.add_key(ME, replace(OLDER, name="laptop"))
    await storage.api_keys.add_key(SOMEONE, replace(OLDER, owner="someone", name="laptop"))
    assert await storage.api_keys.list_keys(ME) == [KEY]


async def test_a_key_is_found_by_its_digest_and_its_id(storage: Storage) -> None:
    limited = replace(OLDER, models=("a", "b"), per_minute=6, at_once=2)
    await storage.api_keys.add_key(ME, limited)
    assert await storage.api_keys.get_key("key_b") == limited
    assert await storage.api_keys.get_key("key_a") is None
    await storage.api_keys.delete_key(ME, "phone")
    await storage.api_keys.add_key(ME, KEY)
    assert await storage.api_keys.find_key(KEY.digest) == KEY
    assert await storage.api_keys.find_key(OLDER.digest) is None


async def test_a_deleted_key_is_found_no_more(storage: Storage, other: Storage) -> None:
    await storage.api_keys.add_key(ME, KEY)
    with pytest.raises(NotFound, match="laptop"):
        await storage.api_keys.delete_key(SOMEONE, "laptop")
    await storage.api_keys.delete_key(ME, "laptop")
    assert await other.api_keys.find_key(KEY.digest) is None
    with pytest.raises(NotFound, match="eclair key list"):
        await storage.api_keys.delete_key(ME, "laptop")


async def test_the_last_day_of_use_is_kept(storage: Storage) -> None:
    await storage.api_keys.add_key(ME, KEY)
    await storage.api_keys.mark_used(KEY.id, "2026-11-28")
    await storage.api_keys.mark_used("key_gone", "2026-11-28")
    assert await storage.api_keys.list_keys(ME) == [replace(KEY, used="2026-11-28")]
