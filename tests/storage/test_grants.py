"""Grants: one for each subject and object, gone with the person or group that they name."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from eclair.accounts.rights import RightRules
from eclair.errors import NotFound
from eclair.schema.people import PersonGroup
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.storage.base import Storage
from eclair.storage.chunks import SearchScope
from eclair.storage.grants import Grant, GrantEffect, subjects_of
from eclair.storage.libraries import Library
from eclair.storage.projects import Project
from eclair.storage.sharing import AccessShare
from tests.storage.helpers import ME, file, found, read
from tests.storage.test_assistants import LAWYER
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


EFFECTS: tuple[GrantEffect, ...] = ("allow", "deny")


async def can_read(storage: Storage, principal: Principal) -> bool:
    try:
        await storage.files.get_file(principal, "file_a")
        assert (await storage.files.list_files(principal, 9, library="lib_a")).files
    except NotFound:
        with pytest.raises(NotFound):
            await storage.files.list_files(principal, 9, library="lib_a")
        return False
    return True


async def test_a_shared_file_is_read_and_found_as_rights_say(storage: Storage) -> None:
    await storage.libraries.add_library(ME, Library("lib_a", "me", "handbook", 1))
    await storage.libraries.share(ME, AccessShare("lib_a", "everyone", "view", 1))
    await read(storage, ["apple pie"])
    await storage.files.edit_file(ME, "file_a", library="lib_a")
    await storage.groups.add_group(LOCAL_PRINCIPAL, PersonGroup(id="grp_a", name="a", origin="local", created=1))
    await add_people(storage, ADA, BEN)
    ben, guest = Principal(BEN.id, groups=frozenset({"grp_a"})), Principal("gus", role="guest")
    chosen = random.Random(1)
    subjects = ("everyone", "role:guest", "role:member", "group:grp_a", f"person:{BEN.id}")
    outcomes = set[bool]()
    for _ in range(40):
        grants = {
            (subject, object): grant(f"grant_{number}", subject, object, chosen.choice(EFFECTS))
            for number in range(chosen.randint(1, 4))
            for subject in [chosen.choice(subjects)]
            for object in [chosen.choice(("library:lib_a", "library:*", "library:lib_b", "model:*"))]
        }
        for each in grants.values():
            await storage.grants.put_grant(LOCAL_PRINCIPAL, each)
        rules = RightRules(grants.values(), has_accounts=True)
        for principal in (ben, guest):
            may = rules.may(principal, "library:lib_a")
            assert await can_read(storage, principal) == may, (principal, grants)
            assert await found(storage, SearchScope(principal, (), ("lib_a",)), "apple") == ([0] if may else [])
            outcomes.add(may)
        assert await can_read(storage, ME), "what is theirs stays theirs"
        for each in grants.values():
            await storage.grants.delete_grant(LOCAL_PRINCIPAL, each.id)
    assert outcomes == {True, False}


@pytest.mark.parametrize("kind", ["project", "assistant"])
async def test_files_go_with_the_project_or_assistant_that_a_right_denies(storage: Storage, kind: str) -> None:
    if kind == "project":
        await storage.projects.add_project(ME, Project(id="of_a", owner="me", name="Home", created=1))
    else:
        await storage.assistants.add_assistant(ME, replace(LAWYER, id="of_a"))
    holders = storage.projects if kind == "project" else storage.assistants
    library = await holders.open_library(ME, "of_a", Library("lib_a", "me", "Home", 1))
    await holders.share(ME, AccessShare("of_a", "everyone", "view", 1))
    await storage.files.add_file(ME, file("file_a", library=library), 1)
    ben = Principal(BEN.id)
    assert await can_read(storage, ben)
    for object in (f"{kind}:of_a", f"{kind}:*", f"library:{library}"):
        await storage.grants.put_grant(LOCAL_PRINCIPAL, grant("grant_a", "everyone", object))
        assert not await can_read(storage, ben)
        assert await can_read(storage, ME)
        await storage.grants.delete_grant(LOCAL_PRINCIPAL, "grant_a")
    assert await can_read(storage, ben)
