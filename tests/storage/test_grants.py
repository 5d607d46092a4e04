"""Grants: one for each subject and object, gone with the person or group that they name."""

from __future__ import annotations

import pytest

from eclair.errors import NotFound
from eclair.schema.people import PersonGroup
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.storage.base import Storage
from eclair.storage.grants import Grant, GrantEffect, subjects_of
from tests.storage.test_people import ADA, BEN
from tests.storage.test_people import add as add_people


def grant(id: str, subject: str, object: str = "web", effect: GrantEffect = "deny") -> Grant:
    return Grant(id=id, subject=subject, object=object, effect=effect, created=1)


async def test_a_grant_replaces_that_of_the_same_subject_and_object(storage: Storage) -> None:
    first = grant("grant_a", "everyone")
    assert await storage.grants.put_grant(LOCAL_PRINCIPAL, first) == first
    other = grant("grant_b", "everyone", "images")
    await storage.grants.put_grant(LOCAL_PRINCIPAL, other)
    changed = await storage.grants.put_grant(LOCAL_PRINCIPAL, grant("grant_c", "everyone", effect="allow"))
    assert (changed.id, changed.effect) == ("grant_a", "allow")
    assert await storage.grants.list_grants() == [other, changed]
    await storage.grants.delete_grant(LOCAL_PRINCIPAL, "grant_a")
    assert await storage.grants.list_grants() == [other]
    with pytest.raises(NotFound):
        await storage.grants.delete_grant(LOCAL_PRINCIPAL, "grant_a")


async def test_grants_go_with_whom_they_name(storage: Storage) -> None:
    await add_people(storage, ADA, BEN)
    await storage.groups.add_group(LOCAL_PRINCIPAL, PersonGroup(id="grp_a", name="a", origin="local", created=1))
    await storage.grants.put_grant(LOCAL_PRINCIPAL, grant("grant_a", f"person:{BEN.id}"))
    await storage.grants.put_grant(LOCAL_PRINCIPAL, grant("grant_b", "group:grp_a"))
    await storage.people.delete_person(LOCAL_PRINCIPAL, BEN.id)
    assert [each.id for each in await storage.grants.list_grants()] == ["grant_b"]
    await storage.groups.delete_group(LOCAL_PRINCIPAL, "grp_a")
    assert await storage.grants.list_grants() == []


def test_somebody_is_named_by_person_groups_role_and_everyone() -> None:
    principal = Principal("ben", role="guest", groups=frozenset({"a"}))
    assert subjects_of(principal) == ("person:ben", "group:a", "role:guest", "everyone")
