"""Keys as the server checks them at each request."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from eclair.accounts.api_keys import KEY_PREFIX, RECHECK_AFTER_S, ApiKeys
from eclair.errors import InvalidInput
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.storage.api_keys import ApiKeyStore, StoredApiKey
from eclair.storage.base import Storage


@dataclass
class Moment:
    seconds: float = 1_764_300_000.0

    def __call__(self) -> float:
        return self.seconds


class Counted:
    """The store, with the number of look-ups and of days that were written."""

    def __init__(self, store: ApiKeyStore) -> None:
        self.add_key = store.add_key
        self.list_keys = store.list_keys
        self.delete_key = store.delete_key
        self.get_key = store.get_key
        self._store = store
        self.found = self.marked = 0

    async def find_key(self, digest: bytes) -> StoredApiKey | None:
        self.found += 1
        return await self._store.find_key(digest)

    async def mark_used(self, id: str, day: str) -> None:
        self.marked += 1
        await self._store.mark_used(id, day)


async def test_a_key_acts_for_its_owner(storage: Storage) -> None:
    keys = ApiKeys(storage.api_keys)
    made = await keys.add(LOCAL_PRINCIPAL, " laptop ")
    (stored,) = await keys.list_keys(LOCAL_PRINCIPAL)
    assert (stored, stored.name) == (made.stored, "laptop")
    found = await keys.find(made.secret.encode())
    assert found is not None
    assert (found.owner, found.id) == (LOCAL_PRINCIPAL.id, made.stored.id)
    other = await keys.add(Principal("someone"), "laptop")
    assert await keys.find(other.secret.encode()) == other.stored


async def test_the_storage_is_asked_once_in_a_while_and_told_once_a_day(storage: Storage) -> None:
    clock = Moment()
    store = Counted(storage.api_keys)
    keys = ApiKeys(store, clock)
    secret = (await keys.add(LOCAL_PRINCIPAL, "laptop")).secret.encode()
    for _ in range(100):
        assert await keys.find(secret) is not None
    assert (store.found, store.marked) == (1, 1)
    clock.seconds += RECHECK_AFTER_S
    assert await keys.find(secret) is not None
    assert (store.found, store.marked) == (2, 1)
    clock.seconds += 86_400
    assert await keys.find(secret) is not None
    assert (store.found, store.marked) == (3, 2)


async def test_the_key_of_another_service_is_not_looked_up(storage: Storage) -> None:
    store = Counted(storage.api_keys)
    keys = ApiKeys(store)
    for secret in (b"", b"sk-proj-1234", KEY_PREFIX.encode()[:-1], "s3crêt".encode()):
        assert await keys.find(secret) is None
    assert store.found == 0
    assert await keys.find(KEY_PREFIX.encode() + b"\xff") is None


async def test_no_two_keys_are_alike(storage: Storage) -> None:
    keys = ApiKeys(storage.api_keys)
    made = [await keys.add(LOCAL_PRINCIPAL, f"key {number}") for number in range(20)]
    assert len({each.secret for each in made}) == len({replace(each.stored, name="").digest for each in made}) == 20


@pytest.mark.parametrize("name", ["", " ", "-x", "a\nb", "a/b", "x" * 61, "\u202ex"])
async def test_a_name_is_one_short_line(storage: Storage, name: str) -> None:
    with pytest.raises(InvalidInput):
        await ApiKeys(storage.api_keys).add(LOCAL_PRINCIPAL, name)
