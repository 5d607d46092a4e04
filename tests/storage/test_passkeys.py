"""Passkeys are found by the device's own id of them, and count their uses upwards."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eclair.errors import Conflict, NotFound
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.base import Storage
from eclair.storage.passkeys import Passkey
from tests.storage.test_people import ADA, BEN, add

PHONE = Passkey(id="passkey_a", person="local", credential=b"c", public_key=b"k", signatures=1, name="Phone", created=5)


async def test_a_passkey_is_found_listed_and_deleted_by_its_person_alone(storage: Storage) -> None:
    await add(storage, ADA, BEN)
    await storage.passkeys.add_passkey(LOCAL_PRINCIPAL, PHONE)
    assert await storage.passkeys.find_passkey(b"c") == PHONE
    assert await storage.passkeys.find_passkey(b"other") is None
    assert await storage.passkeys.list_passkeys("local") == [PHONE]
    assert await storage.passkeys.list_passkeys("person_b") == []
    with pytest.raises(Conflict):
        await storage.passkeys.add_passkey(LOCAL_PRINCIPAL, replace(PHONE, id="passkey_b", person="person_b"))
    with pytest.raises(NotFound):
        await storage.passkeys.delete_passkey(LOCAL_PRINCIPAL, "person_b", "passkey_a")
    await storage.passkeys.delete_passkey(LOCAL_PRINCIPAL, "local", "passkey_a")
    assert await storage.passkeys.find_passkey(b"c") is None


async def test_a_use_counts_upwards_unless_the_device_does_not_count(storage: Storage) -> None:
    await add(storage, ADA)
    await storage.passkeys.add_passkey(LOCAL_PRINCIPAL, PHONE)
    assert await storage.passkeys.use_passkey("passkey_a", 2, "2026-11-29")
    assert not await storage.passkeys.use_passkey("passkey_a", 2, "2026-11-30")
    assert await storage.passkeys.find_passkey(b"c") == replace(PHONE, signatures=2, used="2026-11-29")
    cloud = replace(PHONE, id="passkey_c", credential=b"d", signatures=0)
    await storage.passkeys.add_passkey(LOCAL_PRINCIPAL, cloud)
    assert await storage.passkeys.use_passkey("passkey_c", 0, "2026-11-29")
    assert await storage.passkeys.use_passkey("passkey_c", 0, "2026-11-29")
