"""Sign-ins under way, and the keys that all servers of an installation share."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from eclair.errors import Conflict
from eclair.storage.base import Storage
from eclair.storage.sign_in_states import SignInState

CODE = SignInState(kind="device", state="{}", expires=1000, code="ABCD", address="10.0.0.1")
STEP = SignInState(kind="second step", state='{"person": "ann"}', expires=2000)


async def test_one_of_two_takes_a_state(storage: Storage, other: Storage) -> None:
    await storage.sign_in_states.add_sign_in_state(b"a", STEP, 1, 10)
    assert await other.sign_in_states.find_sign_in_state(b"a") == STEP
    taken = await asyncio.gather(*(each.sign_in_states.take_sign_in_state(b"a") for each in (storage, other)))
    assert sorted(taken, key=str) == [None, STEP]
    assert await storage.sign_in_states.find_sign_in_state(b"a") is None


async def test_a_secret_is_added_once_until_it_expires(storage: Storage, other: Storage) -> None:
    used = SignInState(kind="assertion", state="{}", expires=2000)
    await storage.sign_in_states.add_sign_in_state(b"a", used, 1, 10)
    with pytest.raises(Conflict):
        await other.sign_in_states.add_sign_in_state(b"a", replace(used, expires=3000), 1999, 10)
    assert await storage.sign_in_states.find_sign_in_state(b"a") == used
    await other.sign_in_states.add_sign_in_state(b"b", STEP, 5000, 10)
    assert await storage.sign_in_states.find_sign_in_state(b"a") == used, "another kind may go by another clock"
    await other.sign_in_states.add_sign_in_state(b"a", replace(used, expires=3000), 2000, 10)


async def test_a_code_names_one_state_and_what_has_expired_makes_room(storage: Storage) -> None:
    await storage.sign_in_states.add_sign_in_state(b"a", CODE, 1, 10)
    assert await storage.sign_in_states.find_sign_in_code("device", "ABCD") == (b"a", CODE)
    assert await storage.sign_in_states.find_sign_in_code("ticket", "ABCD") is None
    with pytest.raises(Conflict):
        await storage.sign_in_states.add_sign_in_state(b"b", CODE, 1, 10)
    await storage.sign_in_states.add_sign_in_state(b"b", replace(CODE, expires=3000), 1001, 10)
    assert await storage.sign_in_states.find_sign_in_state(b"a") is None


async def test_of_too_many_the_one_that_expires_first_goes(storage: Storage) -> None:
    for number, expires in enumerate((300, 100, 200)):
        await storage.sign_in_states.add_sign_in_state(
            bytes([number]), replace(STEP, expires=expires, address="10.0.0.2"), 1, 2
        )
    await storage.sign_in_states.add_sign_in_state(b"a", CODE, 1, 2)
    assert await storage.sign_in_states.find_sign_in_state(b"\1") is None
    assert await storage.sign_in_states.count_sign_in_states("second step", 1, "10.0.0.2") == (2, 2)
    assert await storage.sign_in_states.count_sign_in_states("second step", 250, "10.0.0.1") == (1, 0)


async def test_one_of_two_replaces_a_state(storage: Storage, other: Storage) -> None:
    await storage.sign_in_states.add_sign_in_state(b"a", CODE, 1, 10)
    done = await asyncio.gather(
        *(
            each.sign_in_states.replace_sign_in_state(b"a", CODE, replace(CODE, state=state))
            for each, state in ((storage, '"allowed"'), (other, '"denied"'))
        )
    )
    assert sorted(done) == [False, True]
    kept = await storage.sign_in_states.find_sign_in_state(b"a")
    assert kept == replace(CODE, state='"allowed"' if done[0] else '"denied"')


async def test_a_key_is_replaced_by_whoever_knows_the_one_before(storage: Storage, other: Storage) -> None:
    keys = storage.installation_keys
    assert await keys.get_installation_key("signing") is None
    put = [
        each.installation_keys.put_installation_key("signing", None, key)
        for each, key in ((storage, b"a"), (other, b"b"))
    ]
    assert sorted(await asyncio.gather(*put)) == [False, True]
    kept = await keys.get_installation_key("signing")
    assert not await keys.put_installation_key("signing", b"c", b"d")
    assert await keys.put_installation_key("signing", kept, b"d")
    assert await other.installation_keys.get_installation_key("signing") == b"d"
