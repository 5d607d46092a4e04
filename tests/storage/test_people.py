"""Accounts, how each signs in, and codes that count once."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from eclair.errors import Conflict, NotFound
from eclair.schema.people import Person, PersonChange
from eclair.schema.principal import LOCAL_PRINCIPAL, PersonRole
from eclair.storage.base import Storage
from eclair.storage.people import OneTimeCode, PrincipalFacts

ADA = Person(id="local", name="ada", display_name="Ada L.", email="ada@example.org", role="admin", created=1)
BEN = Person(id="person_b", name="ben", display_name="Ben", email=None, role="member", created=2)
CODE = OneTimeCode(id="code_a", digest=b"a", purpose="invitation", created=1, expires=2, name="cleo", role="guest")


async def add(storage: Storage, *people: Person) -> None:
    for person in people:
        await storage.people.add_person(LOCAL_PRINCIPAL, person)


async def test_people_are_found_by_id_name_and_address(storage: Storage) -> None:
    await add(storage, ADA, BEN)
    assert await storage.people.get_person("local") == ADA
    assert await storage.people.find_by_name("ben") == BEN
    assert await storage.people.find_by_name("nobody") is None
    assert await storage.people.find_by_email("ADA@example.org") == [ADA]
    assert await storage.people.find_facts("person_b") == PrincipalFacts(BEN, frozenset())
    assert await storage.people.find_facts("nobody") is None
    with pytest.raises(NotFound):
        await storage.people.get_person("nobody")


async def test_a_name_is_one_persons(storage: Storage) -> None:
    await add(storage, ADA)
    with pytest.raises(Conflict):
        await add(storage, replace(BEN, name="ada"))
    with pytest.raises(Conflict):
        await add(storage, replace(ADA, name="other"))


async def test_people_are_listed_by_name_page_by_page_and_searched(storage: Storage) -> None:
    await add(storage, BEN, ADA)
    assert await storage.people.list_people(1) == [ADA]
    assert await storage.people.list_people(5, after="local") == [BEN]
    assert await storage.people.list_people(5, "a l") == [ADA]
    assert await storage.people.list_people(5, "EXAMPLE") == [ADA]
    assert await storage.people.list_people(5, "%") == []
    expected: dict[PersonRole, int] = {"admin": 1, "member": 1}
    assert await storage.people.count_people() == expected
    assert Counter((await storage.people.list_roles()).values()) == expected


async def test_a_change_touches_what_it_names(storage: Storage) -> None:
    await add(storage, ADA, BEN)
    changed = await storage.people.change_person(LOCAL_PRINCIPAL, "person_b", PersonChange(role="auditor", email="b@c"))
    assert changed == replace(BEN, role="auditor", email="b@c")
    changed = await storage.people.change_person(LOCAL_PRINCIPAL, "person_b", PersonChange(email="", name="benno"))
    assert changed == replace(BEN, role="auditor", name="benno")
    with pytest.raises(Conflict):
        await storage.people.change_person(LOCAL_PRINCIPAL, "person_b", PersonChange(name="ada"))
    with pytest.raises(NotFound):
        await storage.people.change_person(LOCAL_PRINCIPAL, "nobody", PersonChange(name="x"))


async def test_the_last_administrator_stays(storage: Storage) -> None:
    await add(storage, ADA, BEN)
    with pytest.raises(Conflict, match="last administrator"):
        await storage.people.change_person(LOCAL_PRINCIPAL, "local", PersonChange(role="member"))
    with pytest.raises(Conflict, match="last administrator"):
        await storage.people.lock_person(LOCAL_PRINCIPAL, "local", 5)
    with pytest.raises(Conflict, match="last administrator"):
        await storage.people.delete_person(LOCAL_PRINCIPAL, "local")
    await storage.people.change_person(LOCAL_PRINCIPAL, "person_b", PersonChange(role="admin"))
    await storage.people.delete_person(LOCAL_PRINCIPAL, "local")
    assert await storage.people.list_people(5) == [replace(BEN, role="admin")]


async def test_a_lock_can_be_taken_off_again(storage: Storage) -> None:
    await add(storage, ADA, BEN)
    assert (await storage.people.lock_person(LOCAL_PRINCIPAL, "person_b", 5)).locked == 5
    assert await storage.people.count_people() == {"admin": 1}
    assert (await storage.people.lock_person(LOCAL_PRINCIPAL, "person_b", None)).locked is None
    await storage.people.mark_seen("person_b", "2026-11-28")
    assert (await storage.people.get_person("person_b")).seen == "2026-11-28"


async def test_an_identity_leads_to_one_person(storage: Storage) -> None:
    await add(storage, ADA, BEN)
    await storage.people.link_identity(LOCAL_PRINCIPAL, "person_b", "oidc:https://id", "7")
    await storage.people.link_identity(LOCAL_PRINCIPAL, "person_b", "oidc:https://id", "7")
    assert await storage.people.find_identity("oidc:https://id", "7") == "person_b"
    assert await storage.people.find_identity("oidc:https://other", "7") is None
    assert await storage.people.list_identities("person_b") == [("oidc:https://id", "7")]
    with pytest.raises(Conflict):
        await storage.people.link_identity(LOCAL_PRINCIPAL, "local", "oidc:https://id", "7")


async def test_a_password_is_replaced_and_removed(storage: Storage) -> None:
    await storage.people.add_person(LOCAL_PRINCIPAL, ADA, password="$first")
    assert await storage.people.get_password("local") == "$first"
    await storage.people.set_password(LOCAL_PRINCIPAL, "local", "$second")
    assert await storage.people.get_password("local") == "$second"
    await storage.people.set_password(LOCAL_PRINCIPAL, "local", None)
    assert await storage.people.get_password("local") is None
    with pytest.raises(NotFound):
        await storage.people.set_password(LOCAL_PRINCIPAL, "nobody", "$x")


async def test_each_code_of_a_second_factor_counts_once(storage: Storage) -> None:
    await add(storage, ADA)
    assert await storage.people.get_second_factor("local") is None
    await storage.people.set_second_factor(LOCAL_PRINCIPAL, "local", b"secret")
    assert await storage.people.use_second_factor("local", 7)
    assert not await storage.people.use_second_factor("local", 7)
    assert not await storage.people.use_second_factor("local", 6)
    await storage.people.confirm_second_factor(LOCAL_PRINCIPAL, "local", [b"one", b"two"])
    factor = await storage.people.get_second_factor("local")
    assert factor is not None
    assert (factor.secret, factor.used, factor.confirmed is None) == (b"secret", 7, False)
    assert await storage.people.use_recovery_code("local", b"one")
    assert not await storage.people.use_recovery_code("local", b"one")
    await storage.people.set_second_factor(LOCAL_PRINCIPAL, "local", None)
    assert await storage.people.get_second_factor("local") is None
    assert not await storage.people.use_recovery_code("local", b"two")


async def test_a_one_time_code_is_taken_once(storage: Storage) -> None:
    await storage.people.add_code(LOCAL_PRINCIPAL, CODE)
    assert await storage.people.find_code(b"a") == CODE
    assert await storage.people.list_codes("invitation") == [CODE]
    assert await storage.people.take_code(b"a")
    assert not await storage.people.take_code(b"a")
    assert await storage.people.find_code(b"a") is None
    await storage.people.add_code(LOCAL_PRINCIPAL, CODE)
    await storage.people.delete_code(LOCAL_PRINCIPAL, "code_a")
    with pytest.raises(NotFound):
        await storage.people.delete_code(LOCAL_PRINCIPAL, "code_a")


async def test_a_new_code_for_the_set_up_replaces_the_one_before(storage: Storage) -> None:
    await storage.people.add_code(LOCAL_PRINCIPAL, replace(CODE, purpose="setup"))
    await storage.people.add_code(LOCAL_PRINCIPAL, replace(CODE, purpose="setup", id="code_b", digest=b"b"))
    assert [code.id for code in await storage.people.list_codes("setup")] == ["code_b"]
